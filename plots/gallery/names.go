package gallery

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/sllmq/sllmq/plots"
	"github.com/sllmq/sllmq/queries"
)

// arm is what sets loads apart from others.
type arm struct{ machine, model, benchmarkType, format, loader, device, engine string }

// names tells models and arms apart, in as few words as the data needs: what
// all loads share is not repeated beside each, nor what another word implies.
type names struct {
	models, machines map[string]bool
	// Which of these have to be said.
	types, devices, engines, manyMachines bool
	loaders                               bool // a format has several, on one device by one engine
	short                                 bool // models are told apart without their organisations
}

// namesFor looks at what there is.
func namesFor(arms []arm) names {
	n := names{models: map[string]bool{}, machines: map[string]bool{}}
	types, engines, loaders := map[string]bool{}, map[string]bool{}, map[[3]string]string{}
	devices, shorts := map[string]string{}, map[string]bool{}
	for _, a := range arms {
		n.models[a.model], n.machines[a.machine] = true, true
		types[a.benchmarkType], engines[a.engine], shorts[path.Base(a.model)] = true, true, true
		if other, seen := devices[a.machine]; seen && other != a.device {
			n.devices = true
		}
		devices[a.machine] = a.device
		key := [3]string{a.format, a.device, a.engine}
		if other, seen := loaders[key]; seen && other != a.loader {
			n.loaders = true
		}
		loaders[key] = a.loader
	}
	n.types, n.engines, n.manyMachines = len(types) > 1, len(engines) > 1, len(n.machines) > 1
	n.short = len(shorts) == len(n.models) && (n.types || n.devices || n.manyMachines)
	return n
}

// model names what is loaded, and where.
func (n names) model(a arm) string {
	name := a.model
	if n.short {
		name = path.Base(name)
	}
	if n.types {
		name += ", " + a.benchmarkType
	}
	if n.devices {
		name += ", to " + a.device
	}
	if n.manyMachines {
		name += " on " + a.machine
	}
	return name
}

// arm names how it is loaded.
func (n names) arm(a arm) string {
	name := queries.FormatName(a.format)
	if n.loaders {
		name += " " + a.loader
	}
	if n.engines {
		name += " by " + a.engine
	}
	return name
}

// baseline is the arm that speedups are told against: SafeTensors as most people
// load it, of the arms that there are. It is empty where there is none.
func (n names) baseline(arms []arm) string {
	for _, loader := range []string{"mmap-parallel", "mmap", ""} {
		for _, a := range arms {
			if a.format == "safetensors" && a.loader != "raw" && (loader == "" || a.loader == loader) {
				return n.arm(a)
			}
		}
	}
	return ""
}

// caption says of what, where and how many. The title is the picture's own
// unless a model stands in it several times.
func (n names) caption(what string, loads int64) plots.Caption {
	c := plots.Caption{Subtitle: fmt.Sprintf("%d loads", loads)}
	if loads == 1 {
		c.Subtitle = "1 load"
	}
	c.Subtitle += " on " + n.where()
	if n.types || n.devices || n.manyMachines {
		c.Title = what + " of " + about(n.models)
	}
	return c
}

// where names the machines, or counts them.
func (n names) where() string {
	const most = 4
	if len(n.machines) > most {
		return fmt.Sprintf("%d machines", len(n.machines))
	}
	return strings.Join(slices.Sorted(maps.Keys(n.machines)), ", ")
}

// about names one model, or counts several.
func about(models map[string]bool) string {
	if len(models) == 1 {
		return slices.Collect(maps.Keys(models))[0]
	}
	return fmt.Sprintf("%d models", len(models))
}
