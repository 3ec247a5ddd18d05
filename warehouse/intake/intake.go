// Package intake reads results of other programs as rows of package record: the
// raw JSON of ServerlessLLM's benchmark, and fio's JSON as rooflines.
//
// A result's run and roofline IDs are derived from its content and its machine.
// So the same file imported again, or by another process at the same time, gives
// rows with the same keys.
package intake

import (
	"cmp"
	"crypto/sha256"
	"time"

	"github.com/sllmq/sllmq/warehouse/record"
)

// Options are facts that a file of results does not hold.
type Options struct {
	Machine string            // where it was measured; empty: "unknown"
	Tags    map[string]string // for every run
	At      time.Time         // when it was measured, if the file does not say
}

func (o Options) machine() string { return cmp.Or(o.Machine, "unknown") }

// Kind is whose results a file holds.
type Kind string

// The kinds of results.
const (
	ServerlessLLM Kind = "results" // raw results of ServerlessLLM's benchmark: one run
	Fio           Kind = "fio"     // rooflines
)

// Read reads the content of a file of results with the given base name. The
// batch has one machine, named for the import.
func Read(name string, text []byte, o Options) (record.Batch, Kind, error) {
	if isFio(text) {
		rooflines, err := parseFio(text, o)
		for i := range rooflines {
			rooflines[i].MachineID = machineID(o.machine())
		}
		return record.Batch{Machines: []record.Machine{importedMachine(o)}, Rooflines: rooflines}, Fio, err
	}
	r, err := parseResults(name, text)
	if err != nil {
		return record.Batch{}, ServerlessLLM, err
	}
	return r.batch(name, sha256.Sum256(text), o), ServerlessLLM, nil
}

// IDPrefix begins the IDs of machines that are known by name only.
const IDPrefix = "import:"

func machineID(name string) string { return IDPrefix + name }

func importedMachine(o Options) record.Machine {
	return record.Machine{ID: machineID(o.machine()), Machine: o.machine(), FirstSeenAt: time.Now()}
}
