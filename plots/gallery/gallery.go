// Package gallery draws what is in a warehouse: one kind of picture per file, each
// a query of package queries whose answer becomes a picture of package plots.
package gallery

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sllmq/sllmq/plots"
	"github.com/sllmq/sllmq/queries"
	"github.com/sllmq/sllmq/warehouse/record"
)

// errNoLoads reports that there is nothing to draw.
var errNoLoads = errors.New("no counted load matches the filter: run sllmq summary to see what there is")

// Kind is a kind of picture.
type Kind struct {
	Name, About string
	Questions   []string // files of queries/sql that it is drawn from
	draw        func(ctx context.Context, db *sql.DB, f queries.Filter, looks plots.Looks) (*plots.Picture, error)
}

// Kinds lists the kinds of pictures.
func Kinds() []Kind {
	return []Kind{
		{"bars", "mean loading times with intervals, and the speedup between formats", []string{"estimates"}, drawBars},
		{"ecdf", "all loading times as distributions", []string{"loads"}, drawECDF},
		{"box", "all loading times as boxes with their points", []string{"loads"}, drawBox},
		{"stages", "when each stage of loads runs", []string{"stages"}, drawStages},
		{"timeline", "the requests of one load (collected with --io-trace)", []string{"chunks", "samples"}, drawTimeline},
		{"efficiency", "how close loads come to the roofline", []string{"loads"}, drawEfficiency},
		{"size", "loading time by model size, with the rooflines of each machine", []string{"loads", "best_rooflines"}, drawSizeTime},
		{"trend", "loading times over weeks, and where their level changed", []string{"levels"}, drawTrend},
		{"tune", "the sweep of sllmq tune", []string{"trials"}, drawHeat},
	}
}

// Draw draws the loads that f chooses. If they cannot be drawn, the error is one
// line that says why.
func (k Kind) Draw(ctx context.Context, db *sql.DB, f queries.Filter) (*plots.Picture, error) {
	looks, err := looksOf(ctx, db)
	if err != nil {
		return nil, err
	}
	return k.draw(ctx, db, f, looks)
}

// looksOf are the looks of all techniques of a warehouse.
func looksOf(ctx context.Context, db *sql.DB) (plots.Looks, error) {
	techniques, err := queries.Techniques(ctx, db)
	if err != nil {
		return nil, err
	}
	var arms []record.Arm
	for _, t := range techniques {
		arms = append(arms, record.Arm{Format: t.Format, Engine: t.Engine, Loader: t.Loader})
	}
	return plots.LooksOf(arms), nil
}

// SQL returns the statements that Draw runs, with all values filled in, to be run in
// DuckDB itself.
func (k Kind) SQL(f queries.Filter) (string, error) {
	var all strings.Builder
	for i, name := range k.Questions {
		statement, err := queries.Paste(name, f)
		if err != nil {
			return "", err
		}
		if i > 0 {
			all.WriteByte('\n')
		}
		all.WriteString(statement)
	}
	return all.String(), nil
}

// subtitle is how many loads there are, and where they were measured.
func subtitle(loads int64, machines []string) string {
	if loads == 1 {
		return "1 load on " + where(machines)
	}
	return fmt.Sprintf("%d loads on %s", loads, where(machines))
}

// where names the machines, or counts many.
func where(machines []string) string {
	machines = slices.Compact(slices.Sorted(slices.Values(machines)))
	const most = 4
	if len(machines) > most {
		return fmt.Sprintf("%d machines", len(machines))
	}
	return strings.Join(machines, ", ")
}

// Baseline is the arm to compare others with: SafeTensors as most people load it. It
// is zero if there is none.
func Baseline(arms []record.Arm) record.Arm {
	for _, loader := range []string{"mmap-parallel", "mmap", ""} {
		for _, a := range arms {
			if a.Format == "safetensors" && a.Loader != "raw" && (loader == "" || a.Loader == loader) {
				return a
			}
		}
	}
	return record.Arm{}
}
