package queries

import (
	"cmp"
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sllmq/sllmq/queries/stats"
)

// Contrast asks how loading times differ between the arms of one column.
type Contrast struct {
	Filter
	By         string   // a column of load_facts, or tag:KEY
	Baseline   string   // the arm that others are held against; empty: safetensors, or the one that was measured first
	Arms       []string // only these; empty: all
	Confidence float64
	Seed       uint64 // of the bootstrap
}

// Pair is one arm held against the baseline, where all else that is asked
// about is the same.
type Pair struct {
	Group         []string // what both arms share: machine, model, benchmark type, …
	Baseline, Arm string
	stats.Comparison
	MeanRatio float64 // of means, the reference's measure; over 1, the arm takes longer
	AdjustedP float64 // Comparison.Test.P, corrected by Holm over all pairs
	Outliers  int     // of both arms, by Tukey's fences; none is left out
	Warnings  []string
}

// sharedColumns are what arms have to have in common to be compared.
var sharedColumns = []string{"machine", "model", "benchmark_type", "device", "engine", "format", "loader"}

// watchedColumns are conditions that should be the same in both arms, or the
// comparison is of more than was asked.
var watchedColumns = []string{"format", "loader", "source_tier", "dtype", "page_cache", "pool_locked", "num_thread", "chunk_size_bytes", "io_depth", "io_size_bytes",
	"kernel", "filesystem", "storage_device", "sllmq_version", "machine_id"}

// implied are columns that can't be the same where another one differs.
func implied(by string) []string {
	switch by {
	case "format", "loader":
		return []string{"format", "loader"}
	case "machine", "machine_id":
		return []string{"machine", "machine_id", "kernel", "filesystem", "storage_device"}
	case "model":
		return []string{"model"}
	}
	return []string{by}
}

// noisyShare is the part of loading time that the hypervisor or the control
// group may take before a machine is called noisy.
const noisyShare = 0.02

// contrastLoad is a load as comparisons need it.
type contrastLoad struct {
	run, session string
	arm          string
	group        string
	seconds      float64
	failed       bool
	watched      []string
	taken        float64 // seconds that the hypervisor or the control group took
}

// Ask answers with a pair for each arm but the baseline, in each group.
func (c Contrast) Ask(ctx context.Context, db *sql.DB) ([]Pair, error) {
	loads, err := c.loads(ctx, db)
	if err != nil {
		return nil, err
	}
	if len(loads) == 0 {
		return nil, errors.New("no loads to compare: sllmq summary says what there is")
	}
	baseline := c.Baseline
	if baseline == "" {
		baseline = loads[0].arm
		if c.By == "format" && slices.ContainsFunc(loads, func(l contrastLoad) bool { return l.arm == "safetensors" }) {
			baseline = "safetensors"
		}
	}
	if len(c.Arms) > 0 {
		loads = slices.DeleteFunc(loads, func(l contrastLoad) bool { return !slices.Contains(c.Arms, l.arm) })
	}
	var groups []string
	arms := map[string]map[string][]contrastLoad{}
	for _, l := range loads {
		if arms[l.group] == nil {
			groups = append(groups, l.group)
			arms[l.group] = map[string][]contrastLoad{}
		}
		arms[l.group][l.arm] = append(arms[l.group][l.arm], l)
	}
	slices.Sort(groups)
	var pairs []Pair
	for _, group := range groups {
		before := arms[group][baseline]
		for _, arm := range slices.Sorted(maps.Keys(arms[group])) {
			if arm == baseline || len(before) == 0 {
				continue
			}
			p, err := c.pair(before, arms[group][arm])
			if err != nil {
				return nil, fmt.Errorf("compare %s with %s (%s): %w", arm, baseline, strings.ReplaceAll(group, "\x1f", ", "), err)
			}
			if p != nil {
				p.Group, p.Baseline, p.Arm = strings.Split(group, "\x1f"), baseline, arm
				pairs = append(pairs, *p)
			}
		}
	}
	if len(pairs) == 0 {
		return nil, fmt.Errorf("nothing to hold against %s %q: no group has that arm and another", c.By, baseline)
	}
	ps := make([]float64, len(pairs))
	for i, p := range pairs {
		ps[i] = p.Test.P
	}
	adjusted, err := stats.Holm(ps)
	if err != nil {
		return nil, err
	}
	for i := range pairs {
		pairs[i].AdjustedP = adjusted[i]
	}
	return pairs, nil
}

