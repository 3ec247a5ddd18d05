package plots

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/sllmq/sllmq/warehouse/record"
)

// Names names arms briefly. A name has two parts: the group, which is the model
// and the conditions it was loaded under, and the series, which is how it was
// loaded. Facts that are the same for all arms, or that follow from another fact in
// the name, are left out. Different arms have different names.
type Names struct {
	// What a name has to include beside the model and the format.
	benchmarkType, device, machine, loader, engine bool
	shortModels                                    bool // without their organisations
}

// NameArms finds what differs among arms.
func NameArms(arms []record.Arm) Names {
	models, shortModels, machines := map[string]bool{}, map[string]bool{}, map[string]bool{}
	types, engines := map[string]bool{}, map[string]bool{}
	devices := map[string]string{}     // by machine
	loaders := map[record.Arm]string{} // by what else is in a series' name, so that a name is one technique
	var n Names
	for _, a := range arms {
		models[a.Model], shortModels[path.Base(a.Model)], machines[a.Machine] = true, true, true
		types[a.BenchmarkType], engines[a.Engine] = true, true
		if other, seen := devices[a.Machine]; seen && other != a.Device {
			n.device = true
		}
		devices[a.Machine] = a.Device
		key := record.Arm{Format: a.Format, Engine: a.Engine}
		if other, seen := loaders[key]; seen && other != a.Loader {
			n.loader = true
		}
		loaders[key] = a.Loader
	}
	n.benchmarkType, n.engine, n.machine = len(types) > 1, len(engines) > 1, len(machines) > 1
	n.shortModels = len(shortModels) == len(models) && (n.benchmarkType || n.device || n.machine)
	return n
}

// Arm is the whole name of an arm.
func (n Names) Arm(a record.Arm) string { return joined(n.group(a), n.series(a)) }

// group names the model, and benchmark type, device and machine as needed.
func (n Names) group(a record.Arm) string {
	return n.model(a) + n.conditions(a) + n.place(a)
}

func (n Names) model(a record.Arm) string {
	if n.shortModels {
		return path.Base(a.Model)
	}
	return a.Model
}

// series names the format, and loader and engine as needed.
func (n Names) series(a record.Arm) string {
	name := record.FormatName(a.Format)
	if n.loader {
		name += " " + a.Loader
	}
	if n.engine {
		name += " by " + a.Engine
	}
	return name
}

// conditionsAndPlace is the group without the model. It is empty if all arms share it.
func (n Names) conditionsAndPlace(a record.Arm) string {
	return strings.TrimLeft(n.conditions(a)+n.place(a), ", ")
}

func (n Names) conditions(a record.Arm) (s string) {
	if n.benchmarkType {
		s += ", " + a.BenchmarkType
	}
	if n.device {
		s += ", to " + a.Device
	}
	return s
}

func (n Names) place(a record.Arm) string {
	if n.machine {
		return " on " + a.Machine
	}
	return ""
}

// Subject names the model of arms, or counts several.
func Subject(arms []record.Arm) string {
	var models []string
	for _, a := range arms {
		models = appendNew(models, a.Model)
	}
	if len(models) == 1 {
		return models[0]
	}
	return plural(len(models), "model", "models")
}

// joined joins two parts of a name, either of which may be empty.
func joined(group, series string) string {
	switch {
	case group == "":
		return series
	case series == "":
		return group
	}
	return group + ", " + series
}

// appendNew appends v unless the list has it.
func appendNew[T comparable](list []T, v T) []T {
	if slices.Contains(list, v) {
		return list
	}
	return append(list, v)
}

// plural counts things.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
