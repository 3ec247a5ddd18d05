package warehouse_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sllmq/sllmq/warehouse"
	"github.com/sllmq/sllmq/warehouse/intake"
	"github.com/sllmq/sllmq/warehouse/record"
)

// With this variable set, to WAREHOUSE|RUN, the test binary appends loads of the
// run until it is killed, and prints their number after each.
const appends = "SLLMQ_TEST_APPENDS"

// With this variable set, to WAREHOUSE|OTHER, it imports the other warehouse.
const imports = "SLLMQ_TEST_IMPORTS"

// With this variable set, it has that warehouse open until its standard input ends.
const holds = "SLLMQ_TEST_HOLDS"

func TestMain(m *testing.M) {
	if path := os.Getenv(holds); path != "" {
		db, err := warehouse.At(path, warehouse.Options{}).Open(context.Background(), warehouse.Access{Write: true})
		if err != nil {
			panics{}.Fatal(err)
		}
		fmt.Println("held")
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = db.Close()
		os.Exit(0)
	}
	if to, from, ok := strings.Cut(os.Getenv(imports), "|"); ok {
		if _, err := warehouse.Import(context.Background(), to, []string{from}, intake.Options{}, warehouse.Options{}); err != nil {
			panics{}.Fatal(err)
		}
		os.Exit(0)
	}
	path, runID, ok := strings.Cut(os.Getenv(appends), "|")
	if !ok {
		os.Exit(m.Run())
	}
	store := warehouse.At(path, warehouse.Options{})
	first := count(panics{}, path, "loads")
	for i := first; ; i++ {
		if err := store.Append(context.Background(), aLoad(runID, int64(i), 1)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(i + 1)
	}
}

// panics is a testing.TB outside of a test.
type panics struct{ testing.TB }

func (panics) Helper()           {}
func (panics) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

// killAppends repeatedly kills a process that appends. What it reported is kept.
func killAppends(t *testing.T, path string, rounds, atLeast int) {
	run := aRun(t)
	machine := record.Machine{ID: "m1", Machine: "box", FirstSeenAt: time.Now()}
	if err := warehouse.At(path, warehouse.Options{}).Append(t.Context(), record.Batch{Machines: []record.Machine{machine}, Runs: []record.Run{run}}); err != nil {
		t.Fatal(err)
	}
	for round := range rounds {
		said := killedAppends(t, path, run.ID, atLeast+rand.IntN(120))
		if n := count(t, path, "loads"); n < said {
			t.Fatalf("round %d: %d loads were reported, %d are there", round, said, n)
		}
		// A load has all of its stages or does not exist.
		if n := count(t, path, "(SELECT seq FROM loads ANTI JOIN stages USING (run_id, seq))"); n != 0 {
			t.Fatalf("round %d: %d loads without their stages", round, n)
		}
		if err := warehouse.At(path, warehouse.Options{}).Append(t.Context(), record.Batch{Machines: []record.Machine{machine}}); err != nil {
			t.Fatalf("round %d: the next append: %v", round, err)
		}
	}
}

// killedAppends starts a process that appends, kills it after some milliseconds,
// and returns the last number that it printed.
func killedAppends(t *testing.T, path, runID string, milliseconds int) (said int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), appends+"="+path+"|"+runID)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(time.Duration(milliseconds)*time.Millisecond, func() { _ = cmd.Process.Kill() })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if said, err = strconv.Atoi(lines.Text()); err != nil {
			t.Fatal(err)
		}
	}
	_ = cmd.Wait() // it was killed
	return said
}

func TestALeftoverLogIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.duckdb")
	run := aRun(t)
	if err := warehouse.At(path, warehouse.Options{}).Append(t.Context(), record.Batch{Runs: []record.Run{run}}); err != nil {
		t.Fatal(err)
	}
	garbage := strings.Repeat("this is not a log ", 100)
	if err := os.WriteFile(path+".wal", []byte(garbage), 0o644); err != nil {
		t.Fatal(err)
	}
	// A reader may ignore it, and leaves it in place or sets it aside.
	if n := count(t, path, "runs"); n != 1 {
		t.Errorf("%d runs, want 1", n)
	}
	var warned []string
	db, err := warehouse.At(path, warehouse.Options{Warn: func(line string) { warned = append(warned, line) }}).Open(t.Context(), warehouse.Access{Write: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	kept, err := filepath.Glob(path + ".wal.torn-*")
	if err != nil || len(kept) != 1 || len(warned) != 1 || !strings.Contains(warned[0], kept[0]) {
		t.Fatalf("kept %v, warned %q, %v", kept, warned, err)
	}
	if text, err := os.ReadFile(kept[0]); err != nil || string(text) != garbage {
		t.Errorf("the kept log differs: %v", err)
	}
	if n := count(t, path, "runs"); n != 1 {
		t.Errorf("%d runs, want 1", n)
	}
}

// TestNoDamageToALogLosesWhatIsInTheFile truncates a real log, such as a killed
// program leaves, and flips its bits, in many places.
func TestNoDamageToALogLosesWhatIsInTheFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "w.duckdb")
	run := aRun(t)
	if err := warehouse.At(path, warehouse.Options{}).Append(t.Context(), record.Batch{Runs: []record.Run{run}}); err != nil {
		t.Fatal(err)
	}
	db, err := warehouse.At(path, warehouse.Options{}).Open(t.Context(), warehouse.Access{Write: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.SQL().Exec("SET checkpoint_threshold = '1GB'; INSERT INTO stages SELECT '" + run.ID + "', range, 'other', 0, 0, 0, 0 FROM range(300)"); err != nil {
		t.Fatal(err)
	}
	file, fileErr := os.ReadFile(path)
	wal, walErr := os.ReadFile(path + ".wal")
	if fileErr != nil || walErr != nil || len(wal) < 1000 {
		t.Fatalf("no log to damage: %d bytes, %v, %v", len(wal), fileErr, walErr)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range 60 {
		damaged := append([]byte(nil), wal...)
		at := rand.IntN(len(wal))
		if i%2 == 0 {
			damaged = damaged[:at]
		} else {
			damaged[at] ^= 1 << rand.IntN(8)
		}
		other := filepath.Join(dir, fmt.Sprint(i), "w.duckdb")
		if err := os.Mkdir(filepath.Dir(other), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.WriteFile(other, file, 0o644), os.WriteFile(other+".wal", damaged, 0o644)); err != nil {
			t.Fatal(err)
		}
		if i%4 < 2 { // a reader comes first
			if n := count(t, other, "runs"); n != 1 {
				t.Errorf("damage %d at %d: %d runs", i, at, n)
			}
		}
		if err := warehouse.At(other, warehouse.Options{}).Append(t.Context(), aLoad(run.ID, 0, 1)); err != nil {
			t.Errorf("damage %d at %d: %v", i, at, err)
		}
		if n := count(t, other, "runs"); n != 1 {
			t.Errorf("damage %d at %d: %d runs after an append", i, at, n)
		}
	}
}

func TestWritersAndReadersWait(t *testing.T) {
	t.Run("file", func(t *testing.T) { writeAndRead(t, filepath.Join(t.TempDir(), "w.duckdb"), 10) })
	t.Run("folder", func(t *testing.T) { writeAndRead(t, t.TempDir(), 2) })
}

func writeAndRead(t *testing.T, path string, appendsEach int64) {
	run := aRun(t)
	if err := warehouse.At(path, warehouse.Options{}).Append(t.Context(), record.Batch{Runs: []record.Run{run}}); err != nil {
		t.Fatal(err)
	}
	// Another process appends all the time. This one appends too, and reads.
	cmd := exec.Command(os.Args[0])
	other := aRun(t)
	cmd.Env = append(os.Environ(), appends+"="+path+"|"+other.ID)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	var wg sync.WaitGroup
	for worker := range int64(2) {
		wg.Go(func() {
			store := warehouse.At(path, warehouse.Options{})
			for i := range appendsEach {
				if err := store.Append(t.Context(), aLoad(run.ID, worker*100+i, 1)); err != nil {
					t.Error(err)
				}
				if n := count(t, path, "loads WHERE run_id = '"+run.ID+"'"); n <= int(i) {
					t.Errorf("%d loads after %d appends", n, i+1)
				}
			}
		})
	}
	wg.Wait()
	if n := count(t, path, "loads WHERE run_id = '"+run.ID+"'"); n != int(2*appendsEach) {
		t.Errorf("%d loads, want %d", n, 2*appendsEach)
	}
}

func TestConcurrentCreation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.duckdb")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := warehouse.At(path, warehouse.Options{}).Append(t.Context(), record.Batch{Runs: []record.Run{aRun(t)}}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := count(t, path, "runs"); n != 8 {
		t.Errorf("%d runs, want 8", n)
	}
}

func TestWaitNamesTheProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "w.duckdb")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), holds+"="+path)
	hold, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	// It gives up after a while, without a message in the first five seconds.
	quiet := warehouse.Options{LockWait: time.Second, OnWait: func(line string) { t.Errorf("said %q", line) }}
	holder := "process " + strconv.Itoa(cmd.Process.Pid)
	if _, err := warehouse.At(path, quiet).Open(t.Context(), warehouse.Access{}); err == nil || !strings.Contains(err.Error(), holder) {
		t.Fatalf("opened, or the error does not name the process: %v", err)
	}
	// There is one message, and it opens as soon as the file is free.
	var told []string
	begun := time.Now()
	db, err := warehouse.At(path, warehouse.Options{OnWait: func(line string) {
		told = append(told, line)
		_ = hold.Close()
	}}).Open(t.Context(), warehouse.Access{})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if len(told) != 1 || !strings.Contains(told[0], holder) || time.Since(begun) < 5*time.Second {
		t.Fatalf("told %q after %s", told, time.Since(begun))
	}
}
