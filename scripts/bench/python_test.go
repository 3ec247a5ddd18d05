package bench_test

import (
	"bufio"
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

// byMemmove has load.py copy to the device by the C library, and not by PyTorch's
// copy_: they show what of a difference is the copy's and not the technique's.
const byMemmove = " memmove"

// TestPython holds the loaders that stand for Python packages against those
// packages, cold and from the page cache. Where the memory of both sides does not
// fit beside the page cache, each takes its own anew for each load.
func TestPython(t *testing.T) {
	b, m := openTable(t), askedModel(t)
	python := os.Getenv("SLLMQ_BENCH_PYTHON")
	techniques := []string{"mmap", "mmap-parallel", "pinned"}
	line := func(name string, warm bool) string {
		return fmt.Sprintf("%s: %s, %s", m.name, name, map[bool]string{false: "cold", true: "cached"}[warm])
	}
	dir := m.dirs[checkpoint.SafeTensors]
	kept := room(t, 3*m.bytes) // the memory of each side, and the page cache
	if python == "" || !room(t, m.bytes+m.bytes/4) {
		why := "no Python with the packages (make fixtures makes .venv)"
		if python != "" {
			why = "the model does not fit this machine's memory"
		}
		for _, name := range techniques {
			b.none(line(name, false), why)
			b.none(line(name, true), why)
		}
		return
	}
	theirs := &pythonSide{python: python, dir: dir}
	mine := mySide{dir: dir, bytes: m.bytes + m.bytes/8}
	if kept {
		theirs.kept = startPython(t, python, dir)
		defer theirs.kept.stop()
		host := openHost(t, mine.bytes)
		mine.kept = map[string]loader.Loader{}
		for _, name := range techniques {
			mine.kept[name] = m.open(t, name, checkpoint.SafeTensors, host, 0)
		}
	}
	for _, warm := range []bool{false, true} {
		if warm && !kept {
			for _, name := range techniques {
				b.none(line(name, true), "the model and its page cache do not fit this machine's memory")
			}
			return
		}
		var contenders []contender
		for _, name := range techniques {
			contenders = append(contenders,
				contender{name: "python " + name, bytes: m.bytes, warm: warm, run: func() (time.Duration, error) { return theirs.load(t, name) }},
				contender{name: "python " + name + byMemmove, bytes: m.bytes, warm: warm, run: func() (time.Duration, error) { return theirs.load(t, name+byMemmove) }},
				contender{name: name, bytes: m.bytes, warm: warm, run: func() (time.Duration, error) { return mine.load(t, name) }})
		}
		results := race(t, m.rounds, m.files, contenders)
		print(line("beside "+theirs.versions, warm), results)
		for _, name := range techniques {
			own, _ := named(results, name)
			for _, way := range [][2]string{{"", "the packages' by copy_"}, {byMemmove, "the packages' by memmove"}} {
				packages, _ := named(results, "python "+name+way[0])
				b.least(line(name, warm), 0.9, own.speed()/packages.speed(), way[1])
			}
		}
	}
}

// mySide loads by this program, with loaders that are kept or opened for the load
// together with the memory that they load into.
type mySide struct {
	dir   string
	bytes int64
	kept  map[string]loader.Loader // nil: opened
}

func (s mySide) load(t *testing.T, name string) (time.Duration, error) {
	if l, ok := s.kept[name]; ok {
		return load(t, l, s.dir)
	}
	host, err := device.Open("host", s.bytes)
	if err != nil {
		return 0, err
	}
	defer func() { _ = host.Close() }()
	l, err := openLoader(name, checkpoint.SafeTensors, host, 0)
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return load(t, l, s.dir)
}

// pythonSide loads by the packages, in a process that is kept or started for the
// load.
type pythonSide struct {
	python, dir string
	kept        *pythonProcess // nil: started
	versions    string
}

func (s *pythonSide) load(t *testing.T, name string) (time.Duration, error) {
	p := s.kept
	if p == nil {
		p = startPython(t, s.python, s.dir)
		defer p.stop()
	}
	s.versions = p.versions
	return p.load(name)
}

// pythonProcess loads with the packages when it is told to: see load.py.
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

// stop ends the process, and so gives its memory back.
func (p *pythonProcess) stop() {
	_ = p.in.Close()
	_ = p.cmd.Wait()
}

// load has the process load once.
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
