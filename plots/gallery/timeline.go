package gallery

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/sllmq/sllmq/plots"
	"github.com/sllmq/sllmq/queries"
)

// drawTimeline draws the last traced load: its requests, how many reads were in
// flight at once, and what was sampled meanwhile.
func drawTimeline(ctx context.Context, db *sql.DB, f queries.Filter, _ plots.Looks) (*plots.Picture, error) {
	chunks, err := queries.Chunks(ctx, db, f)
	if err != nil {
		return nil, err
	}
	if len(chunks) == 0 {
		return nil, errors.New("no load was traced: collect with --io-trace and one of the loaders pool, direct and raw")
	}
	samples, err := queries.Samples(ctx, db, f)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(chunks, func(a, b queries.Chunk) int { return cmp.Compare(a.Thread, b.Thread) })
	first := chunks[0]
	d := plots.Timeline{Subtitle: fmt.Sprintf("load %d of run %.8s, %s", first.Seq, first.RunID, first.BenchmarkType), Arm: first.Arm, LoadingTimeS: first.LoadingTimeS}
	// A waiting request belongs to no thread. It is drawn with the thread that takes
	// it in the end, from when that thread has nothing else to do.
	free := map[int64]float64{}
	for _, c := range chunks {
		end := c.StartS + c.DurationS
		chunk := plots.Chunk{Thread: strconv.FormatInt(c.Thread, 10), Bytes: c.Bytes}
		if c.QueuedS != nil {
			if queued := max(*c.QueuedS, free[c.Thread]); queued < c.StartS {
				chunk.Phases = append(chunk.Phases, plots.Phase{Name: "queued", StartS: queued, EndS: c.StartS})
			}
		}
		chunk.Phases = append(chunk.Phases, plots.Phase{Name: "read", StartS: c.StartS, EndS: end})
		if c.CopiedS != nil && *c.CopiedS > end {
			chunk.Phases = append(chunk.Phases, plots.Phase{Name: "copy", StartS: end, EndS: *c.CopiedS})
		}
		free[c.Thread] = chunk.Phases[len(chunk.Phases)-1].EndS
		d.Chunks = append(d.Chunks, chunk)
	}
	if s := inFlight(chunks); slices.Max(s.Values) > 0 {
		d.Samples = append(d.Samples, s)
	}
	d.Samples = append(d.Samples, sampled(samples)...)
	return plots.DrawTimeline(d)
}

// inFlight counts the reads in flight at each moment.
func inFlight(chunks []queries.Chunk) plots.Samples {
	type step struct {
		at float64
		by int
	}
	var steps []step
	for _, c := range chunks {
		steps = append(steps, step{c.StartS, 1}, step{c.StartS + c.DurationS, -1})
	}
	slices.SortFunc(steps, func(a, b step) int { return cmp.Or(cmp.Compare(a.at, b.at), a.by-b.by) })
	s := plots.Samples{Name: "Reads in flight", Steps: true, TimesS: []float64{0}, Values: []float64{0}}
	n := 0
	for i, step := range steps {
		n += step.by
		if i+1 < len(steps) && steps[i+1].at == step.at {
			continue
		}
		s.TimesS, s.Values = append(s.TimesS, step.at), append(s.Values, float64(n))
	}
	return s
}

// sampled are the metrics that get a panel, in readable units, by source. A metric
// with a single sample has no line to draw.
func sampled(all []queries.Sample) []plots.Samples {
	var list []plots.Samples
	for _, m := range []struct {
		metric, name, unit string
		scale              float64
	}{
		{"read_bytes_per_s", "Storage reads", "GB/s", 1e-9},
		{"busy_cores", "CPUs busy", "", 1},
		{"resident_bytes", "Worker's memory", "GB", 1e-9},
		{"memory_used_bytes", "Device memory", "GB", 1e-9},
	} {
		bySource := map[string]*plots.Samples{}
		var sources []string
		for _, s := range all {
			if s.Metric != m.metric {
				continue
			}
			if bySource[s.Source] == nil {
				sources = append(sources, s.Source)
				bySource[s.Source] = &plots.Samples{Name: m.name, Unit: m.unit}
			}
			line := bySource[s.Source]
			line.TimesS, line.Values = append(line.TimesS, s.AtS), append(line.Values, max(0, s.Value*m.scale))
		}
		for _, source := range sources {
			s := bySource[source]
			if len(s.TimesS) < 2 {
				continue
			}
			if len(sources) > 1 {
				s.Name += ", " + source
			}
			list = append(list, *s)
		}
	}
	return list
}
