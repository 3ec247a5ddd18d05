package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/sllmq/sllmq/collector"
	"github.com/sllmq/sllmq/internal/size"
	"github.com/sllmq/sllmq/internal/text"
)

// progress shows the progress of a benchmark: one line that is redrawn on a
// terminal, plain lines elsewhere. Lines that are not redrawn also go to log, each
// after the time.
type progress struct {
	out      io.Writer
	log      io.Writer // nil: none
	terminal bool
	width    int

	mu    sync.Mutex
	what  string
	total int64
	of    collector.Unit
	done  int64
	begun time.Time
	drawn time.Time
}

var _ collector.Progress = (*progress)(nil)

// The intervals at which the line is redrawn on a terminal and printed elsewhere.
const (
	drawEvery  = 100 * time.Millisecond
	printEvery = 10 * time.Second
)

func newProgress(out, log io.Writer) *progress {
	p := &progress{out: out, log: log, width: 80}
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.terminal = true
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			p.width = width
		}
	}
	return p
}

func (p *progress) Begin(what string, total int64, of collector.Unit) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.what, p.total, p.of, p.done = what, total, of, 0
	p.begun, p.drawn = time.Now(), time.Now()
	if p.terminal {
		p.draw()
	} else {
		p.print(fmt.Sprintf("%s: %s", what, p.amount(total)))
	}
}

func (p *progress) Add(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += n
	every := printEvery
	if p.terminal {
		every = drawEvery
	}
	if time.Since(p.drawn) < every {
		return
	}
	p.drawn = time.Now()
	if p.terminal {
		p.draw()
	} else {
		p.print(p.line())
	}
}

func (p *progress) End() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.terminal {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
	elapsed := time.Since(p.begun)
	p.print(fmt.Sprintf("%s: %s in %s", p.what, p.amount(p.done), elapsed.Round(time.Millisecond)))
	p.what = ""
}

func (p *progress) Note(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.terminal && p.what != "" {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
	p.print(line)
	if p.terminal && p.what != "" {
		p.draw()
	}
}

// print writes a line that is not redrawn. It ignores errors: a terminal that is
// gone does not end a benchmark.
func (p *progress) print(line string) {
	fmt.Fprintln(plain{p.out}, line)
	if p.log != nil {
		fmt.Fprintln(plain{p.log}, time.Now().UTC().Format(time.RFC3339Nano), line)
	}
}

func (p *progress) draw() {
	line := p.line()
	if runes := []rune(line); len(runes) >= p.width {
		line = string(runes[:p.width-1])
	}
	fmt.Fprint(p.out, "\r\x1b[K"+line)
}

// amount formats n units.
func (p *progress) amount(n int64) string {
	if p.of == collector.Bytes {
		return size.Binary(n)
	}
	return text.Count(n, strings.TrimSuffix(string(p.of), "s"))
}

// line formats what is done, the rate of bytes, and the time left.
func (p *progress) line() string {
	share := 0.0
	if p.total > 0 {
		share = min(1, float64(p.done)/float64(p.total))
	}
	parts := []string{
		fmt.Sprintf("%s: %3.0f%%", p.what, share*100),
		fmt.Sprintf("%s of %s", p.amount(p.done), p.amount(p.total)),
	}
	if elapsed := time.Since(p.begun); p.done > 0 && elapsed > 0 {
		rate := float64(p.done) / elapsed.Seconds()
		left := time.Duration(float64(max(0, p.total-p.done)) / rate * float64(time.Second))
		if p.of == collector.Bytes {
			parts = append(parts, p.amount(int64(rate))+"/s")
		}
		parts = append(parts, left.Round(time.Second).String()+" left")
	}
	return strings.Join(parts, ", ")
}
