package gallery

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"

	"github.com/sllmq/sllmq/plots"
	"github.com/sllmq/sllmq/queries"
)

// series are the loads by model and arm.
func series(ctx context.Context, db *sql.DB, f queries.Filter, what string) (list []plots.Series, of [][]queries.Load, head plots.Caption, err error) {
	loads, err := queries.Loads(ctx, db, f)
	if err != nil {
		return nil, nil, head, err
	}
	if len(loads) == 0 {
		return nil, nil, head, errNoLoads
	}
	arms := armsOf(loads)
	n := namesFor(arms)
	at := map[[2]string]int{}
	for i, l := range loads {
		key := [2]string{n.model(arms[i]), n.arm(arms[i])}
		s, ok := at[key]
		if !ok {
			s = len(list)
			at[key] = s
			list, of = append(list, plots.Series{Model: key[0], Arm: key[1]}), append(of, nil)
		}
		list[s].TimesS, of[s] = append(list[s].TimesS, l.LoadingTimeS), append(of[s], l)
	}
	return list, of, n.caption(what, int64(len(loads))), nil
}

func armsOf(loads []queries.Load) (arms []arm) {
	for _, l := range loads {
		arms = append(arms, arm{l.Machine, l.Model, l.BenchmarkType, l.Format, l.Loader, l.Device, l.Engine})
	}
	return arms
}

func drawECDF(ctx context.Context, db *sql.DB, f queries.Filter) (*plots.Picture, error) {
	list, _, head, err := series(ctx, db, f, "Distribution of the loading time")
	if err != nil {
		return nil, err
	}
	return plots.DrawECDF(plots.ECDF{Caption: head, Series: list})
}

func drawBox(ctx context.Context, db *sql.DB, f queries.Filter) (*plots.Picture, error) {
	list, _, head, err := series(ctx, db, f, "Loading time")
	if err != nil {
		return nil, err
	}
	return plots.DrawBox(plots.Box{Caption: head, Series: list})
}

func drawEfficiency(ctx context.Context, db *sql.DB, f queries.Filter) (*plots.Picture, error) {
	list, of, head, err := series(ctx, db, f, "Efficiency")
	if err != nil {
		return nil, err
	}
	d := plots.Efficiency{Caption: head}
	for i, s := range list {
		row := plots.ArmEfficiency{Model: s.Model, Arm: s.Arm}
		for _, l := range of[i] {
			if l.Efficiency != nil {
				row.Efficiencies = append(row.Efficiencies, *l.Efficiency)
			}
		}
		if len(row.Efficiencies) > 0 {
			d.Arms = append(d.Arms, row)
		}
	}
	if len(d.Arms) == 0 {
		return nil, errors.New("no roofline was measured beside these loads: collect without --no-roofline")
	}
	return plots.DrawEfficiency(d)
}

func drawSizeTime(ctx context.Context, db *sql.DB, f queries.Filter) (*plots.Picture, error) {
	loads, err := queries.Loads(ctx, db, f)
	if err != nil {
		return nil, err
	}
	if len(loads) == 0 {
		return nil, errNoLoads
	}
	arms := armsOf(loads)
	n := namesFor(arms)
	d := plots.SizeTime{Caption: n.caption("Loading time by size", int64(len(loads)))}
	d.Subtitle += "; medians"
	times := map[plots.SizedLoad][]float64{}
	for i, l := range loads {
		if l.Bytes == nil || *l.Bytes <= 0 || l.LoadingTimeS <= 0 {
			continue
		}
		// Benchmark type and device go to the arm: a model has one size.
		name := n.arm(arms[i])
		if n.types {
			name += ", " + l.BenchmarkType
		}
		if n.devices {
			name += ", to " + l.Device
		}
		model := l.Model
		if n.manyMachines {
			model += " on " + l.Machine
		}
		key := plots.SizedLoad{Model: model, Arm: name, Bytes: float64(*l.Bytes)}
		if times[key] == nil {
			d.Loads = append(d.Loads, key)
		}
		times[key] = append(times[key], l.LoadingTimeS)
	}
	for i, key := range d.Loads {
		d.Loads[i].TimeS = median(times[key])
	}
	if len(d.Loads) == 0 {
		return nil, errors.New("the sizes of these loads are not known")
	}
	best, err := queries.BestRooflines(ctx, db, f)
	if err != nil {
		return nil, err
	}
	for _, b := range best {
		d.Rooflines = append(d.Rooflines, plots.Roofline{Name: strings.ReplaceAll(b.Kind, "_", " "), BytesPS: b.BytesPerS})
	}
	return plots.DrawSizeTime(d)
}

func median(times []float64) float64 {
	t := slices.Sorted(slices.Values(times))
	return (t[(len(t)-1)/2] + t[len(t)/2]) / 2
}
