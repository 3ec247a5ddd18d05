package doctor

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"github.com/sllmq/sllmq/collector/worker"
	"github.com/sllmq/sllmq/health"
)

// python asks a Python for the packages of the engine transformers.
func python(ctx context.Context, command string) health.Finding {
	f := health.Finding{Check: "Python worker", State: health.OK}
	if _, err := exec.LookPath(command); err != nil {
		return health.Finding{Check: f.Check, State: health.None, Saw: fmt.Sprintf("there is no %s; only --engine transformers needs one", command), Do: "install Python 3, or name one with --python"}
	}
	needed, optional := []string{"torch", "transformers", "safetensors"}, []string{"accelerate", "sllm_store"}
	p, err := worker.AskPython(ctx, command, slices.Concat(needed, optional))
	if err != nil {
		return health.Finding{Check: f.Check, State: health.Warn, Saw: oneLine(err), Do: "name another Python with --python"}
	}
	f.Saw = fmt.Sprintf("%s, Python %s", p.Path, p.Packages["python"])
	for _, name := range []string{"torch", "transformers", "safetensors", "accelerate", "serverless-llm-store"} {
		if version := p.Packages[name]; version != "" {
			f.Saw += ", " + name + " " + version
		}
	}
	p.Missing = slices.DeleteFunc(p.Missing, func(name string) bool { return !slices.Contains(needed, name) })
	if missing := slices.Sorted(slices.Values(p.Missing)); len(missing) > 0 {
		f.State = health.None
		f.Saw += "; only --engine transformers needs " + strings.Join(missing, ", ")
		f.Do = command + " -m pip install " + strings.Join(missing, " ")
	}
	return f
}

// store looks for ServerlessLLM's server, which loader store can start.
func store() health.Finding {
	f := health.Finding{Check: "sllm-store", State: health.OK}
	path, err := exec.LookPath("sllm-store")
	if err != nil {
		return health.Finding{Check: f.Check, State: health.None, Saw: "not on the PATH; only --loader store needs a server", Do: "pip install serverless-llm-store, or sllmq store serve"}
	}
	f.Saw = path
	return f
}
