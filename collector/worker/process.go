package worker

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/sllmq/sllmq/collector/roofline"
)

// DeadError says that a worker is gone, and how it went.
type DeadError struct {
	PID    int
	Reason string // how it ended
	Stderr string // the last that it said
}

func (e *DeadError) Error() string {
	text := fmt.Sprintf("worker %d %s", e.PID, e.Reason)
	if e.Stderr != "" {
		text += ": " + e.Stderr
	}
	return text
}

// Process is a running worker, seen from the parent.
type Process struct {
	Ready      Ready
	StartedAt  time.Time
	StartTimeS float64 // from the start of the process to its first answer, set-up not counted

	begun   time.Time // StartedAt, on the monotonic clock
	watched bool      // it takes no evidence: see watch
	server  *server   // that reads for it, nil: none

	cmd     *exec.Cmd
	in      io.WriteCloser
	first   []byte // goes before the first request
	replies chan []byte
	stderr  *tail
	given   sync.Once     // closes givenUp
	givenUp chan struct{} // closed when nobody will listen to it any more
	exited  chan struct{} // closed when the process is gone and reaped
}

// Start runs argv as a worker and waits, at most timeout, until it is ready.
func Start(ctx context.Context, argv []string, o Open, timeout time.Duration) (*Process, error) {
	p, err := spawn(argv, nil, o.Node)
	if err != nil {
		return nil, err
	}
	return p.open(ctx, o, timeout)
}

// open tells the process what it is to be, and waits until it is. One that
// can't is killed.
func (p *Process) open(ctx context.Context, o Open, timeout time.Duration) (*Process, error) {
	reply, err := p.ask(ctx, Request{Open: &o}, timeout)
	switch {
	case err != nil:
	case reply.Error != "":
		err = errors.New(reply.Error)
	case reply.Ready == nil:
		err = errors.New("the worker did not say that it is ready")
	}
	if err != nil {
		p.kill()
		return nil, err
	}
	p.Ready = *reply.Ready
	p.StartTimeS = max(0, time.Since(p.begun).Seconds()-p.Ready.SetupS)
	return p, nil
}

// Roofline measures the machine in a process of its own, whose memory is gone
// when it has answered; node is where it runs, as Open's.
func Roofline(ctx context.Context, argv []string, node *int, plan roofline.Plan, timeout time.Duration) (*Measured, error) {
	p, err := spawn(argv, nil, node)
	if err != nil {
		return nil, err
	}
	reply, err := p.ask(ctx, Request{Roofline: &plan}, timeout)
	switch {
	case err != nil:
	case reply.Error != "":
		err = errors.New(reply.Error)
	case reply.Measured == nil:
		err = errors.New("the worker did not say what it measured")
	}
	if err != nil {
		p.kill()
		return nil, err
	}
	const patience = 10 * time.Second
	return reply.Measured, p.Close(patience)
}

