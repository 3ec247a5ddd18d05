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
)

// TestPython holds the loaders that stand for Python packages against those
// packages, cold and from the page cache.
func TestPython(t *testing.T) {
	b, m := openTable(t), askedModel(t)
	python := os.Getenv("SLLMQ_BENCH_PYTHON")
	techniques := []string{"mmap", "mmap-parallel", "pinned"}
	line := func(name string, warm bool) string {
		return fmt.Sprintf("%s: %s, %s", m.name, name, map[bool]string{false: "cold", true: "cached"}[warm])
	}
	why := ""
	switch {
	case python == "":
		why = "no Python with the packages (make fixtures makes .venv)"
	case !room(t, 3*m.bytes):
		why = "the model does not fit this machine's memory twice, and the page cache beside"
	}
	if why != "" {
		for _, name := range techniques {
			b.none(line(name, false), why)
		}
		return
	}
	p, versions := startPython(t, python, m.dirs[checkpoint.SafeTensors])
	host := openHost(t, m.bytes+m.bytes/8)
	for _, warm := range []bool{false, true} {
		var contenders []contender
		for _, name := range techniques {
			l := m.open(t, name, checkpoint.SafeTensors, host, 0)
			contenders = append(contenders,
				contender{name: "python " + name, bytes: m.bytes, warm: warm, run: func() (time.Duration, error) { return p.load(name) }},
				contender{name: name, bytes: m.bytes, warm: warm, run: func() (time.Duration, error) { return load(t, l, m.dirs[checkpoint.SafeTensors]) }})
		}
		results := race(t, m.rounds, m.files, contenders)
		print(line("beside "+versions, warm), results)
		for _, name := range techniques {
			theirs, _ := named(results, "python "+name)
			mine, _ := named(results, name)
			b.least(line(name, warm), 0.9, mine.speed()/theirs.speed(), "the packages'")
		}
	}
}

// pythonProcess loads with the packages when it is told to: see load.py.
type pythonProcess struct {
	in    io.Writer
	lines *bufio.Reader
}

func startPython(t *testing.T, python, dir string) (p pythonProcess, versions string) {
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
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	p = pythonProcess{in, bufio.NewReader(out)}
	if versions, err = p.lines.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	return p, strings.TrimSpace(versions)
}

// load has the process load once.
func (p pythonProcess) load(technique string) (time.Duration, error) {
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