// pair compares two arms of a group; nil if one has no load that counts.
func (c Contrast) pair(before, after []contrastLoad) (*Pair, error) {
	x, y := sessionsOf(before), sessionsOf(after)
	if len(x) == 0 || len(y) == 0 {
		return nil, nil
	}
	compared, err := stats.Compare(x, y, c.Confidence, c.Seed)
	if err != nil {
		return nil, err
	}
	p := &Pair{Comparison: compared, MeanRatio: mean(slices.Concat(y...)) / mean(slices.Concat(x...))}
	for _, times := range [][]float64{slices.Concat(x...), slices.Concat(y...)} {
		const fences = 1.5
		outliers, err := stats.OutliersTukey(times, fences)
		if err != nil {
			return nil, err
		}
		p.Outliers += len(outliers)
	}
	p.Warnings = c.warnings(before, after)
	return p, nil
}

func mean(xs []float64) float64 {
	sum := 0.0
	for _, x := range xs {
		sum += x
	}
	return sum / float64(len(xs))
}

// sessionsOf are the times of loads that did not fail, by session.
func sessionsOf(loads []contrastLoad) [][]float64 {
	index := map[string]int{}
	var sessions [][]float64
	for _, l := range loads {
		if l.failed {
			continue
		}
		i, ok := index[l.session]
		if !ok {
			i = len(sessions)
			index[l.session] = i
			sessions = append(sessions, nil)
		}
		sessions[i] = append(sessions[i], l.seconds)
	}
	return sessions
}

// warnings are what should be known before the ratio is believed.
func (c Contrast) warnings(before, after []contrastLoad) (list []string) {
	for i, column := range watchedColumns {
		if slices.Contains(implied(c.By), column) {
			continue
		}
		values := func(loads []contrastLoad) string {
			seen := map[string]bool{}
			for _, l := range loads {
				if !l.failed {
					seen[l.watched[i]] = true
				}
			}
			return strings.Join(slices.Sorted(maps.Keys(seen)), ", ")
		}
		a, b := values(before), values(after)
		if column == "pool_locked" && (a == "" || b == "") {
			continue // only one of them has a pool, which its loader says
		}
		if a != b {
			list = append(list, fmt.Sprintf("%s differs: %s against %s", column, cmp.Or(b, "none"), cmp.Or(a, "none")))
		}
	}
	for _, side := range [][]contrastLoad{before, after} {
		failed, total, taken := 0, 0.0, 0.0
		for _, l := range side {
			if l.failed {
				failed++
				continue
			}
			total += l.seconds
			taken += l.taken
		}
		if failed > 0 {
			list = append(list, fmt.Sprintf("%d of %d loads of %s failed", failed, len(side), side[0].arm))
		}
		if total > 0 && taken > noisyShare*total {
			list = append(list, fmt.Sprintf("a noisy machine: others took %.0f %% of the CPU time while %s was loaded", 100*taken/total, side[0].arm))
		}
	}
	return list
}

// loads reads what is to be compared, the first measured first.
func (c Contrast) loads(ctx context.Context, db *sql.DB) ([]contrastLoad, error) {
	statement, err := c.statement(ctx, db)
	if err != nil {
		return nil, err
	}
	return all(ctx, db, "compare by "+c.By, func(rows *sql.Rows, l *contrastLoad) error {
		var watched string
		if err := rows.Scan(&l.run, &l.session, &l.arm, &l.group, &l.seconds, &l.failed, &watched, &l.taken); err != nil {
			return err
		}
		l.watched = strings.Split(watched, "\x1e")
		return nil
	}, statement, c.Filter.arguments()...)
}

// SQL is the statement that lists what is compared, ready to be run in DuckDB
// itself; the statistics are this package's.
func (c Contrast) SQL(ctx context.Context, db *sql.DB) (string, error) {
	statement, err := c.statement(ctx, db)
	return c.paste(statement), err
}

