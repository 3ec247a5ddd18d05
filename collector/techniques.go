package collector

import (
	"slices"
	"strings"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/loader"
)

// technique is a format, the loader that brings it, and the engine that the
// loader is part of.
type technique struct {
	format checkpoint.Format
	loader loader.Technique
	engine string
}

// takes says whether the technique can bring the format to a device.
func (t technique) takes(device string) bool {
	return device != hostDevice || t.loader.Name != "store" || t.engine != EngineTransformers
}

// techniques pairs formats with loaders, safetensors first as the reference
// does. A loader that was asked for goes with each format that it takes; a
// format that was asked for and that no such loader takes is an error, as is a
// loader that takes none of the formats.
func (c Config) techniques() ([]technique, error) {
	formats := []checkpoint.Format{checkpoint.SafeTensors, checkpoint.SLLM}
	asked := len(c.Formats) > 0
	if asked {
		formats = slices.DeleteFunc(formats, func(f checkpoint.Format) bool { return !slices.Contains(c.Formats, string(f)) })
	}
	used := map[string]bool{}
	var pairs []technique
	for _, f := range formats {
		before := len(pairs)
		for _, name := range c.Engines {
			e, err := findEngine(name)
			if err != nil {
				return nil, &UsageError{err}
			}
			for _, t := range e.choose(f, c.Loaders) {
				pair := technique{f, t, e.name}
				if !slices.ContainsFunc(c.Devices, pair.takes) {
					if asked || len(c.Loaders) > 0 {
						return nil, usagef("engine %s brings %s to GPUs only: use --device cuda:0, or --format safetensors", e.name, f)
					}
					continue
				}
				pairs = append(pairs, pair)
				used[t.Name] = true
			}
		}
		if asked && len(pairs) == before {
			return nil, usagef("no loader among --loader %s loads %s: leave --loader out for %s's default", strings.Join(c.Loaders, ","), f, f)
		}
	}
	for _, name := range c.Loaders {
		if !used[name] {
			return nil, usagef("loader %s loads %s, which is not among --format %s", name, strings.Join(c.formatsOf(name), " and "), strings.Join(c.Formats, ","))
		}
	}
	return pairs, nil
}

// formatsOf are those that a loader takes.
func (c Config) formatsOf(name string) []string {
	var formats []string
	for _, e := range engines() {
		t, err := e.find(name)
		if err != nil || !slices.Contains(c.Engines, e.name) {
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
