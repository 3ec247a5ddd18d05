package readiness

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/sllmq/sllmq/health"
)

// packagesPy prints the versions of the packages that engine transformers needs,
// without importing them.
//
//go:embed packages.py
var packagesPy string

// python asks a Python for the packages of the engine transformers.
func python(ctx context.Context, program string) health.Finding {
	f := health.Finding{Check: "Python worker", State: health.None}
	path, err := exec.LookPath(program)
	if err != nil {
		f.Saw, f.Do = fmt.Sprintf("%s: %v; only --engine transformers needs one", program, err), "install Python 3, or name one with --python"
		return f
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "-c", packagesPy).Output()
	var versions struct {
		Python   string
		Packages map[string]*string
	}
	if err == nil {
		err = json.Unmarshal(out, &versions)
	}
	if err != nil {
		f.State, f.Saw, f.Do = health.Warn, fmt.Sprintf("%s can't say what it has: %v", path, err), "name another Python with --python"
		return f
	}
	var has, lacks []string
	for _, name := range []string{"torch", "transformers", "safetensors", "accelerate"} {
		if v := versions.Packages[name]; v != nil {
			has = append(has, name+" "+*v)
		} else {
			lacks = append(lacks, name)
		}
	}
	f.Saw = fmt.Sprintf("%s, Python %s", path, versions.Python)
	if len(has) > 0 {
		f.Saw += ", " + strings.Join(has, ", ")
	}
	if store := versions.Packages["serverless-llm-store"]; store != nil {
		f.Saw += ", serverless-llm-store " + *store
	}
	if len(lacks) > 0 {
		f.Saw += "; only --engine transformers needs " + strings.Join(lacks, ", ")
		f.Do = path + " -m pip install " + strings.Join(lacks, " ")
		return f
	}
	f.State = health.OK
	return f
}

// store looks for ServerlessLLM's server, which loader store can start.
func store() health.Finding {
	f := health.Finding{Check: "sllm-store", State: health.OK}
	path, err := exec.LookPath("sllm-store")
	if err != nil {
		return health.Finding{Check: f.Check, State: health.None, Saw: "not on the PATH; only --loader store needs a server", Do: "pip install serverless-llm-store"}
	}
	f.Saw = path
	return f
}