func (c Contrast) statement(ctx context.Context, db *sql.DB) (string, error) {
	arm, err := armExpression(ctx, db, c.By)
	if err != nil {
		return "", err
	}
	shared := slices.DeleteFunc(slices.Clone(sharedColumns), func(column string) bool { return slices.Contains(implied(c.By), column) })
	text := func(columns []string, separator string) string {
		for i, column := range columns {
			columns[i] = "coalesce(" + column + "::VARCHAR, '')"
		}
		return strings.Join(columns, " || "+separator+" || ")
	}
	where := ""
	if c.By != "loader" && !strings.Contains(c.Where, "raw") {
		where = "\n  AND loader <> 'raw'"
	}
	return c.over(fmt.Sprintf(`SELECT run_id::VARCHAR, run_id::VARCHAR || '/' || session, %s AS arm, %s AS shared, coalesce(loading_time_s, 0), error IS NOT NULL OR loading_time_s IS NULL,
  %s AS watched, coalesce(steal_s, 0) + coalesce(throttled_s, 0)
FROM load_facts
WHERE NOT warmup AND (%s) IS NOT NULL
  AND ($models = '' OR list_contains(string_split($models, chr(31)), model))
  AND ($formats = '' OR list_contains(string_split($formats, chr(31)), format))
  AND ($benchmark_types = '' OR list_contains(string_split($benchmark_types, chr(31)), benchmark_type))
  AND ($runs = '' OR list_contains(string_split($runs, chr(31)), run_id::VARCHAR))
  AND ($collects = '' OR list_contains(string_split($collects, chr(31)), collect_id::VARCHAR))
  AND ($tags = '' OR list_has_all(list_transform(map_entries(tags), e -> e.key || '=' || e.value), string_split($tags, chr(31))))
  AND ($since::TIMESTAMPTZ IS NULL OR started_at >= $since::TIMESTAMPTZ)
  AND ($until::TIMESTAMPTZ IS NULL OR started_at < $until::TIMESTAMPTZ)%s
ORDER BY started_at, run_id, seq`, arm, text(shared, "chr(31)"), text(slices.Clone(watchedColumns), "chr(30)"), arm, where)), nil
}

// LoadColumns are the columns of load_facts that people compare by most; any
// other is one that Contrast knows to look for.
func LoadColumns() []string {
	return append([]string{"run_id", "collect_id", "sllmq_version", "kernel", "machine_id", "dtype", "filesystem", "storage_device", "source_tier"}, sharedColumns...)
}

// armExpression is the SQL of the arm's name, for a column that there is.
func armExpression(ctx context.Context, db *sql.DB, by string) (string, error) {
	if key, ok := strings.CutPrefix(by, "tag:"); ok {
		return "tags['" + strings.ReplaceAll(key, "'", "''") + "']", nil
	}
	columns, err := all(ctx, db, "list columns", func(rows *sql.Rows, name *string) error { return rows.Scan(name) },
		"SELECT column_name FROM duckdb_columns() WHERE table_name = 'load_facts' ORDER BY column_index")
	if err != nil {
		return "", err
	}
	if !slices.Contains(columns, by) {
		return "", &NoColumnError{Name: by, Columns: columns}
	}
	return by + "::VARCHAR", nil
}

// NoColumnError is of a column that load_facts has not.
type NoColumnError struct {
	Name    string
	Columns []string
}

func (e *NoColumnError) Error() string {
	return fmt.Sprintf("no column %q to compare by: use one of load_facts, such as format, loader, model, machine or run_id, or tag:KEY", e.Name)
}

//go:embed sql/twins.sql
var twinsSQL string

// NoiseFloor is how much A/A runs of the loads that f chooses differ: see
// stats.NoiseFloor. Without any, Pairs is 0.
func NoiseFloor(ctx context.Context, db *sql.DB, f Filter, confidence float64) (stats.Noise, error) {
	pairs, err := all(ctx, db, "look for A/A runs", func(rows *sql.Rows, p *[2]float64) error { return rows.Scan(&p[0], &p[1]) }, f.over(twinsSQL), f.arguments()...)
	if err != nil || len(pairs) == 0 {
		return stats.Noise{}, err
	}
	return stats.NoiseFloor(pairs, confidence)
}
