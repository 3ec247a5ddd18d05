package queries

import (
	"context"
	"database/sql"
	_ "embed"
	"fmt"
	"time"

	"github.com/sllmq/sllmq/queries/stats"
	"github.com/sllmq/sllmq/warehouse/record"
)

//go:embed sql/loads.sql
var loadsSQL string

// Load is one counted load.
type Load struct {
	RunID     string    `db:"run_id"`
	Session   int64     `db:"session"`
	Seq       int64     `db:"seq"`
	StartedAt time.Time `db:"started_at"`
	record.Arm
	Bytes        *int64   `db:"bytes"`
	LoadingTimeS float64  `db:"loading_time_s"`
	Efficiency   *float64 `db:"efficiency"` // nil: no roofline was known
	SourceTier   *string  `db:"source_tier"`
}

// mostLoads is how many loads fit comfortably into memory.
const mostLoads = 1_000_000

// Loads answers sql/loads.sql for the loads that f chooses.
func Loads(ctx context.Context, db *sql.DB, f Filter) ([]Load, error) {
	statement, arguments := f.narrow(loadsSQL)
	var list []Load
	for l, err := range each[Load](ctx, db, "list loads", statement, arguments...) {
		if err != nil {
			return nil, err
		}
		if len(list) == mostLoads {
			return nil, fmt.Errorf("list loads: there are more than %d: choose fewer by model, time or SQL", mostLoads)
		}
		list = append(list, l)
	}
	return list, nil
}

//go:embed sql/stages.sql
var stagesSQL string

// Stage is one stage of an arm's counted loads. Its times are medians.
type Stage struct {
	record.Arm
	Stage        string  `db:"stage"`
	StartS       float64 `db:"start_s"` // since the load began
	EndS         float64 `db:"end_s"`
	DurationS    float64 `db:"duration_s"`
	LoadingTimeS float64 `db:"loading_time_s"` // of all the arm's loads
}

// Stages answers sql/stages.sql for the loads that f chooses, in the order in
// which stages begin.
func Stages(ctx context.Context, db *sql.DB, f Filter) ([]Stage, error) {
	return narrowed[Stage](ctx, db, "list stages", stagesSQL, f)
}

//go:embed sql/chunks.sql
var chunksSQL string

// Chunk is one request of a traced load. Its times are seconds since the load
// began, except DurationS.
type Chunk struct {
	record.Arm
	RunID        string   `db:"run_id"`
	Seq          int64    `db:"seq"`
	LoadingTimeS float64  `db:"loading_time_s"`
	Thread       int64    `db:"thread"`
	File         string   `db:"file"`
	OffsetBytes  int64    `db:"offset_bytes"`
	Bytes        int64    `db:"bytes"`
	QueuedS      *float64 `db:"queued_s"`
	StartS       float64  `db:"start_s"`
	DurationS    float64  `db:"duration_s"` // of the read
	CopiedS      *float64 `db:"copied_s"`
}

// Chunks answers sql/chunks.sql: the requests of the last traced load that f
// chooses.
func Chunks(ctx context.Context, db *sql.DB, f Filter) ([]Chunk, error) {
	return narrowed[Chunk](ctx, db, "list requests", chunksSQL, f)
}

//go:embed sql/samples.sql
var samplesSQL string

// Sample is one telemetry value during a load.
type Sample struct {
	Source string  `db:"source"`
	Metric string  `db:"metric"`
	AtS    float64 `db:"at_s"`  // since the load began
	Value  float64 `db:"value"` // in the unit that ends the metric's name
}

// Samples answers sql/samples.sql for the load whose requests Chunks returns.
func Samples(ctx context.Context, db *sql.DB, f Filter) ([]Sample, error) {
	return narrowed[Sample](ctx, db, "list samples", samplesSQL, f)
}

//go:embed sql/trials.sql
var trialsSQL string

// Trial is one setting for reading a machine's storage.
type Trial struct {
	Machine     string  `db:"machine"`
	Threads     int64   `db:"threads"`
	Depth       int64   `db:"depth"`
	IOSizeBytes int64   `db:"io_size_bytes"`
	Trials      int64   `db:"trials"`
	BytesPerS   float64 `db:"bytes_per_s"`        // median over the trials
	Each        floats  `db:"trials_bytes_per_s"` // the trials, in order
}

// Trials answers sql/trials.sql for the machine that was measured last.
func Trials(ctx context.Context, db *sql.DB) ([]Trial, error) {
	return all[Trial](ctx, db, "list trials", trialsSQL)
}

//go:embed sql/estimates.sql
var estimatesSQL string

// Estimate is the mean and median loading time of an arm.
type Estimate struct {
	record.Arm
	Loads    int64   `db:"loads"` // counted
	Sessions int64   `db:"sessions"`
	MeanS    float64 `db:"mean_s"`
	MedianS  float64 `db:"median_s"`
	UnitsS   floats  `db:"units_s"` // medians of the sessions; of a single one, its loads
}

// Estimates answers sql/estimates.sql for the loads that f chooses.
func Estimates(ctx context.Context, db *sql.DB, f Filter) ([]Estimate, error) {
	return narrowed[Estimate](ctx, db, "estimate loading times", estimatesSQL, f)
}

// Interval is the confidence interval of the median, as comparisons have it: of
// several sessions it is over their medians, of a single one over its loads. It is
// unknown if there are fewer than stats.MedianNeed of them.
func (e Estimate) Interval(confidence float64) (stats.Interval, error) {
	s, err := stats.Summarize(e.UnitsS, confidence)
	return s.Interval, err
}

//go:embed sql/techniques.sql
var techniquesSQL string

// Technique is how models were loaded, whatever the model and the conditions.
type Technique struct {
	Format string `db:"format"`
	Engine string `db:"engine"`
	Loader string `db:"loader"`
}

// Techniques answers sql/techniques.sql for the whole warehouse, in the order in
// which they were first measured.
func Techniques(ctx context.Context, db *sql.DB) ([]Technique, error) {
	return all[Technique](ctx, db, "list techniques", techniquesSQL)
}

//go:embed sql/best_rooflines.sql
var bestRooflinesSQL string

// BestRoofline is the highest bandwidth of one kind on one machine.
type BestRoofline struct {
	Machine   string  `db:"machine"`
	Kind      string  `db:"kind"` // storage_read, memory_copy, host_to_device
	BytesPerS float64 `db:"bytes_per_s"`
}

// BestRooflines answers sql/best_rooflines.sql for the loads that f chooses.
func BestRooflines(ctx context.Context, db *sql.DB, f Filter) ([]BestRoofline, error) {
	return narrowed[BestRoofline](ctx, db, "list rooflines", bestRooflinesSQL, f)
}
