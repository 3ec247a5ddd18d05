package queries

import (
	"context"
	"database/sql"
	_ "embed"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/sllmq/sllmq/warehouse/record"
)

//go:embed sql/sessions.sql
var sessionsSQL string

//go:embed sql/conditions.sql
var conditionsSQL string

// armSession is what one session measured of one arm.
type armSession struct {
	RunID    string `db:"run_id"`
	Session  int64  `db:"session"`
	Compared string `db:"arm"` // which of the arms that are compared
	record.Arm
	StartedAt time.Time `db:"began_at"`
	LastAt    time.Time `db:"last_at"`
	Seconds   floats    `db:"seconds"` // of the loads that did not fail
	Failed    int       `db:"failed"`
	TakenS    float64   `db:"taken_s"` // CPU time that others took during these loads
}

// floats is a list of DOUBLE.
type floats []float64

// Scan implements sql.Scanner.
func (f *floats) Scan(value any) error {
	list, ok := value.([]any)
	if !ok {
		return fmt.Errorf("a list of numbers is a %T", value)
	}
	*f = make(floats, len(list))
	for i, v := range list {
		if (*f)[i], ok = v.(float64); !ok {
			return fmt.Errorf("a number is a %T", v)
		}
	}
	return nil
}

// conditions are what both arms of a comparison should have in common, or it
// compares more than was asked for. What is not known is empty.
type conditions struct {
	record.Arm
	ModelRevision  string `db:"model_revision"`
	SourceTier     string `db:"source_tier"`
	DirectIO       string `db:"direct_io"`
	DType          string `db:"dtype"`
	PageCache      string `db:"page_cache"`
	MemPoolBytes   string `db:"mem_pool_size_bytes"`
	PoolLocked     string `db:"pool_locked"`
	NumThread      string `db:"num_thread"`
	ChunkSizeBytes string `db:"chunk_size_bytes"`
	IODepth        string `db:"io_depth"`
	IOSizeBytes    string `db:"io_size_bytes"`
	Kernel         string `db:"kernel"`
	GPUDriver      string `db:"gpu_driver"`
	GPUModel       string `db:"gpu_model"`
	Filesystem     string `db:"filesystem"`
	StorageDevice  string `db:"storage_device"`
	HugePages      string `db:"huge_pages"`
	CPUGovernor    string `db:"cpu_governor"`
	SllmqVersion   string `db:"sllmq_version"`
	MachineID      string `db:"machine_id"` // a digest of facts some of which stand above, so it is the last
}

// watched are the columns of conditions.
var watched = record.Columns(reflect.TypeFor[conditions]())

// measuredUnder is how many loads of an arm that did not fail were measured
// under some conditions.
type measuredUnder struct {
	Compared string `db:"arm"`
	conditions
	Loads int `db:"loads"`
}

// SQL lists the sessions that c compares. It runs in DuckDB as it is; the
// statistics are this package's.
func (c Contrast) SQL(ctx context.Context, db *sql.DB) (_ string, err error) {
	if c.By, err = c.resolve(ctx, db); err != nil {
		return "", err
	}
	statement, err := c.statement(sessionsSQL, &values{paste: true})
	return pasted(statement), err
}

// statement returns a statement over the loads that c compares, which have the
// column arm. By is resolved.
func (c Contrast) statement(statement string, v *values) (string, error) {
	arm, err := c.armExpression(v)
	if err != nil {
		return "", err
	}
	conditions := c.conditions(v)
	if c.By != "loader" && !strings.Contains(c.Where, "raw") {
		conditions = append(conditions, "loader <> 'raw'") // the storage's own speed: nobody serves with it
	}
	return over(statement, []string{arm + " AS arm"}, conditions), nil
}

// compared returns the rows of a statement over the loads that c compares.
func compared[T any](ctx context.Context, db *sql.DB, c Contrast, statement string) ([]T, error) {
	var v values
	statement, err := c.statement(statement, &v)
	if err != nil {
		return nil, err
	}
	return all[T](ctx, db, "compare by "+c.By, statement, v.arguments...)
}

// side is what was measured of one arm of a comparison, within a group.
type side struct {
	arm      string
	sessions []armSession
	under    []measuredUnder
}

// times are the loading times of the loads that did not fail, by session.
func (s side) times() [][]float64 { return times(s.sessions) }

func times(sessions []armSession) (list [][]float64) {
	for _, s := range sessions {
		if len(s.Seconds) > 0 {
			list = append(list, s.Seconds)
		}
	}
	return list
}

// groups sorts what was measured by what arms have in common and by arm.
func (c Contrast) groups(sessions []armSession, under []measuredUnder) map[Key]map[string]*side {
	groups := map[Key]map[string]*side{}
	at := func(arm string, a record.Arm) *side {
		if len(c.Arms) > 0 && !slices.Contains(c.Arms, arm) {
			return &side{}
		}
		k := c.key(a)
		if groups[k] == nil {
			groups[k] = map[string]*side{}
		}
		if groups[k][arm] == nil {
			groups[k][arm] = &side{arm: arm}
		}
		return groups[k][arm]
	}
	for _, s := range sessions {
		to := at(s.Compared, s.Arm)
		to.sessions = append(to.sessions, s)
	}
	for _, u := range under {
		to := at(u.Compared, u.Arm)
		to.under = append(to.under, u)
	}
	return groups
}
