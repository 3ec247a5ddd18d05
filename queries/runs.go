package queries

import (
	"context"
	"database/sql"
	_ "embed"
	"fmt"
)

// Statements whose rows callers pass on as they are. Those about one run have
// the parameter $run, its id.
var (
	// RunsSQL lists the runs, the newest first.
	//
	//go:embed sql/runs.sql
	RunsSQL string

	// RunLoadsSQL lists a run's loads for people.
	//
	//go:embed sql/run_loads.sql
	RunLoadsSQL string

	// RunLoadFactsSQL lists all that is known of a run's loads.
	//
	//go:embed sql/run_load_facts.sql
	RunLoadFactsSQL string
)

//go:embed sql/find_run.sql
var findRunSQL string

//go:embed sql/run_facts.sql
var runFactsSQL string

//go:embed sql/machine_facts.sql
var machineFactsSQL string

// FindRun returns the id of the only run whose id begins with prefix.
func FindRun(ctx context.Context, db *sql.DB, prefix string) (string, error) {
	type found struct {
		ID   string `db:"run_id"`
		Runs int    `db:"runs"`
	}
	runs, err := all[found](ctx, db, "find run "+prefix, findRunSQL, sql.Named("prefix", prefix))
	switch {
	case err != nil:
		return "", err
	case runs[0].Runs == 0:
		return "", fmt.Errorf("no run begins with %q: sllmq runs lists them", prefix)
	case runs[0].Runs > 1:
		return "", fmt.Errorf("%d runs begin with %q: write more of the id", runs[0].Runs, prefix)
	}
	return runs[0].ID, nil
}

// Fact is a column of a row that has a value there.
type Fact struct {
	Name  string `db:"name"`
	Value string `db:"value"`
}

// RunFacts returns the facts of a run.
func RunFacts(ctx context.Context, db *sql.DB, run string) ([]Fact, error) {
	return all[Fact](ctx, db, "show the run", runFactsSQL, sql.Named("run", run))
}

// MachineFacts returns the facts of the machine that measured a run.
func MachineFacts(ctx context.Context, db *sql.DB, run string) ([]Fact, error) {
	return all[Fact](ctx, db, "show the machine", machineFactsSQL, sql.Named("run", run))
}
