package plots

import (
	"fmt"
	"slices"
	"strconv"

	"gonum.org/v1/plot/vg"

	"github.com/sllmq/sllmq/plots/chart"
)

// arrangement gives each model a group of rows and each of its arms a row, from
// the top down; rows are one high, with a gap between groups.
type arrangement[T any] struct {
	models, arms []string
	rows         []placedRow[T]
	high         float64
	groups       []chart.Tick // the models, at the middle of their rows
}

type placedRow[T any] struct {
	model, arm int
	y          float64
	item       T
}

const groupGap = 0.6

// arrange places items, one a model and arm. Models without some arm have fewer
// rows.
func arrange[T any](items []T, model, arm func(T) string) (*arrangement[T], error) {
	if len(items) == 0 {
		return nil, errEmpty
	}
	a := &arrangement[T]{}
	for _, item := range items {
		a.models = appendNew(a.models, model(item))
		a.arms = appendNew(a.arms, arm(item))
	}
	byModel := make([][]placedRow[T], len(a.models))
	for _, item := range items {
		m, r := slices.Index(a.models, model(item)), slices.Index(a.arms, arm(item))
		for _, other := range byModel[m] {
			if other.arm == r {
				return nil, fmt.Errorf("%s has %q twice", model(item), arm(item))
			}
		}
		byModel[m] = append(byModel[m], placedRow[T]{model: m, arm: r, item: item})
	}
	y := groupGap / 2
	for m, rows := range byModel {
		slices.SortFunc(rows, func(a, b placedRow[T]) int { return a.arm - b.arm })
		a.groups = append(a.groups, chart.Tick{Value: y + float64(len(rows))/2, Label: a.models[m]})
		for i := range rows {
			rows[i].y = y + float64(i) + 0.5
		}
		a.rows = append(a.rows, rows...)
		y += float64(len(rows)) + groupGap
	}
	a.high = y - groupGap/2
	return a, nil
}

// axis is the rows' axis: of one model the arms are named beside their rows, of
// more the models, and the arms in the legend.
func (a *arrangement[T]) axis() chart.Axis {
	y := chart.Axis{Low: a.high, Names: a.groups}
	if len(a.models) == 1 {
		y.Names = nil
		for _, row := range a.rows {
			y.Names = append(y.Names, chart.Tick{Value: row.y, Label: a.arms[row.arm]})
		}
	}
	return y
}

// height is the panel's, with rows of a height, and higher ones where there are
// few.
func (a *arrangement[T]) height(row vg.Length) vg.Length {
	if len(a.rows) <= 4 {
		row *= 1.4
	}
	return vg.Length(a.high) * row
}

// swatches are the legend of the arms, empty if the rows name them.
func (a *arrangement[T]) swatches() []chart.Key {
	if len(a.models) == 1 {
		return nil
	}
	return legend(a.arms, chart.SwatchKey)
}

// about ends a title: the model's name, or how many there are.
func about(models []string) string {
	if len(models) == 1 {
		return models[0]
	}
	return strconv.Itoa(len(models)) + " models"
}

func (c Caption) or(title string) (string, string) {
	if c.Title != "" {
		title = c.Title
	}
	return title, c.Subtitle
}

func appendNew(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// find is the row of a model and arm, if it has one.
func (a *arrangement[T]) find(model, arm int) (placedRow[T], bool) {
	for _, row := range a.rows {
		if row.model == model && row.arm == arm {
			return row, true
		}
	}
	return placedRow[T]{}, false
}
