package worker

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/sllmq/sllmq/collector/machine"
)

// transformers is the Python worker.
//
//go:embed transformers.py
var transformers string

// survey lists an interpreter's packages without importing them.
//
//go:embed survey.py
var survey string

// bootstrap runs a program that arrives as the first line of standard input, a
// JSON string, so that nothing is written to disk. The working folder is removed
// from the path: a file there called torch.py is not the package.
const bootstrap = `import sys
sys.path[:] = [p for p in sys.path if p]
import json
exec(compile(json.loads(sys.stdin.buffer.readline()), "<sllmq>", "exec"))`

// Python is an interpreter and the packages that it can import.
type Python struct {
	Command  string            `json:"-"`
	Path     string            `json:"executable"` // as it reports it
	Packages map[string]string `json:"packages"`   // versions by distribution, and Python's own
	Missing  []string          `json:"missing"`    // distributions that were asked for
}

// askTimeout is the time limit for an interpreter to start, from a slow disk.
const askTimeout = 2 * time.Minute

// distributions names the distribution that holds each module that loading may
// need.
var distributions = map[string]string{
	"torch":        "torch",
	"transformers": "transformers",
	"safetensors":  "safetensors",
	"accelerate":   "accelerate",
	"sllm_store":   "serverless-llm-store",
}

// AskPython finds out which of the modules the interpreter named command can
// import, and their versions. Nothing is imported.
func AskPython(ctx context.Context, command string, modules []string) (Python, error) {
	limited, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	wanted := map[string]string{}
	for _, m := range modules {
		wanted[m] = distributions[m]
	}
	question, err := json.Marshal(wanted)
	if err != nil {
		return Python{}, fmt.Errorf("list the packages of %s: %w", command, err)
	}
	source, err := json.Marshal(survey)
	if err != nil {
		return Python{}, fmt.Errorf("list the packages of %s: %w", command, err)
	}
	said := &tail{}
	cmd := exec.CommandContext(limited, command, "-c", bootstrap)
	cmd.Env = pythonEnvironment()
	cmd.Stdin = strings.NewReader(string(source) + "\n" + string(question) + "\n")
	cmd.Stderr = said
	answer, err := cmd.Output()
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, os.ErrNotExist):
		return Python{}, fmt.Errorf("no Python %q: name one that has torch and transformers", command)
	case ctx.Err() != nil:
		return Python{}, ctx.Err()
	case limited.Err() != nil:
		return Python{}, fmt.Errorf("list the packages of %s: no answer within %v", command, askTimeout)
	case err != nil:
		return Python{}, fmt.Errorf("list the packages of %s: %w: %s", command, err, said.lastLine())
	}
	p := Python{Command: command}
	if err := json.Unmarshal(answer, &p); err != nil {
		return Python{}, fmt.Errorf("list the packages of %s: unexpected output, so it is not Python: %w", command, err)
	}
	return p, nil
}

// Check returns nil if every module that was asked for is there, else an error
// that says how to install the rest.
func (p Python) Check() error {
	if len(p.Missing) == 0 {
		return nil
	}
	missing := slices.Sorted(slices.Values(p.Missing))
	return fmt.Errorf("%s (Python %s) has no %s: %s -m pip install %s",
		p.Command, p.Packages["python"], strings.Join(missing, ", "), p.Command, strings.Join(missing, " "))
}

// StartPython runs the Python worker and waits, at most timeout, until it is
// ready. If o asks for a store, it is started first. The evidence of its loads is
// taken by this process.
func StartPython(ctx context.Context, command string, o Open, timeout time.Duration) (*Process, error) {
	source, err := json.Marshal(transformers)
	if err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	return start(ctx, o, timeout, func() (*Process, error) {
		p, err := spawn([]string{command, "-c", bootstrap}, pythonEnvironment(), o.Node)
		if err == nil {
			p.watched, p.first = true, append(source, '\n')
		}
		return p, err
	})
}

// pythonEnvironment is this process's environment with the network off, and
// without the Hub's token, which the worker does not need.
func pythonEnvironment() []string {
	set := map[string]string{
		"HF_HUB_OFFLINE":               "1",
		"TRANSFORMERS_OFFLINE":         "1",
		"HF_HUB_DISABLE_TELEMETRY":     "1",
		"HF_HUB_DISABLE_PROGRESS_BARS": "1",
		"TRANSFORMERS_VERBOSITY":       "error",
		"TOKENIZERS_PARALLELISM":       "false",
	}
	without := []string{"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}
	environment := slices.DeleteFunc(os.Environ(), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		_, changed := set[name]
		return changed || slices.Contains(without, name)
	})
	for _, name := range slices.Sorted(maps.Keys(set)) {
		environment = append(environment, name+"="+set[name])
	}
	return environment
}

// watch asks for a load and takes the evidence around it that the worker does
// not take itself. The tensors are checked afterwards, because that reads the
// files again.
func (p *Process) watch(ctx context.Context, r Load, timeout time.Duration) (*Outcome, error) {
	evidence, err := beginEvidence(r, p.opened.Store != nil, p.usage)
	if err != nil {
		return Failed(err), nil
	}
	ask := r
	ask.Drop, ask.Verify, ask.Keep = false, false, r.Keep || r.Verify
	o, err := p.load(ctx, ask, timeout)
	if err != nil {
		return nil, err
	}
	evidence.end(&o.Load)
	if o.Load.Error != nil {
		return o, nil
	}
	o.Load.SourceTier = evidence.sourceTier(&o.Load)
	if r.Verify {
		verdict, err := p.verify(ctx, Verify{Dir: r.Dir, Keep: r.Keep}, timeout)
		if err != nil {
			return nil, err
		}
		o.Load.Verified = verdict.Verified
		if verdict.Error != "" {
			o.Load.Error = &verdict.Error
		}
	}
	return o, nil
}

// usage reads what this process can see of the worker: what its threads waited
// for and what it read from storage, and the use of a store that was started for
// it. The worker reports its own CPU time and faults.
func (p *Process) usage() (machine.Usage, error) {
	pid := int(*p.Session.PID)
	u := machine.Usage{StorageReadBytes: machine.StorageReadBytes(pid)}
	if delays, err := machine.ReadDelays(pid); err == nil { // the kernel tells root only
		u.Delays = delays
	}
	return withStore(u, p.opened.Store)
}

// verify asks for the check of a load that was kept.
func (p *Process) verify(ctx context.Context, v Verify, timeout time.Duration) (*Verdict, error) {
	reply, err := p.ask(ctx, Request{Verify: &v}, timeout)
	if err == nil && reply.Verdict == nil {
		err = p.unexpected("a verdict on its tensors", reply)
	}
	if err != nil {
		p.kill()
		return nil, err
	}
	return reply.Verdict, nil
}
