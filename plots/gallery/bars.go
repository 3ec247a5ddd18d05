package gallery

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/sllmq/sllmq/plots"
	"github.com/sllmq/sllmq/queries"
	"github.com/sllmq/sllmq/queries/stats"
	"github.com/sllmq/sllmq/warehouse/record"
)

// barConfidence is the level of the intervals that bars show.
const barConfidence = 0.95

// drawBars draws the picture of ServerlessLLM's benchmark, with an interval of each
// arm's median.
func drawBars(ctx context.Context, db *sql.DB, f queries.Filter, looks plots.Looks) (*plots.Picture, error) {
	rows, err := queries.Estimates(ctx, db, f)
	if err != nil {
		return nil, err
	}
	// raw drops the bytes that it reads, so nobody serves with it. It is drawn only
	// if there is nothing else.
	if served := slices.DeleteFunc(slices.Clone(rows), func(r queries.Estimate) bool { return r.Loader == "raw" }); len(served) > 0 {
		rows = served
	}
	if len(rows) == 0 {
		return nil, errNoLoads
	}
	need, err := stats.MedianNeed(barConfidence)
	if err != nil {
		return nil, err
	}
	d := plots.Bars{Looks: looks}
	var arms []record.Arm
	var machines []string
	var loads int64
	known, byLoad := 0, 0
	for _, r := range rows {
		arms, machines, loads = append(arms, r.Arm), append(machines, r.Machine), loads+r.Loads
		bar := plots.Bar{Arm: r.Arm, MeanS: r.MeanS, MedianS: new(r.MedianS), Loads: int(r.Loads)}
		i, err := r.Interval(barConfidence)
		if err != nil {
			return nil, fmt.Errorf("interval of %s: %w", plots.NameArms([]record.Arm{r.Arm}).Arm(r.Arm), err)
		}
		if i.Known() {
			bar.Interval = &plots.Interval{LowS: i.Lo, HighS: i.Hi}
			known++
			if r.Sessions == 1 {
				byLoad++
			}
		}
		d.Bars = append(d.Bars, bar)
	}
	d.Subtitle, d.Baseline = subtitle(loads, machines), Baseline(arms)
	if known > 0 {
		d.Subtitle += fmt.Sprintf("; whiskers: %.0f %% confidence intervals of the medians", 100*barConfidence)
	}
	if byLoad > 0 {
		d.Notes = append(d.Notes, "The interval of an arm with one session leaves out how sessions differ.")
	}
	if known < len(rows) {
		d.Notes = append(d.Notes, fmt.Sprintf("%d of %d arms have no interval: it needs at least %d sessions, or %[3]d loads if there is one session.", len(rows)-known, len(rows), need))
	}
	return plots.DrawBars(d)
}
