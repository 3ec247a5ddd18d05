package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
)

// terminal is a shell on a terminal of its own.
type terminal struct {
	t      *testing.T
	cmd    *exec.Cmd
	keys   *os.File
	mu     sync.Mutex
	screen strings.Builder // all that was ever printed
	seen   int             // up to where it was looked at
	shown  *screen
	delay  time.Duration // until it says where its cursor is
	ended  chan struct{}
}

// shellHome is a folder with a warehouse of two loads.
func shellHome(t *testing.T) bench {
	t.Helper()
	b := newBench(t)
	b.env = []string{"SLLMQ_NO_ROOFLINE=true", "XDG_STATE_HOME=" + filepath.Join(b.dir, "state"), "INPUTRC=" + filepath.Join(b.dir, "inputrc"), "TERM=xterm"}
	// While past entries are searched, keys that come with the terminal's answer
	// would be lost: a test is faster than fingers.
	b.write("inputrc", "set cursor-position-probe off\n")
	b.write("org_m_sllm_2_random.json", `[{"model_name": "org/m_1", "loading_time": 0.5}, {"model_name": "org/m_0", "loading_time": 1.5}]`)
	if out, err := b.command("import", "--machine", "box", "--at", "2026-01-02", "org_m_sllm_2_random.json").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return b
}

func (b bench) write(name, text string) {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, name), []byte(text), 0o644); err != nil {
		b.t.Fatal(err)
	}
}

func (b bench) shell() *terminal { return b.shellOn(40, 100, 0) }

// shellOn is a shell on a terminal of a size, which takes its time to say where
// its cursor is.
func (b bench) shellOn(rows, columns int, delay time.Duration) *terminal {
	t := b.t
	t.Helper()
	cmd := b.command("sql")
	keys, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: uint16(rows), Cols: uint16(columns)})
	if err != nil {
		t.Fatal(err)
	}
	s := &terminal{t: t, cmd: cmd, keys: keys, shown: newScreen(rows, columns), delay: delay, ended: make(chan struct{})}
	go s.show()
	t.Cleanup(func() {
		// It may have ended by itself.
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = keys.Close()
		<-s.ended
		if t.Failed() {
			text := s.text()
			t.Logf("the screen ends in:\n%s", text[max(0, len(text)-2000):])
		}
	})
	s.expect("Type .help")
	s.expect(prompt)
	return s
}

