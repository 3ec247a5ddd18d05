// Simulate writes a warehouse of made-up measurements of any size, to try queries,
// plots, comparisons and gates on: many machines, models and loaders, night after
// night, with the traits of real ones (sessions whose loads share their luck, slow
// drifts of machines, level changes with kernel, driver and version, A/A runs, branches,
// second modes, outliers, failures). The same seed gives the same rows.
//
//	go run ./scripts/simulate -loads 20000 -warehouse sim.duckdb
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"time"

	"github.com/sllmq/sllmq/warehouse"
)

//go:embed plan.sql
var planSQL string

//go:embed rows.sql
var rowsSQL string

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	path := flag.String("warehouse", "", "`file` to create; an existing one is not touched")
	loads := flag.Int64("loads", 20_000, "number of loads, including warm-ups and failures")
	seed := flag.Uint64("seed", 1, "seed of the random draws")
	lastNight := flag.String("last-night", "2026-06-30", "`day` of the last measurements")
	memory := flag.String("memory", "4GB", "memory limit of DuckDB")
	flag.Parse()
	if err := simulate(ctx, *path, *loads, *seed, *lastNight, *memory); err != nil {
		fmt.Fprintln(os.Stderr, "simulate:", err)
		os.Exit(1)
	}
}

func simulate(ctx context.Context, path string, loads int64, seed uint64, lastNight, memory string) (err error) {
	if path == "" || loads < 1000 {
		return errors.New("name a file with -warehouse, and at least 1000 -loads")
	}
	if _, err := time.Parse(time.DateOnly, lastNight); err != nil {
		return fmt.Errorf("-last-night %q is not a day such as 2026-06-30", lastNight)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s exists already: name another file", path)
	}
	db, err := warehouse.At(path, warehouse.Options{}).Open(ctx, warehouse.Access{Write: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	// Variables and temporary tables belong to a connection.
	conn, err := db.SQL().Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	settings := fmt.Sprintf("SET memory_limit = '%s'; SET VARIABLE seed = %d; SET VARIABLE loads = %d; SET VARIABLE last_night = '%s';", memory, seed, loads, lastNight)
	for _, text := range []string{settings, planSQL, rowsSQL} {
		if _, err := conn.ExecContext(ctx, text); err != nil {
			return fmt.Errorf("make rows: %w", err)
		}
	}
	return nil
}
