package collector

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/loader"
)

// Engines: whose code loads.
const (
	EngineNative       = "native"       // this program's
	EngineTransformers = "transformers" // the Python stack that people serve with
)

// engine is an engine's loaders.
type engine struct {
	name       string
	techniques []loader.Technique
	find       func(name string) (loader.Technique, error)
	standard   func(checkpoint.Format) string // a format's default loader
}

func engines() []engine {
	return []engine{
		{EngineNative, loader.Techniques(), loader.Find, loader.Default},
		{EngineTransformers, loader.Python(), loader.FindPython, loader.DefaultPython},
	}
}

// engines returns the engines of a request that Validate has accepted.
func (r Request) engines() []engine {
	var asked []engine
	for _, name := range r.Engines {
		i := slices.IndexFunc(engines(), func(e engine) bool { return e.name == name })
		if i >= 0 {
			asked = append(asked, engines()[i])
		}
	}
	return asked
}

// choose returns the engine's loaders of a format: those of the asked names that
// it has, or its default if none are asked for.
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

// checkLoader returns nil if an engine of the request has the loader.
func (r Request) checkLoader(name string) error {
	var first error
	for _, e := range r.engines() {
		_, err := e.find(name)
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	for _, e := range engines() {
		if _, err := e.find(name); err == nil {
			return fmt.Errorf("%s belongs to engine %s: add that engine", name, e.name)
		}
	}
	return first
}

// technique is a format, the loader that brings it to a device, and the engine
// that the loader belongs to.
type technique struct {
	format checkpoint.Format
	loader loader.Technique
	engine string
}

// takes reports whether the technique can bring the format to a device.
func (t technique) takes(deviceName string) bool {
	return deviceName != device.Host || t.loader.Name != "store" || t.engine != EngineTransformers
}

// techniques pairs formats with loaders, safetensors first as ServerlessLLM's
// benchmark does. A loader that was asked for is paired with each format that it
// takes. It is an error if a format was asked for that none of these loaders
// takes, or a loader that takes none of the formats.
func (r Request) techniques() ([]technique, error) {
	formats := []checkpoint.Format{checkpoint.SafeTensors, checkpoint.SLLM}
	asked := len(r.Formats) > 0
	if asked {
		formats = slices.DeleteFunc(formats, func(f checkpoint.Format) bool { return !slices.Contains(r.Formats, string(f)) })
	}
	used := map[string]bool{}
	var pairs []technique
	for _, f := range formats {
		before := len(pairs)
		for _, e := range r.engines() {
			for _, t := range e.choose(f, r.Loaders) {
				pair := technique{f, t, e.name}
				if !slices.ContainsFunc(r.Devices, pair.takes) {
					if asked || len(r.Loaders) > 0 {
						return nil, fieldErrorf("Devices", "engine %s loads %s to GPUs only: use cuda:0, or format safetensors", e.name, f)
					}
					continue
				}
				pairs = append(pairs, pair)
				used[t.Name] = true
			}
		}
		if asked && len(pairs) == before {
			return nil, fieldErrorf("Loaders", "none of %s loads %s: leave it out for the default", strings.Join(r.Loaders, ", "), f)
		}
	}
	for _, name := range r.Loaders {
		if !used[name] {
			return nil, fieldErrorf("Loaders", "%s loads %s, not %s", name, strings.Join(r.formatsOf(name), " and "), strings.Join(r.Formats, " or "))
		}
	}
	return pairs, nil
}

// formatsOf returns the formats that a loader takes.
func (r Request) formatsOf(name string) []string {
	var formats []string
	for _, e := range r.engines() {
		t, err := e.find(name)
		if err != nil {
			continue
		}
		for _, f := range t.Formats {
			if !slices.Contains(formats, string(f)) {
				formats = append(formats, string(f))
			}
		}
	}
	return formats
}