// show keeps what is printed.
func (s *terminal) show() {
	defer close(s.ended)
	buffer := make([]byte, 4096)
	for {
		n, err := s.keys.Read(buffer)
		s.mu.Lock()
		s.screen.Write(buffer[:n])
		asked := s.shown.asked
		_, _ = s.shown.Write(buffer[:n]) // it never fails
		if s.shown.asked > asked {
			answer := fmt.Sprintf("\x1b[%d;%dR", s.shown.row+1, s.shown.col+1)
			time.AfterFunc(s.delay, func() { _, _ = s.keys.WriteString(answer) }) // it may have ended
		}
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// styles are the terminal's own commands, which are no text.
var styles = regexp.MustCompile(`\x1b(\[[0-9;?]*[ -/]*[@-~]|[=>78D]|\][^\x07]*\x07)`)

func (s *terminal) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return styles.ReplaceAllString(s.screen.String(), "")
}

// expect waits for a text behind what was seen before.
func (s *terminal) expect(want string) {
	s.t.Helper()
	for range 1200 {
		text := s.text()
		if at := strings.Index(text[min(s.seen, len(text)):], want); at >= 0 {
			s.seen += at + len(want)
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.t.Fatalf("no %q", want)
}

// press presses keys, once the shell waits for some.
func (s *terminal) press(keys string) {
	s.t.Helper()
	if _, err := s.keys.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
}

// prompt is one that was just printed; while a line is edited it is printed
// anew, and not at a line's beginning. Keys that are pressed before may be lost.
const prompt = "\nsllmq> "

// enter presses keys and Return, and waits for what comes of it.
func (s *terminal) enter(keys, want string) {
	s.t.Helper()
	s.press(keys + "\r")
	s.expect(want)
	s.expect(prompt)
}

// cancel presses Ctrl-C at the prompt.
func (s *terminal) cancel() {
	s.t.Helper()
	s.press(ctrlC)
	s.expect(prompt)
}

// leave presses Ctrl-D and waits for the end.
func (s *terminal) leave() {
	s.t.Helper()
	s.press(ctrlD)
	if err := s.cmd.Wait(); err != nil {
		s.t.Errorf("the shell ended with %v", err)
	}
}

// holds says whether the shell has a file of this name open.
func (s *terminal) holds(name string) bool {
	folder := fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid)
	entries, err := os.ReadDir(folder)
	if err != nil {
		s.t.Fatal(err)
	}
	return slices.ContainsFunc(entries, func(e os.DirEntry) bool {
		target, err := os.Readlink(filepath.Join(folder, e.Name()))
		return err == nil && filepath.Base(target) == name
	})
}

func (s *terminal) waitUntil(what string, is func() bool) {
	s.t.Helper()
	for range 1200 {
		if is() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.t.Fatalf("never: %s", what)
}

const (
	ctrlC, ctrlD, ctrlP, ctrlR, tab = "\x03", "\x04", "\x10", "\x12", "\t"
	endless                         = "select count(*) from range(10000000000) a, range(10000000000) b;"
)

func TestShellKeepsItsHistory(t *testing.T) {
	b := shellHome(t)
	s := b.shell()
	s.enter("select 'fir' || 'st' as a;", "first")
	s.enter("select 'sec' ||\r 'ond' as b;", "second")
	s.enter(ctrlP, "second") // both lines of it
	s.press(ctrlR + "fir")
	s.expect("select 'fir")
	s.enter("", "first")
	s.leave()
	history := filepath.Join(b.dir, "state", "sllmq", "sql_history")
	for path, want := range map[string]os.FileMode{history: 0o600, filepath.Dir(history): 0o700} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want %v", path, info.Mode(), err, want)
		}
	}
	again := b.shell()
	again.enter(ctrlP+ctrlP, "second")
	again.leave()
}

func TestShellCompletes(t *testing.T) {
	s := shellHome(t).shell()
	s.enter("select count(*) || ' coun' || 'ted' from load_f"+tab+";", "2 counted")
	s.enter("select 'longest ' || max(loading_ti"+tab+") from loads;", "longest 1.5")
	s.enter(".tab"+tab, "one chunk of a load")
	s.enter(".schema stag"+tab, "open, index, allocate")
	s.enter(".mode csv", "")
	s.enter(".query tre"+tab+" model=org/%", "against_before")
	s.press("select resident_b" + tab + tab)
	s.expect("resident_before_bytes")
	s.cancel()
	s.enter("select 'em' || 'pty';", "empty")
	s.leave()
}

func TestShellCommands(t *testing.T) {
	b := shellHome(t)
	script := "-- all sorts\n.mode jsonl\nselect 'a;b' as quoted;\nselect /* ; */ 6 *\n 7 as answer;\n.mode csv\nselect 'l' || 'ast'"
	b.write("all.sql", script)
	s := b.shell()
	s.enter(".help", "run the statements and commands of a file")
	s.press(".read all.sql\r")
	s.expect(`{"quoted":"a;b"}`)
	s.expect(`{"answer":42}`)
	s.expect("last")
	s.expect(prompt)
	s.enter("select 1 as x; select 'sec' || 'ond' as y;", "second")
	s.enter(".once out.parquet", "")
	s.enter("select 42 as answer;", "")
	s.enter("select answer + 1 as more from 'out.parquet';", "43")
	s.enter(".param m=org/m", "")
	s.enter("select count(*) || ' of ' || $m as found from runs where model = $m;", "1 of org/m")
	s.enter(".maxrows 2", "")
	s.enter("from range(5);", "first 2 rows of more")
	s.enter(".timing on", "")
	s.enter("select 1;", "1 row in ")
	s.enter(".mode xml", "no format xml: use one of table, csv")
	s.enter(".once", "usage: .once FILE")
	s.enter(".nonesuch", "no command .nonesuch: .help lists them")
	s.enter(".read nowhere.sql", "no such file")
	s.enter(".query nothing", "no query nothing")
	s.enter(".mode arrow", "")
	s.enter("select 1;", "format arrow is not for a terminal")
	s.enter(".mode table", "")
	s.enter("select * form loads;", "line 1, column 15")
	s.enter("delete from loads;", "read-only")
	s.enter("select 'still' || ' here';", "still here")
	s.press(".quit\r")
	if err := s.cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// Ctrl-C ends what runs and not the shell, and nothing is open at the prompt.
func TestShellIsInterrupted(t *testing.T) {
	s := shellHome(t).shell()
	if s.holds("sllmq.duckdb") {
		t.Error("the warehouse is open at the prompt")
	}
	for range 2 {
		s.press(endless + "\r")
		s.waitUntil("the statement runs", func() bool { return s.holds("sllmq.duckdb") })
		s.press(ctrlC)
		s.expect("interrupted")
		s.expect(prompt)
		s.waitUntil("the warehouse is closed", func() bool { return !s.holds("sllmq.duckdb") })
	}
	s.press("select 'half of")
	s.expect("half of")
	s.cancel()
	s.enter("select 'still' || ' here';", "still here")
	s.leave()
}

func TestShellEndsOnASignal(t *testing.T) {
	s := shellHome(t).shell()
	s.press("select 'half of")
	s.expect("half of")
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := s.cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != exitInterrupted {
		t.Errorf("it ended with %v", err)
	}
}

// A collector appends while somebody asks, and waits for nobody at a prompt.
func TestShellBesideACollector(t *testing.T) {
	b := shellHome(t)
	if err := checkpointIn(filepath.Join(b.dir, "tiny"), smallHeader); err != nil {
		t.Fatal(err)
	}
	s := b.shell()
	s.enter("select 'loads ' || count(*) from loads;", "loads 2")
	collect := b.command("collect", "--model-name", "./tiny", "--num-replicas", "10", "--storage-path", "store", "--mem-pool-size", "1MB", "--chunk-size", "64KB")
	var said strings.Builder
	collect.Stdout, collect.Stderr = &said, &said
	if err := collect.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- collect.Wait() }()
	asked := 0
	for running := true; running; asked++ {
		s.enter("select 'n' || 'ow ' || count(*) from loads;", "now ")
		select {
		case err := <-done:
			if running = false; err != nil {
				t.Fatalf("collect: %v\n%s", err, said.String())
			}
		default:
		}
	}
	s.enter("select 'loads ' || count(*) from loads;", "loads 22")
	t.Logf("asked %d times", asked)
	s.leave()
}
