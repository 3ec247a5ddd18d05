// Package gallery asks the warehouse for what the pictures of package plots
// show, a kind a file.
package gallery

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/sllmq/sllmq/plots"
	"github.com/sllmq/sllmq/queries"
)

// errNoLoads says that there is nothing to draw.
var errNoLoads = errors.New("no load that counts is among those chosen: sllmq summary says what there is")

// Kind is a kind of picture.
type Kind struct {
	Name, About string
	Questions   []string // files of queries/sql that it is drawn from
	draw        func(ctx context.Context, db *sql.DB, f queries.Filter) (*plots.Picture, error)
}

// Kinds are the pictures that there are.
func Kinds() []Kind {
	return []Kind{
		{"bars", "mean loading times, and the speedup between formats", []string{"summary"}, drawBars},
		{"ecdf", "all loading times as distributions", []string{"loads"}, drawECDF},
		{"box", "all loading times as boxes with their points", []string{"loads"}, drawBox},
		{"stages", "where the time of loads goes", []string{"stages"}, drawStages},
		{"timeline", "the requests of one load (collected with --io-trace)", []string{"chunks", "samples"}, drawTimeline},
		{"efficiency", "how near loads come to the roofline", []string{"loads"}, drawEfficiency},
		{"size", "loading time over the model's size, with the roofline", []string{"loads", "best_rooflines"}, drawSizeTime},
		{"trend", "loading times over weeks, and where their level changed", []string{"levels"}, drawTrend},
		{"tune", "the sweep of sllmq tune", []string{"trials"}, drawHeat},
	}
}

// Draw asks for the loads that f chooses, and draws the answer. What can't be
// drawn is one line that says why.
func (k Kind) Draw(ctx context.Context, db *sql.DB, f queries.Filter) (*plots.Picture, error) {
	return k.draw(ctx, db, f)
}

// SQL is what Draw asks, ready to be run in DuckDB itself.
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
