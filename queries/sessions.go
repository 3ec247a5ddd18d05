package queries

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"
)

// armSession is what one session measured of one arm.
type armSession struct {
	arm, group string
	startedAt  time.Time
	lastAt     time.Time // beginning of its last load
	seconds    []float64 // of the loads that did not fail
	failed     int
	takenS     float64 // that the hypervisor or the control group took during them
	conditions []portion
}

// portion is how many loads were made under which conditions: a value for
// each of watchedColumns.
type portion struct {
	values []string
	loads  int
}

// perLoad are the conditions that may change from load to load.
var perLoad = []string{"source_tier", "direct_io"}

// sessionsSQL groups before it names: names of groups and conditions are put
// together once a session, and not once a load.
const sessionsSQL = `WITH chosen AS (
    SELECT *, %s AS arm, error IS NULL AND loading_time_s IS NOT NULL AS counted
    FROM load_facts
    WHERE NOT warmup
      AND (%s)
), measured AS (
    SELECT run_id, session, arm, %s,
           list(loading_time_s ORDER BY seq) FILTER (counted) AS seconds, count(*) FILTER (NOT counted) AS failed, min(started_at) AS began_at, max(started_at) AS last_at,
           sum(coalesce(steal_s, 0) + coalesce(throttled_s, 0)) FILTER (counted) AS taken_s,
           %s
    FROM chosen
    WHERE arm IS NOT NULL
    GROUP BY run_id, session, arm, %s
)
SELECT run_id::VARCHAR, session, arm, %s AS shared, %s AS watched, began_at, last_at, coalesce(seconds, []), failed, coalesce(taken_s, 0)
FROM measured
ORDER BY run_id, session, arm`

// SQL lists what is compared, ready to be run in DuckDB itself; the statistics
// are this package's.
func (c Contrast) SQL(ctx context.Context, db *sql.DB) (_ string, err error) {
	if c.By, err = c.resolve(ctx, db); err != nil {
		return "", err
	}
	statement, err := c.statement()
	if err != nil {
		return "", err
	}
	return c.paste(statement), nil
}

// statement lists what is compared. By is resolved.
func (c Contrast) statement() (string, error) {
	arm, err := c.armExpression()
	if err != nil {
		return "", err
	}
	extra := "true"
	if c.By != "loader" && !strings.Contains(c.Where, "raw") {
		extra = "loader <> 'raw'" // the storage's roofline, and no loader that anyone serves with
	}
	var constant []string // within a session
	for _, column := range append(slices.Clone(sharedColumns), watchedColumns...) {
		if !slices.Contains(perLoad, column) {
			constant = append(constant, fmt.Sprintf("any_value(%s) AS %[1]s", column))
		}
	}
	slices.Sort(constant)
	text := func(columns []string, separator string) string {
		var parts []string
		for _, column := range columns {
			parts = append(parts, "coalesce("+column+"::VARCHAR, '')")
		}
		if len(parts) == 0 {
			return "''"
		}
		return strings.Join(parts, " || "+separator+" || ")
	}
	varying := strings.Join(perLoad, ", ")
	return fmt.Sprintf(sessionsSQL, arm, extra, varying, strings.Join(slices.Compact(constant), ", "), varying,
		text(c.shared(), "chr(31)"), text(watchedColumns, "chr(30)")), nil
}

// sessions reads what is to be compared.
func (c Contrast) sessions(ctx context.Context, db *sql.DB) ([]armSession, error) {
	statement, err := c.statement()
	if err != nil {
		return nil, err
	}
	names, conditions := map[string]string{}, map[string][]string{}
	var sessions []armSession
	var last struct {
		run, arm string
		session  int64
	}
	_, err = all(ctx, db, "compare by "+c.By, func(rows *sql.Rows, _ *struct{}) error {
		var s armSession
		var run, watched string
		var session int64
		var seconds []any
		if err := rows.Scan(&run, &session, &s.arm, &s.group, &watched, &s.startedAt, &s.lastAt, &seconds, &s.failed, &s.takenS); err != nil {
			return err
		}
		for _, v := range seconds {
			second, ok := v.(float64)
			if !ok {
				return fmt.Errorf("a loading time is a %T", v)
			}
			s.seconds = append(s.seconds, second)
		}
		s.arm, s.group = one(names, s.arm), one(names, s.group)
		if conditions[watched] == nil {
			conditions[watched] = strings.Split(watched, "\x1e")
		}
		s.conditions = []portion{{conditions[watched], len(s.seconds)}}
		if n := len(sessions); n > 0 && last.run == run && last.session == session && last.arm == s.arm {
			sessions[n-1].join(s)
			return nil
		}
		last.run, last.session, last.arm = run, session, s.arm
		sessions = append(sessions, s)
		return nil
	}, c.over(statement))
	return sessions, err
}

// one keeps a single copy of equal names.
func one(names map[string]string, name string) string {
	if kept, ok := names[name]; ok {
		return kept
	}
	names[name] = name
	return name
}

// join adds the loads of the same session under other conditions.
func (s *armSession) join(o armSession) {
	s.seconds = append(s.seconds, o.seconds...)
	s.failed += o.failed
	s.takenS += o.takenS
	s.conditions = append(s.conditions, o.conditions...)
	if o.startedAt.Before(s.startedAt) {
		s.startedAt = o.startedAt
	}
	if o.lastAt.After(s.lastAt) {
		s.lastAt = o.lastAt
	}
}
