package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sllmq/sllmq/queries"
)

func newRunsCommand(env *environment) *cobra.Command {
	var format string
	list := &cobra.Command{
		Use:     "runs",
		Short:   "List the runs, or show one",
		Example: "  sllmq runs\n  sllmq runs show 019a2b3c",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return listRuns(cmd.Context(), env, format)
		},
	}
	addFormatFlag(list, &format)
	var showFormat string
	show := &cobra.Command{
		Use:     "show RUN",
		Short:   "Show all that is known of a run, and its loads",
		Example: "  sllmq runs show 019a2b3c",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return &usageError{errors.New("name one run, by its id or the beginning of it")}
			}
			return showRun(cmd.Context(), env, showFormat, args[0])
		},
	}
	addFormatFlag(show, &showFormat)
	list.AddCommand(show)
	return list
}

func listRuns(ctx context.Context, env *environment, format string) error {
	if err := checkFormat(format); err != nil {
		return err
	}
	db, err := env.open(ctx)
	if err != nil {
		return err
	}
	return errors.Join(printQuery(ctx, env, db, format, queries.RunsSQL), db.Close())
}

// showRun prints, for people, the facts of the run one below the other and
// then its loads; in the other formats the loads alone, with everything in
// their rows.
func showRun(ctx context.Context, env *environment, format, prefix string) (err error) {
	if err := checkFormat(format); err != nil {
		return err
	}
	db, err := env.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	id, err := queries.FindRun(ctx, db.SQL(), prefix)
	if err != nil {
		return err
	}
	if format != "table" {
		return printQuery(ctx, env, db, format, "SELECT * FROM load_facts WHERE run_id = ?::UUID ORDER BY seq", id)
	}
	for _, part := range []struct{ name, statement string }{
		{"run", "SELECT * EXCLUDE (machine_id, pid, boot_id) FROM runs WHERE run_id = ?::UUID"},
		{"machine", "SELECT m.* FROM machines m JOIN runs r USING (machine_id) WHERE r.run_id = ?::UUID"},
	} {
		if err := printFacts(ctx, env, db.SQL(), part.name, part.statement, id); err != nil {
			return err
		}
	}
	const loads = `SELECT session, seq, replica, warmup, round(loading_time_s, 4) AS loading_s, round(bytes_per_s / 1e9, 2) AS gb_per_s,
		source_tier AS tier, verified, error FROM load_facts WHERE run_id = ?::UUID ORDER BY seq`
	return printQuery(ctx, env, db, "table", loads, id)
}

// printFacts prints the columns of one row that have a value, a line each.
func printFacts(ctx context.Context, env *environment, db *sql.DB, name, statement, id string) error {
	const facts = `SELECT name, value FROM (UNPIVOT (SELECT COLUMNS(*)::VARCHAR FROM (%s)) ON COLUMNS(*) INTO NAME name VALUE value)`
	rows, err := db.QueryContext(ctx, fmt.Sprintf(facts, statement), id)
	if err != nil {
		return fmt.Errorf("show the %s: %w", name, err)
	}
	defer rows.Close()
	fmt.Fprintln(env.stdout, name)
	for rows.Next() {
		var key, value string
		if err := rows.Scan(&key, &value); err != nil {
			return fmt.Errorf("show the %s: %w", name, err)
		}
		fmt.Fprintf(plain{env.stdout}, "  %-20s %s\n", key, value)
	}
	fmt.Fprintln(env.stdout)
	return rows.Err()
}
