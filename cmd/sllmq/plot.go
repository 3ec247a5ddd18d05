package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sllmq/sllmq/plots"
	"github.com/sllmq/sllmq/queries"
)

// picture asks the warehouse and draws the answer.
type picture struct {
	kind, about string
	draw        func(ctx context.Context, db *sql.DB, f queries.Filter) (*plots.Picture, error)
}

// pictures are the kinds of plot.
func pictures() []picture {
	return []picture{
		{"bars", "mean loading times, and the speedup between formats", drawBars},
		{"ecdf", "all loading times as distributions", drawECDF},
		{"box", "all loading times as boxes with their points", drawBox},
		{"stages", "where the time of loads goes", drawStages},
		{"timeline", "the requests of one load (collected with --io-trace)", drawTimeline},
		{"efficiency", "how near loads come to the roofline", drawEfficiency},
		{"size", "loading time over the model's size, with the roofline", drawSizeTime},
		{"trend", "loading times over weeks", drawTrend},
		{"tune", "the sweep of sllmq tune", drawHeat},
	}
}

type plotOptions struct {
	filterFlags
	output string
	format string
	width  float64
	dpi    int
}

func newPlotCommand(env *environment) *cobra.Command {
	var o plotOptions
	var about strings.Builder
	var kinds []string
	for _, p := range pictures() {
		fmt.Fprintf(&about, "\n  %-11s %s", p.kind, p.about)
		kinds = append(kinds, p.kind)
	}
	size := plots.DefaultOptions()
	c := &cobra.Command{
		Use:       "plot KIND",
		Short:     "Draw what was measured, as PNG, SVG, PDF, or the data behind as CSV",
		Long:      "Draw what was measured:\n" + about.String(),
		Example:   "  sllmq plot bars -o bars.png\n  sllmq plot box --benchmark-type random -o box.pdf\n  sllmq plot ecdf --format csv",
		ValidArgs: kinds,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 || !slices.Contains(kinds, args[0]) {
				return &usageError{fmt.Errorf("name one kind of plot: %s", strings.Join(kinds, ", "))}
			}
			i := slices.Index(kinds, args[0])
			return o.run(cmd.Context(), env, pictures()[i])
		},
	}
	o.add(c.Flags())
	c.Flags().StringVarP(&o.output, "output", "o", "", "file to write: .png, .svg, .pdf or .csv")
	c.Flags().StringVar(&o.format, "format", "", "write to standard output instead: "+strings.Join(plots.Formats(), ", "))
	c.Flags().Float64Var(&o.width, "width", size.WidthIn, "in inches")
	c.Flags().IntVar(&o.dpi, "dpi", size.DPI, "dots an inch of a PNG")
	return c
}

func (o plotOptions) run(ctx context.Context, env *environment, p picture) error {
	if (o.output == "") == (o.format == "") {
		return &usageError{errors.New("say where to: -o FILE.png, .svg, .pdf or .csv, or --format for standard output")}
	}
	format := o.format
	if format == "" {
		format = strings.TrimPrefix(filepath.Ext(o.output), ".")
	}
	if !slices.Contains(plots.Formats(), format) {
		return &usageError{fmt.Errorf("a plot is one of %s, and not %q", strings.Join(plots.Formats(), ", "), format)}
	}
	filter, err := o.parse()
	if err != nil {
		return err
	}
	drawn, err := drawFrom(ctx, env, p, filter)
	if err != nil {
		return err
	}
	options := plots.Options{WidthIn: o.width, DPI: o.dpi}
	if o.output == "" {
		return plots.Encode(env.stdout, drawn, format, options)
	}
	return plots.Write(o.output, drawn, options)
}

// drawFrom asks the warehouse for a picture.
func drawFrom(ctx context.Context, env *environment, p picture, f queries.Filter) (*plots.Picture, error) {
	db, err := env.open(ctx)
	if err != nil {
		return nil, err
	}
	drawn, err := p.draw(ctx, db.SQL(), f)
	if err = errors.Join(err, db.Close()); err != nil {
		return nil, err
	}
	return drawn, nil
}

// names tells models and arms apart, in as few words as the data needs.
type names struct{ types, loaders bool }

// namesFor looks at what there is: benchmark types are named if there are
// several, loaders if a format has several.
func namesFor(types map[string]bool, loaders map[string]map[string]bool) names {
	n := names{types: len(types) > 1}
	for _, l := range loaders {
		n.loaders = n.loaders || len(l) > 1
	}
	return n
}

