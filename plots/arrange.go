package plots

import (
	"fmt"
	"slices"

	"gonum.org/v1/plot/vg"

	"github.com/sllmq/sllmq/plots/chart"
	"github.com/sllmq/sllmq/warehouse/record"
)

// arrangement places arms: groups from the top down, and in each group a row for
// every series that it has. A row is one high; there is a gap between groups.
type arrangement[T any] struct {
	subject        string       // the model, or how many there are
	names          Names        // of the arms
	groups, series []string     // names, in the order of first appearance
	looks          []chart.Look // of the series
	rows           []placed[T]  // top down
	height         float64      // of all rows, in rows
	ticks          []chart.Tick // the groups' names, at the middle of their rows
}

// placed is the place of one arm.
type placed[T any] struct {
	group, series int // indexes into the arrangement's
	look          chart.Look
	y             float64 // of its middle
	name          string  // of the arm
	item          T
}

const groupGap = 0.6

// arrange places items, one per arm.
func arrange[T any](items []T, looks Looks, armOf func(T) record.Arm) (*arrangement[T], error) {
	if len(items) == 0 {
		return nil, errEmpty
	}
	arms := make([]record.Arm, len(items))
	for i, item := range items {
		arms[i] = armOf(item)
	}
	a := &arrangement[T]{subject: Subject(arms), names: NameArms(arms)}
	own := looks.of(arms)
	for i, arm := range arms {
		a.groups, a.series = appendNew(a.groups, a.names.group(arm)), appendNew(a.series, a.names.series(arm))
		if len(a.looks) < len(a.series) {
			a.looks = append(a.looks, own[i])
		}
	}
	y := groupGap / 2
	for g, group := range a.groups {
		var rows []placed[T]
		for i, arm := range arms {
			if a.names.group(arm) == group {
				rows = append(rows, placed[T]{group: g, series: slices.Index(a.series, a.names.series(arm)), look: own[i], name: a.names.Arm(arm), item: items[i]})
			}
		}
		slices.SortStableFunc(rows, func(a, b placed[T]) int { return a.series - b.series })
		for i := range rows {
			if i > 0 && rows[i].series == rows[i-1].series {
				return nil, fmt.Errorf("%s appears twice", rows[i].name)
			}
			rows[i].y = y + float64(i) + 0.5
		}
		a.rows = append(a.rows, rows...)
		a.ticks = append(a.ticks, chart.Tick{Value: y + float64(len(rows))/2, Label: group})
		y += float64(len(rows)) + groupGap
	}
	a.height = y - groupGap/2
	return a, nil
}

// axis is the axis along the rows. The series of a single group are named beside
// their rows; of several groups, the groups are, and the legend names the series.
func (a *arrangement[T]) axis() chart.Axis {
	y := chart.Axis{Low: a.height, Names: a.ticks}
	if len(a.groups) == 1 {
		y.Names = nil
		for _, row := range a.rows {
			y.Names = append(y.Names, chart.Tick{Value: row.y, Label: a.series[row.series]})
		}
	}
	return y
}

// panelHeight is the height of a panel with rows of a height. A few rows are drawn
// higher.
func (a *arrangement[T]) panelHeight(row vg.Length) vg.Length {
	if len(a.rows) <= 4 {
		row *= 1.4
	}
	return vg.Length(a.height) * row
}

// minHeight is the least height of a panel with rows of a least height.
func (a *arrangement[T]) minHeight(row vg.Length) vg.Length { return vg.Length(a.height) * row }

// inGroup are the rows of a group.
func (a *arrangement[T]) inGroup(group int) (rows []placed[T]) {
	for _, row := range a.rows {
		if row.group == group {
			rows = append(rows, row)
		}
	}
	return rows
}

// swatches are the legend of the series. It is empty if the axis names them.
func (a *arrangement[T]) swatches() []chart.Key {
	if len(a.groups) == 1 {
		return nil
	}
	return a.legend(chart.SwatchKey)
}

// legend has a key for every series.
func (a *arrangement[T]) legend(key func(label string, l chart.Look) chart.Key) []chart.Key {
	return legend(a.series, a.looks, key)
}

// legend has a key for every label in its look.
func legend(labels []string, looks []chart.Look, key func(label string, l chart.Look) chart.Key) []chart.Key {
	keys := make([]chart.Key, len(labels))
	for i, label := range labels {
		keys[i] = key(label, looks[i])
	}
	return keys
}
