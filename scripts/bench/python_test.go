package bench_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/loader"
)

// byMemmove makes load.py copy to the device with the C library's memmove instead
// of PyTorch's copy_, to separate the cost of the copy from the technique's.
const byMemmove = " memmove"

// TestPython compares the loaders that reproduce Python packages with those
// packages, cold and from the page cache. If the memory of both sides does not fit
// beside the page cache, each side allocates its own for every load.
func TestPython(t *testing.T) {
	b, m := openTable(t), givenModel(t)
	python := os.Getenv("SLLMQ_BENCH_PYTHON")
	techniques := []string{"mmap", "mmap-parallel", "pinned"}
	line := func(name string, warm bool) string {
		return fmt.Sprintf("%s: %s, %s", m.name, name, map[bool]string{false: "cold", true: "cached"}[warm])
	}
	dir := m.dirs[checkpoint.SafeTensors]
	kept := fits(t, 3*m.bytes) // both sides' memory and the page cache
	if python == "" || !fits(t, m.bytes+m.bytes/4) {
		why := "SLLMQ_BENCH_PYTHON is not set (make fixtures creates .venv)"
		if python != "" {
			why = "the model does not fit in memory"
		}
		for _, name := range techniques {
			b.none(line(name, false), why)
			b.none(line(name, true), why)
		}
		return
	}
	theirs := &pythonSide{python: python, dir: dir, keep: kept}
	defer theirs.stop()
	mine := &ownSide{dir: dir, bytes: m.bytes + m.bytes/8, keep: kept}
	defer mine.stop()
	for _, warm := range []bool{false, true} {
		if warm && !kept {
			for _, name := range techniques {
				b.none(line(name, true), "the model and its page cache do not fit in memory")
			}
			return
		}
		var contenders []contender
		for _, name := range techniques {
			for _, way := range []string{"", byMemmove} {
				contenders = append(contenders, contender{name: "python " + name + way, bytes: m.bytes, warm: warm, cache: true,
					ready: func() error { mine.rest(); return theirs.start(t) },
					run:   func() (time.Duration, error) { return theirs.load(name + way) }})
			}
			contenders = append(contenders, contender{name: name, bytes: m.bytes, warm: warm, cache: true,
				ready: func() error { theirs.rest(); return mine.start(t.Context(), name) },
				run:   func() (time.Duration, error) { return load(t, mine.loaders[name], dir) }})
		}
		results := race(t, m.rounds, m.files, contenders)
		printResults(line("beside "+theirs.versions, warm), results)
		for _, name := range techniques {
			own, _ := named(results, name)
			for _, way := range [][2]string{{"", "the packages' by copy_"}, {byMemmove, "the packages' by memmove"}} {
				packages, _ := named(results, "python "+name+way[0])
				b.least(line(name, warm), 0.9, own.speed()/packages.speed(), way[1])
			}
		}
	}
}

// ownSide loads with this program.
type ownSide struct {
	dir     string
	bytes   int64 // size of the memory to load into
	keep    bool  // keep memory and loaders from the first load to the last
	host    device.Device
	loaders map[string]loader.Loader
}

func (s *ownSide) start(ctx context.Context, name string) error {
	if s.host == nil {
		host, err := device.Open("host", s.bytes)
		if err != nil {
			return err
		}
		s.host, s.loaders = host, map[string]loader.Loader{}
	}
	if s.loaders[name] != nil {
		return nil
	}
	l, err := openLoader(ctx, name, checkpoint.SafeTensors, s.host, 0)
	s.loaders[name] = l
	return err
}

// rest frees the memory for the other side.
func (s *ownSide) rest() {
	if !s.keep {
		s.stop()
	}
}

func (s *ownSide) stop() {
	for _, l := range s.loaders {
		_ = l.Close()
	}
	if s.host != nil {
		_ = s.host.Close()
	}
	s.host, s.loaders = nil, nil
}

// pythonSide loads with the packages, in a process with its own memory.
type pythonSide struct {
	python, dir string
	keep        bool // keep one process from the first load to the last
	process     *pythonProcess
	versions    string
}

func (s *pythonSide) start(t *testing.T) error {
	s.rest() // a new process for each load, unless it is kept
	if s.process == nil {
		s.process = startPython(t, s.python, s.dir)
		s.versions = s.process.versions
	}
	return nil
}

func (s *pythonSide) load(name string) (time.Duration, error) { return s.process.load(name) }

func (s *pythonSide) rest() {
	if !s.keep {
		s.stop()
	}
}

func (s *pythonSide) stop() {
	if s.process != nil {
		s.process.stop()
	}
	s.process = nil
}

// pythonProcess is a process of load.py.
type pythonProcess struct {
	cmd      *exec.Cmd
	in       io.WriteCloser
	lines    *bufio.Reader
	versions string
}

func startPython(t *testing.T, python, dir string) *pythonProcess {
	t.Helper()
	cmd := exec.Command(python, "load.py", dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
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
	p := &pythonProcess{cmd: cmd, in: in, lines: bufio.NewReader(out)}
	versions, err := p.lines.ReadString('\n')
	if err != nil {
		p.stop()
		t.Fatal(err)
	}
	p.versions = strings.TrimSpace(versions)
	return p
}

// stop ends the process and so frees its memory.
func (p *pythonProcess) stop() {
	_ = p.in.Close()
	_ = p.cmd.Wait()
}

// load makes the process load once, and returns the time that it took.
func (p *pythonProcess) load(technique string) (time.Duration, error) {
	if _, err := fmt.Fprintln(p.in, technique); err != nil {
		return 0, err
	}
	line, err := p.lines.ReadString('\n')
	if err != nil {
		return 0, err
	}
	seconds, err := strconv.ParseFloat(strings.TrimSpace(line), 64)
	return time.Duration(seconds * 1e9), err
}