func (n names) model(model, benchmarkType string) string {
	if n.types {
		return model + ", " + benchmarkType
	}
	return model
}

func (n names) arm(format, loader string) string {
	if n.loaders {
		return formatName(format) + " " + loader
	}
	return formatName(format)
}

func add(loaders map[string]map[string]bool, format, loader string) {
	if loaders[format] == nil {
		loaders[format] = map[string]bool{}
	}
	loaders[format][loader] = true
}

// caption says of what, where and how many. The title is the picture's own
// unless a model stands in it several times.
func caption(what string, models, types, machines map[string]bool, n int64) plots.Caption {
	c := plots.Caption{Subtitle: fmt.Sprintf("%d loads on %s", n, strings.Join(slices.Sorted(maps.Keys(machines)), ", "))}
	if len(types) > 1 {
		c.Title = what + " of " + about(models)
	}
	return c
}

// about names one model, or counts several.
func about(models map[string]bool) string {
	if len(models) == 1 {
		return slices.Collect(maps.Keys(models))[0]
	}
	return fmt.Sprintf("%d models", len(models))
}

func drawBars(ctx context.Context, db *sql.DB, f queries.Filter) (*plots.Picture, error) {
	rows, err := queries.Summary(ctx, db, f)
	if err != nil {
		return nil, err
	}
	models, types, machines, loaders := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]map[string]bool{}
	var loads int64
	for _, r := range rows {
		models[r.Model], types[r.BenchmarkType], machines[r.Machine] = true, true, true
		add(loaders, r.Format, r.Loader)
		loads += r.Loads
	}
	n := namesFor(types, loaders)
	d := plots.Bars{Caption: caption("Mean loading time", models, types, machines, loads)}
	for _, r := range rows {
		if r.MeanS == nil {
			continue
		}
		model := n.model(r.Model, r.BenchmarkType)
		if len(machines) > 1 {
			model += " on " + r.Machine
		}
		d.Bars = append(d.Bars, plots.Bar{Model: model, Arm: n.arm(r.Format, r.Loader), MeanS: *r.MeanS, MedianS: r.MedianS, Loads: int(r.Loads)})
	}
	return plots.DrawBars(d)
}

// series are the loads by model and arm.
func series(ctx context.Context, db *sql.DB, f queries.Filter, what string) (list []plots.Series, of [][]queries.Load, head plots.Caption, err error) {
	loads, err := queries.Loads(ctx, db, f)
	if err != nil {
		return nil, nil, head, err
	}
	models, types, machines, loaders := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]map[string]bool{}
	for _, l := range loads {
		models[l.Model], types[l.BenchmarkType], machines[l.Machine] = true, true, true
		add(loaders, l.Format, l.Loader)
	}
	n := namesFor(types, loaders)
	at := map[[2]string]int{}
	for _, l := range loads {
		key := [2]string{n.model(l.Model, l.BenchmarkType), n.arm(l.Format, l.Loader)}
		i, ok := at[key]
		if !ok {
			i = len(list)
			at[key] = i
			list, of = append(list, plots.Series{Model: key[0], Arm: key[1]}), append(of, nil)
		}
		list[i].TimesS, of[i] = append(list[i].TimesS, l.LoadingTimeS), append(of[i], l)
	}
	return list, of, caption(what, models, types, machines, int64(len(loads))), nil
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
		arm := plots.ArmEfficiency{Model: s.Model, Arm: s.Arm}
		for _, l := range of[i] {
			if l.Efficiency != nil {
				arm.Efficiencies = append(arm.Efficiencies, *l.Efficiency)
			}
		}
		if len(arm.Efficiencies) > 0 {
			d.Arms = append(d.Arms, arm)
		}
	}
	return plots.DrawEfficiency(d)
}

func drawSizeTime(ctx context.Context, db *sql.DB, f queries.Filter) (*plots.Picture, error) {
	list, of, head, err := series(ctx, db, f, "Loading time by size")
	if err != nil {
		return nil, err
	}
	d := plots.SizeTime{Caption: head}
	for i, s := range list {
		for _, l := range of[i] {
			if l.Bytes != nil && *l.Bytes > 0 {
				d.Loads = append(d.Loads, plots.SizedLoad{Model: s.Model, Arm: s.Arm, Bytes: float64(*l.Bytes), TimeS: l.LoadingTimeS})
			}
		}
	}
	best, err := queries.BestRooflines(ctx, db)
	if err != nil {
		return nil, err
	}
	for _, b := range best {
		d.Rooflines = append(d.Rooflines, plots.Roofline{Name: strings.ReplaceAll(b.Kind, "_", " "), BytesPS: b.BytesPerS})
	}
	return plots.DrawSizeTime(d)
}

