package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sllmq/sllmq/internal/atomicfile"
	"github.com/sllmq/sllmq/plots"
	"github.com/sllmq/sllmq/plots/gallery"
	"github.com/sllmq/sllmq/queries"
)

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
	for _, p := range gallery.Kinds() {
		fmt.Fprintf(&about, "\n  %-11s %s", p.Name, p.About)
		kinds = append(kinds, p.Name)
	}
	size := plots.DefaultOptions()
	c := &cobra.Command{
		Use:       "plot KIND",
		Short:     "Draw measurements as PNG, SVG or PDF, or write their data as CSV",
		Long:      "Draw measurements. The kinds of plots are:\n" + about.String(),
		Example:   "  sllmq plot bars -o bars.png\n  sllmq plot box --benchmark-type random -o box.pdf\n  sllmq plot ecdf --format csv",
		ValidArgs: kinds,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 || !slices.Contains(kinds, args[0]) {
				return &usageError{fmt.Errorf("name one kind of plot: %s", strings.Join(kinds, ", "))}
			}
			i := slices.Index(kinds, args[0])
			return o.run(cmd.Context(), env, gallery.Kinds()[i])
		},
	}
	o.add(c.Flags())
	c.Flags().StringVarP(&o.output, "output", "o", "", "file to write; the extension chooses the format: .png, .svg, .pdf or .csv")
	c.Flags().StringVar(&o.format, "format", "", "write to standard output in this format: "+strings.Join(plots.Formats(), ", "))
	c.Flags().Float64Var(&o.width, "width", size.WidthIn, "width in inches")
	c.Flags().IntVar(&o.dpi, "dpi", size.DPI, "resolution of a PNG in dots per inch")
	return c
}

func (o plotOptions) run(ctx context.Context, env *environment, k gallery.Kind) error {
	if (o.output == "") == (o.format == "") {
		return &usageError{errors.New("use either -o FILE.png (.svg, .pdf, .csv), or --format to write to standard output")}
	}
	format := o.format
	if format == "" {
		format = strings.ToLower(strings.TrimPrefix(filepath.Ext(o.output), "."))
	}
	options := plots.Options{WidthIn: o.width, DPI: o.dpi}
	if err := options.Check(format); err != nil {
		return &usageError{err}
	}
	filter, err := o.parse()
	if err != nil {
		return err
	}
	drawn, err := drawFrom(ctx, env, k, filter)
	if err != nil {
		return err
	}
	if o.output == "" {
		return plots.Encode(env.stdout, drawn, format, options)
	}
	return atomicfile.Write(o.output, func(w io.Writer) error { return plots.Encode(w, drawn, format, options) })
}

// drawFrom draws from the warehouse, and closes it.
func drawFrom(ctx context.Context, env *environment, k gallery.Kind, f queries.Filter) (*plots.Picture, error) {
	db, err := env.open(ctx)
	if err != nil {
		return nil, err
	}
	drawn, err := k.Draw(ctx, db.SQL(), f)
	if err = errors.Join(err, db.Close()); err != nil {
		return nil, err
	}
	return drawn, nil
}
