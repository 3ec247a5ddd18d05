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

// survey asks an interpreter what it has, without importing any of it.
//
//go:embed survey.py
var survey string

// bootstrap runs a program that comes as the first line of standard input, a
// JSON string, so that nothing is written to disk and nothing is left there.
// The working folder is taken off the path: a file there called torch.py is
// not the package.
const bootstrap = `import sys
sys.path[:] = [p for p in sys.path if p]
import json
exec(compile(json.loads(sys.stdin.buffer.readline()), "<sllmq>", "exec"))`

// Python is an interpreter and the packages that it can import.
type Python struct {
	Command  string            `json:"-"`
	Path     string            `json:"executable"` // its own word for where it is
	Packages map[string]string `json:"packages"`   // versions by distribution, and Python's own
	Missing  []string          `json:"missing"`    // distributions, of those that were asked for
}

// askTimeout bounds what an interpreter may take to start, from a slow disk.
const askTimeout = 2 * time.Minute

// distributions are those that loading may need, by the modules that they
// hold.
var distributions = map[string]string{
	"torch":        "torch",
	"transformers": "transformers",
	"safetensors":  "safetensors",
	"accelerate":   "accelerate",
	"sllm_store":   "serverless-llm-store",
}

// AskPython looks at the interpreter named command: which of the modules it
// can import, and in which versions. Nothing is imported for it.
func AskPython(ctx context.Context, command string, modules []string) (Python, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	wanted := map[string]string{}
	for _, m := range modules {
		wanted[m] = distributions[m]
	}
	question, err := json.Marshal(wanted)
	if err != nil {
		return Python{}, fmt.Errorf("ask %s what it has: %w", command, err)
	}
	source, err := json.Marshal(survey)
	if err != nil {
		return Python{}, fmt.Errorf("ask %s what it has: %w", command, err)
	}
	said := &tail{}
	cmd := exec.CommandContext(ctx, command, "-c", bootstrap)
	cmd.Env = pythonEnvironment()
	cmd.Stdin = strings.NewReader(string(source) + "\n" + string(question) + "\n")
	cmd.Stderr = said
	answer, err := cmd.Output()
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, os.ErrNotExist):
		return Python{}, fmt.Errorf("there is no Python %q: name one that has torch and transformers with --python", command)
	case ctx.Err() != nil:
		return Python{}, fmt.Errorf("ask %s what it has: no answer within %v", command, askTimeout)
	case err != nil:
		return Python{}, fmt.Errorf("ask %s what it has: %w: %s", command, err, said.lastLine())
	}
	p := Python{Command: command}
	if err := json.Unmarshal(answer, &p); err != nil {
		return Python{}, fmt.Errorf("ask %s what it has: its answer is not understood, so it is no Python: %w", command, err)
	}
	return p, nil
}

// Check is nil if every module that was asked for is there, else it says how
// to get those that are not.
func (p Python) Check() error {
	if len(p.Missing) == 0 {
		return nil
	}
	missing := slices.Sorted(slices.Values(p.Missing))
	return fmt.Errorf("%s (Python %s) has no %s: %s -m pip install %s",
		p.Command, p.Packages["python"], strings.Join(missing, ", "), p.Command, strings.Join(missing, " "))
}

// StartPython runs the Python worker and waits, at most timeout, until it is
// ready. The evidence of its loads is taken here.
func StartPython(ctx context.Context, command string, o Open, timeout time.Duration) (*Process, error) {
	source, err := json.Marshal(transformers)
	if err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	server, err := serveFor(ctx, &o)
	if err != nil {
		return nil, err
	}
	p, err := spawn([]string{command, "-c", bootstrap}, pythonEnvironment(), o.Node)
	if err != nil {
		return nil, errors.Join(err, server.stop())
	}
	p.watched, p.server, p.first = true, server, append(source, '\n')
	if p, err = p.open(ctx, o, timeout); err != nil {
		return nil, err
	}
	if server != nil {
		p.Ready.ServedBy = server.describe()
		p.Ready.SetupS += server.started().Seconds()
		p.Ready.PoolBytes = server.poolBytes
	}
	return p, nil
}

// pythonEnvironment is this process's with the network off, and without the
// token that nothing there needs.
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
// not take itself. The check of the tensors comes after it, since it reads the
// files again.
func (p *Process) watch(ctx context.Context, r Load, timeout time.Duration) (*Outcome, error) {
	var seen Outcome
	e, err := gather(r, &seen)
	if err != nil {
		return &Outcome{StartedAt: time.Now().UTC(), Error: err.Error()}, nil
	}
	check := r.Verify
	ask := r
	ask.Drop, ask.Verify, ask.Keep = false, false, r.Keep || check
	before, beforeErr := p.usage()
	o, err := p.load(ctx, ask, timeout)
	if err != nil {
		return nil, err
	}
	o.StorageReadBytes = nil
	if after, err := p.usage(); err == nil && beforeErr == nil {
		o.account(after.Sub(before))
	}
	o.FileBytes, o.ResidentBeforeBytes = seen.FileBytes, seen.ResidentBeforeBytes
	e.conclude(o)
	if o.Error != "" {
		return o, nil
	}
	o.tellTier(p.server != nil)
	if check {
		verdict, err := p.verify(ctx, Verify{Dir: r.Dir, Keep: r.Keep}, timeout)
		if err != nil {
			return nil, err
		}
		o.Verified, o.Error = verdict.Verified, verdict.Error
	}
	return o, nil
}

// usage is what is told of the worker from outside: what its threads waited
// for and what storage it has read or, where a server reads for it, what that
// has used.
func (p *Process) usage() (u machine.Usage, err error) {
	if p.server == nil {
		u.StorageReadBytes = machine.StorageReadBytes(p.Ready.PID)
	} else if u, err = p.server.usage(); err != nil {
		return u, err
	}
	if delays, err := machine.ReadDelays(p.Ready.PID); err == nil { // root alone is told
		u.Delays = delays
	}
	return u, nil
}

// verify asks for the check of a load that was kept.
func (p *Process) verify(ctx context.Context, v Verify, timeout time.Duration) (*Verdict, error) {
	reply, err := p.ask(ctx, Request{Verify: &v}, timeout)
	if err != nil {
		p.kill()
		return nil, err
	}
	if reply.Verdict == nil {
		p.kill()
		return nil, p.mute("a verdict on its tensors", reply)
	}
	return reply.Verdict, nil
}