func drawTrend(ctx context.Context, db *sql.DB, f queries.Filter) (*plots.Picture, error) {
	list, of, head, err := series(ctx, db, f, "Trend of the loading time")
	if err != nil {
		return nil, err
	}
	d := plots.Trend{Caption: head}
	for i, s := range list {
		d.Series = append(d.Series, plots.TrendSeries{Model: s.Model, Arm: s.Arm, Points: runMedians(of[i])})
	}
	return plots.DrawTrend(d)
}

// runMedians is a point a run.
func runMedians(loads []queries.Load) []plots.TrendPoint {
	times := map[string][]float64{}
	var order []queries.Load
	for _, l := range loads {
		if times[l.RunID] == nil {
			order = append(order, l)
		}
		times[l.RunID] = append(times[l.RunID], l.LoadingTimeS)
	}
	var points []plots.TrendPoint
	for _, first := range order {
		t := slices.Sorted(slices.Values(times[first.RunID]))
		points = append(points, plots.TrendPoint{At: first.StartedAt, TimeS: (t[(len(t)-1)/2] + t[len(t)/2]) / 2})
	}
	return points
}

func drawStages(ctx context.Context, db *sql.DB, f queries.Filter) (*plots.Picture, error) {
	rows, err := queries.Stages(ctx, db, f)
	if err != nil {
		return nil, err
	}
	models, types, loaders := map[string]bool{}, map[string]bool{}, map[string]map[string]bool{}
	for _, r := range rows {
		models[r.Model], types[r.BenchmarkType] = true, true
		add(loaders, r.Format, r.Loader)
	}
	n := namesFor(types, loaders)
	d := plots.Stages{Caption: plots.Caption{Title: "Stages of loading " + about(models), Subtitle: "medians of counted loads"}}
	for _, r := range rows {
		model, arm := n.model(r.Model, r.BenchmarkType), n.arm(r.Format, r.Loader)
		if last := len(d.Rows) - 1; last < 0 || d.Rows[last].Model != model || d.Rows[last].Arm != arm {
			d.Rows = append(d.Rows, plots.StageRow{Model: model, Arm: arm, LoadingTimeS: new(r.LoadingTimeS)})
		}
		row := &d.Rows[len(d.Rows)-1]
		row.Stages = append(row.Stages, plots.Stage{Name: r.Stage, DurationS: r.DurationS})
	}
	return plots.DrawStages(d)
}

func drawTimeline(ctx context.Context, db *sql.DB, f queries.Filter) (*plots.Picture, error) {
	chunks, err := queries.Chunks(ctx, db, f)
	if err != nil {
		return nil, err
	}
	if len(chunks) == 0 {
		return nil, errors.New("no load was traced: collect with --io-trace and the loaders pool, direct or raw")
	}
	first := chunks[0]
	d := plots.Timeline{Model: first.Model, Arm: formatName(first.Format) + " " + first.Loader, LoadingTimeS: first.LoadingTimeS}
	d.Subtitle = fmt.Sprintf("load %d of run %.8s, %s", first.Seq, first.RunID, first.BenchmarkType)
	for _, c := range chunks {
		end := c.StartS + c.DurationS
		chunk := plots.Chunk{Thread: strconv.FormatInt(c.Thread, 10), Bytes: c.Bytes, Phases: []plots.Phase{{Name: "read", StartS: c.StartS, EndS: end}}}
		if c.CopiedS != nil && *c.CopiedS > end {
			chunk.Phases = append(chunk.Phases, plots.Phase{Name: "copy", StartS: end, EndS: *c.CopiedS})
		}
		d.Chunks = append(d.Chunks, chunk)
	}
	return plots.DrawTimeline(d)
}

func drawHeat(ctx context.Context, db *sql.DB, _ queries.Filter) (*plots.Picture, error) {
	trials, err := queries.Trials(ctx, db)
	if err != nil {
		return nil, err
	}
	if len(trials) == 0 {
		return nil, errors.New("no sweep was measured: run sllmq tune first")
	}
	d := plots.Heat{Caption: plots.Caption{Subtitle: "on " + trials[0].Machine}}
	for _, t := range trials {
		// A thread has one request in flight, so that depth says it all.
		d.Cells = append(d.Cells, plots.HeatCell{Threads: 1, Depth: int(t.Depth), IOBytes: t.IOSizeBytes, BytesPS: t.BytesPerS})
	}
	return plots.DrawHeat(d)
}
