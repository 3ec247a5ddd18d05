package doctor

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"github.com/sllmq/sllmq/collector/worker"
	"github.com/sllmq/sllmq/internal/text"
)

// python asks a Python for the packages of the engine transformers.
func python(ctx context.Context, command string) Finding {
	f := Finding{Check: "Python worker", State: OK}
	if _, err := exec.LookPath(command); err != nil {
		f.State, f.Saw, f.Do = None, fmt.Sprintf("%s was not found; only --engine transformers needs it", command), "install Python 3, or name one with --python"
		return f
	}
	needed, optional := []string{"torch", "transformers", "safetensors"}, []string{"accelerate", "sllm_store"}
	p, err := worker.AskPython(ctx, command, slices.Concat(needed, optional))
	if err != nil {
		f.State, f.Saw, f.Do = Warn, text.OneLine(err.Error()), "name another Python with --python"
		return f
	}
	f.Saw = fmt.Sprintf("%s, Python %s", p.Path, p.Packages["python"])
	for _, name := range []string{"torch", "transformers", "safetensors", "accelerate", "serverless-llm-store"} {
		if version := p.Packages[name]; version != "" {
			f.Saw += ", " + name + " " + version
		}
	}
	missing := slices.DeleteFunc(slices.Sorted(slices.Values(p.Missing)), func(name string) bool { return !slices.Contains(needed, name) })
	if len(missing) > 0 {
		f.State = None
		f.Saw += "; only --engine transformers needs " + strings.Join(missing, ", ")
		f.Do = command + " -m pip install " + strings.Join(missing, " ")
	}
	return f
}

// store looks for ServerlessLLM's server, which the loader store can start.
func store() Finding {
	f := Finding{Check: "sllm-store", State: OK}
	path, err := exec.LookPath("sllm-store")
	if err != nil {
		f.State, f.Saw, f.Do = None, "not on the PATH; only --loader store needs a server", "pip install serverless-llm-store, or sllmq store serve"
		return f
	}
	f.Saw = path
	return f
}
