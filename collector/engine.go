package collector

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/loader"
	"github.com/sllmq/sllmq/collector/worker"
)

// Engines: who does the load.
const (
	EngineNative       = "native"       // this program
	EngineTransformers = "transformers" // the Python stack that people serve with
)

// engine is what one of them can do.
type engine struct {
	name       string
	techniques []loader.Technique
	find       func(name string) (loader.Technique, error)
	standard   func(checkpoint.Format) string // a format's loader where none is asked for
}

func engines() []engine {
	return []engine{
		{EngineNative, loader.Techniques(), loader.Find, loader.Default},
		{EngineTransformers, loader.Python(), loader.FindPython, loader.DefaultPython},
	}
}

func findEngine(name string) (engine, error) {
	var names []string
	for _, e := range engines() {
		if e.name == name {
			return e, nil
		}
		names = append(names, e.name)
	}
	return engine{}, fmt.Errorf("no engine %q: use %s", name, strings.Join(names, " or "))
}

// choose gives the engine's loaders of a format: of those that are asked for,
// else its standard one.
func (e engine) choose(f checkpoint.Format, asked []string) []loader.Technique {
	if len(asked) == 0 {
		asked = []string{e.standard(f)}
	}
	var chosen []loader.Technique
	for _, name := range asked {
		if t, err := e.find(name); err == nil && t.Takes(f) {
			chosen = append(chosen, t)
		}
	}
	return chosen
}

// knowsLoader is nil if an engine that is asked for has the loader.
func (c Config) knowsLoader(name string) error {
	var first error
	for _, asked := range c.Engines {
		e, err := findEngine(asked)
		if err != nil {
			return err
		}
		if _, err = e.find(name); err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	for _, e := range engines() {
		if _, err := e.find(name); err == nil && !slices.Contains(c.Engines, e.name) {
			return fmt.Errorf("loader %s belongs to another engine: add --engine %s", name, e.name)
		}
	}
	return first
}

// AskPython fills Packages, if the transformers engine is among those that are
// asked for, or says what its interpreter lacks. NewPlan wants it.
func (c Config) AskPython(ctx context.Context) (Config, error) {
	if !slices.Contains(c.Engines, EngineTransformers) {
		return c, nil
	}
	modules := []string{"torch", "transformers", "safetensors"}
	pairs, err := c.techniques()
	if err != nil {
		return c, err
	}
	for _, pair := range pairs {
		if pair.engine == EngineTransformers && pair.format == checkpoint.SLLM {
			modules = append(modules, "sllm_store")
		}
	}
	if slices.ContainsFunc(c.Devices, func(d string) bool { return d != hostDevice }) {
		modules = append(modules, "accelerate") // a device map wants it
	}
	python, err := worker.AskPython(ctx, c.Python, modules)
	if err == nil {
		err = python.Check()
	}
	if err != nil {
		return c, fmt.Errorf("engine transformers: %w", err)
	}
	c.Packages = python.Packages
	return c, nil
}

// start starts the arm's worker process.
func (r *run) start(ctx context.Context) (*worker.Process, error) {
	open := r.arm.Worker
	if s := open.Store; s != nil && s.Address == "" && len(s.Program) == 0 {
		own := *s
		own.Program = r.host.StoreCommand
		open.Store = &own
	}
	if r.arm.Engine == EngineTransformers {
		return worker.StartPython(ctx, r.plan.Config.Python, open, r.arm.StartTimeout)
	}
	return worker.Start(ctx, r.host.WorkerCommand, open, r.arm.StartTimeout)
}