// spawn starts the process, in this one's environment if it is given none, and
// on a NUMA node if it is told one.
func spawn(argv, environment []string, node *int) (*Process, error) {
	p := &Process{
		cmd:     exec.Command(argv[0], argv[1:]...),
		replies: make(chan []byte),
		stderr:  &tail{},
		givenUp: make(chan struct{}),
		exited:  make(chan struct{}),
	}
	// Ctrl-C reaches every process of the terminal's group; the worker is not
	// in it, since its parent decides when it ends.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.Env = environment
	p.cmd.Stderr = p.stderr
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	p.begun = time.Now()
	p.StartedAt = p.begun.UTC()
	if node != nil {
		err = startOn(p.cmd, *node)
	} else {
		err = p.cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	go p.listen(out)
	return p, nil
}

// Load asks for one load and waits for its outcome, at most timeout. After a
// *DeadError the worker is gone, and so it is when ctx ends or the time is up.
func (p *Process) Load(ctx context.Context, r Load, timeout time.Duration) (*Outcome, error) {
	if p.watched {
		return p.watch(ctx, r, timeout)
	}
	return p.load(ctx, r, timeout)
}

func (p *Process) load(ctx context.Context, r Load, timeout time.Duration) (*Outcome, error) {
	reply, err := p.ask(ctx, Request{Load: &r}, timeout)
	if err != nil {
		p.kill()
		return nil, err
	}
	if reply.Outcome == nil {
		p.kill()
		return nil, p.mute("an outcome", reply)
	}
	return reply.Outcome, nil
}

// Generate asks for a generation after a load that was kept, and waits for it
// as Load does.
func (p *Process) Generate(ctx context.Context, g Generate, timeout time.Duration) (*Generated, error) {
	reply, err := p.ask(ctx, Request{Generate: &g}, timeout)
	if err != nil {
		p.kill()
		return nil, err
	}
	if reply.Generated == nil {
		p.kill()
		return nil, p.mute("what it generated", reply)
	}
	return reply.Generated, nil
}

// Close ends the worker as it should end, and kills it if it does not within
// patience.
func (p *Process) Close(patience time.Duration) error {
	closeErr := p.in.Close()
	select {
	case <-p.exited:
		closeErr = errors.Join(closeErr, p.server.stop())
	case <-time.After(patience):
		p.kill()
		return fmt.Errorf("worker %d did not end within %v and was killed", p.cmd.Process.Pid, patience)
	}
	if !p.cmd.ProcessState.Success() {
		return p.dead()
	}
	return closeErr
}

func (p *Process) kill() {
	p.given.Do(func() { close(p.givenUp) })
	_ = p.in.Close()
	_ = p.cmd.Process.Kill() // it may be gone already
	<-p.exited
	p.server.kill()
}

// ask writes a request and waits for its reply.
func (p *Process) ask(ctx context.Context, r Request, timeout time.Duration) (Reply, error) {
	line, err := json.Marshal(r)
	if err != nil {
		return Reply{}, fmt.Errorf("write a request: %w", err)
	}
	line = append(append(p.first, line...), '\n')
	p.first = nil
	// A worker that does not read holds up what does not fit the pipe, until it is
	// killed. A write that fails means that it is gone; how, the exit tells.
	go func() { _, _ = p.in.Write(line) }()

	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case line, ok := <-p.replies:
		if !ok {
			<-p.exited
			return Reply{}, p.dead()
		}
		var reply Reply
		if err := json.Unmarshal(line, &reply); err != nil {
			return Reply{}, &DeadError{PID: p.cmd.Process.Pid, Reason: "answered what is no reply, and was killed", Stderr: err.Error()}
		}
		return reply, nil
	case <-timer.C:
		return Reply{}, &DeadError{PID: p.cmd.Process.Pid, Reason: fmt.Sprintf("gave no answer within %v, and was killed", timeout)}
	case <-ctx.Done():
		return Reply{}, ctx.Err()
	}
}

// mute says that a worker answered something else, and was killed for it.
func (p *Process) mute(want string, reply Reply) *DeadError {
	return &DeadError{PID: p.cmd.Process.Pid, Reason: "did not answer with " + want, Stderr: reply.Error}
}

// listen passes the worker's lines on until there are no more, then reaps it.
func (p *Process) listen(out io.Reader) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		select {
		case p.replies <- append([]byte(nil), lines.Bytes()...):
		case <-p.givenUp:
		}
	}
	// A line too long ends the scan before the output does; the rest is
	// drained, so that the worker is not held up in saying it.
	_, _ = io.Copy(io.Discard, out)
	close(p.replies)
	_ = p.cmd.Wait() // dead tells what ProcessState says
	close(p.exited)
}

// dead describes how the process ended.
func (p *Process) dead() *DeadError {
	reason := "ended: " + p.cmd.ProcessState.String()
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		reason = fmt.Sprintf("was killed by signal %d (%v)", status.Signal(), status.Signal())
		if status.Signal() == syscall.SIGKILL {
			reason += ", as the kernel does when memory runs out"
		}
	}
	return &DeadError{PID: p.cmd.Process.Pid, Reason: reason, Stderr: p.stderr.lastLine()}
}

// tail keeps the end of what was written to it.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	const keep = 4096
	t.b = append(t.b, b...)
	if len(t.b) > keep {
		t.b = append([]byte(nil), t.b[len(t.b)-keep:]...)
	}
	return len(b), nil
}

func (t *tail) lastLine() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := bytes.Split(bytes.TrimSpace(t.b), []byte("\n"))
	return strings.TrimSpace(string(lines[len(lines)-1]))
}
