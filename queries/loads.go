package queries

import (
	"context"
	"database/sql"
	_ "embed"
	"fmt"
	"time"
)

//go:embed sql/loads.sql
var loadsSQL string

// Load is one counted load.
type Load struct {
	RunID                                                         string
	Session, Seq                                                  int64
	StartedAt                                                     time.Time
	Machine, Model, Format, Loader, Device, Engine, BenchmarkType string
	Bytes                                                         *int64
	LoadingTimeS                                                  float64
	Efficiency                                                    *float64 // nil: there was no roofline
	SourceTier                                                    *string
}

// mostLoads is as many as fit comfortably into memory.
const mostLoads = 1_000_000

// Loads answers sql/loads.sql for the loads that f chooses.
func Loads(ctx context.Context, db *sql.DB, f Filter) ([]Load, error) {
	n := 0
	return all(ctx, db, "list loads", func(rows *sql.Rows, l *Load) error {
		if n++; n > mostLoads {
			return fmt.Errorf("more than %d are too many to be looked at one by one: choose fewer, by --model, --since or --where", mostLoads)
		}
		return rows.Scan(&l.RunID, &l.Session, &l.Seq, &l.StartedAt, &l.Machine, &l.Model, &l.Format, &l.Loader, &l.Device, &l.Engine, &l.BenchmarkType,
			&l.Bytes, &l.LoadingTimeS, &l.Efficiency, &l.SourceTier)
	}, f.over(loadsSQL))
}

//go:embed sql/stages.sql
var stagesSQL string

// Stage is a stage of an arm's counted loads, at the median.
type Stage struct {
	Machine, Model, BenchmarkType, Format, Loader, Device, Engine, Stage string
	StartS, DurationS                                                    float64
	BusyS                                                                *float64
	LoadingTimeS                                                         float64 // of the arm, at the median
}

// Stages answers sql/stages.sql for the loads that f chooses, in the order in
// which stages begin.
func Stages(ctx context.Context, db *sql.DB, f Filter) ([]Stage, error) {
	return all(ctx, db, "list stages", func(rows *sql.Rows, s *Stage) error {
		return rows.Scan(&s.Machine, &s.Model, &s.BenchmarkType, &s.Format, &s.Loader, &s.Device, &s.Engine, &s.Stage, &s.StartS, &s.DurationS, &s.BusyS, &s.LoadingTimeS)
	}, f.over(stagesSQL))
}

//go:embed sql/chunks.sql
var chunksSQL string

// Chunk is one request of a load that was traced.
type Chunk struct {
	Thread, Bytes         int64
	QueuedS               *float64
	StartS, DurationS     float64
	CopiedS               *float64
	Model, Format, Loader string
	BenchmarkType         string
	LoadingTimeS          float64
	RunID                 string
	Seq                   int64
	File                  string
	OffsetBytes           int64
}

// Chunks answers sql/chunks.sql: the requests of one traced load, the last of
// those that f chooses.
func Chunks(ctx context.Context, db *sql.DB, f Filter) ([]Chunk, error) {
	return all(ctx, db, "list requests", func(rows *sql.Rows, c *Chunk) error {
		return rows.Scan(&c.Thread, &c.Bytes, &c.QueuedS, &c.StartS, &c.DurationS, &c.CopiedS, &c.Model, &c.Format, &c.Loader, &c.BenchmarkType, &c.LoadingTimeS, &c.RunID, &c.Seq, &c.File, &c.OffsetBytes)
	}, f.over(chunksSQL))
}

//go:embed sql/samples.sql
var samplesSQL string

// Sample is what was seen of the machine during a load.
type Sample struct {
	Source, Metric string
	AtS            float64 // since the load began
	Value          float64 // in the unit that the metric's name ends in
}

// Samples answers sql/samples.sql: of the load of which Chunks gives the
// requests.
func Samples(ctx context.Context, db *sql.DB, f Filter) ([]Sample, error) {
	return all(ctx, db, "list samples", func(rows *sql.Rows, s *Sample) error {
		return rows.Scan(&s.Source, &s.Metric, &s.AtS, &s.Value)
	}, f.over(samplesSQL))
}

//go:embed sql/trials.sql
var trialsSQL string

// Trial is a setting of reading the storage on a machine, at the median of its
// trials.
type Trial struct {
	Machine                     string
	Threads, Depth, IOSizeBytes int64
	Trials                      int64
	BytesPerS                   float64
}

// Trials answers sql/trials.sql for the machine that was measured last.
func Trials(ctx context.Context, db *sql.DB) ([]Trial, error) {
	return all(ctx, db, "list trials", func(rows *sql.Rows, t *Trial) error {
		return rows.Scan(&t.Machine, &t.Threads, &t.Depth, &t.IOSizeBytes, &t.Trials, &t.BytesPerS)
	}, trialsSQL)
}

// all asks and reads every row.
func all[T any](ctx context.Context, db *sql.DB, what string, scan func(*sql.Rows, *T) error, statement string, arguments ...any) ([]T, error) {
	rows, err := db.QueryContext(ctx, statement, arguments...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	defer rows.Close()
	var list []T
	for rows.Next() {
		var row T
		if err := scan(rows, &row); err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		list = append(list, row)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return list, nil
}

//go:embed sql/best_rooflines.sql
var bestRooflinesSQL string

// BestRoofline is the highest bandwidth of a kind.
type BestRoofline struct {
	Kind      string
	BytesPerS float64
}

// BestRooflines answers sql/best_rooflines.sql for the loads that f chooses.
func BestRooflines(ctx context.Context, db *sql.DB, f Filter) ([]BestRoofline, error) {
	return all(ctx, db, "list rooflines", func(rows *sql.Rows, b *BestRoofline) error { return rows.Scan(&b.Kind, &b.BytesPerS) }, f.over(bestRooflinesSQL))
}
