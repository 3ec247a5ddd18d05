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
	"github.com/sllmq/sllmq/collector/sllmstore/client"
	"github.com/sllmq/sllmq/warehouse/record"
)

// DeadError reports that a worker has ended, and how.
type DeadError struct {
	PID    int
	Reason string
	Stderr string // its last line
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
	// Session is the row of the process, without its run and number.
	Session record.Session

	opened  Open
	begun   time.Time       // Session.StartedAt, on the monotonic clock
	watched bool            // it takes no evidence: see watch
	store   *client.Process // that was started for it; nil: none

	cmd     *exec.Cmd
	in      io.WriteCloser
	first   []byte // precedes the first request
	replies chan []byte
	stderr  *tail
	given   sync.Once     // closes givenUp
	givenUp chan struct{} // closed when nobody reads its replies any more
	exited  chan struct{} // closed when the process has been reaped
}

// Start runs argv as a native worker and waits, at most timeout, until it is
// ready. If o asks for a store, it is started first.
func Start(ctx context.Context, argv []string, o Open, timeout time.Duration) (*Process, error) {
	return start(ctx, o, timeout, func() (*Process, error) { return spawn(argv, nil, o.Node) })
}

func start(ctx context.Context, o Open, timeout time.Duration, spawn func() (*Process, error)) (*Process, error) {
	store, err := startStore(ctx, &o, timeout)
	if err != nil {
		return nil, err
	}
	p, err := spawn()
	if err != nil {
		if store != nil {
			store.Kill()
		}
		return nil, err
	}
	p.opened, p.store = o, store
	if err := p.open(ctx, timeout); err != nil {
		p.kill()
		return nil, err
	}
	return p, nil
}

// open sends the Open request and waits until the worker is ready.
func (p *Process) open(ctx context.Context, timeout time.Duration) error {
	reply, err := p.ask(ctx, Request{Open: &p.opened}, timeout)
	switch {
	case err != nil:
		return err
	case reply.Error != "":
		return errors.New(reply.Error)
	case reply.Ready == nil || reply.Ready.PID == nil || reply.Ready.SetupTimeS == nil:
		return errors.New("the worker did not report that it is ready")
	}
	p.Session = *reply.Ready
	p.Session.StartedAt = p.begun.UTC()
	p.Session.StartTimeS = new(max(0, time.Since(p.begun).Seconds()-*p.Session.SetupTimeS))
	p.describeStore()
	return nil
}

// Roofline measures the machine in a process of its own, whose memory is freed
// before Roofline returns. Node is the NUMA node to run on; nil: any.
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
		err = errors.New("the worker did not report its measurements")
	}
	if err != nil {
		p.kill()
		return nil, err
	}
	const patience = 10 * time.Second
	return reply.Measured, p.Close(patience)
}

// spawn starts a process in the given environment, nil for this one's, and on a
// NUMA node, nil for any.
func spawn(argv, environment []string, node *int) (*Process, error) {
	p := &Process{
		cmd:     exec.Command(argv[0], argv[1:]...),
		replies: make(chan []byte),
		stderr:  &tail{},
		givenUp: make(chan struct{}),
		exited:  make(chan struct{}),
	}
	// Ctrl-C reaches every process of the terminal's group. The worker has its
	// own, because its parent decides when it ends.
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

// Load asks for one load and waits for its outcome, at most timeout. After an
// error the worker is gone: it died, which is a *DeadError, or was killed because
// ctx ended or the time was up.
func (p *Process) Load(ctx context.Context, r Load, timeout time.Duration) (*Outcome, error) {
	var o *Outcome
	var err error
	if p.watched {
		o, err = p.watch(ctx, r, timeout)
	} else {
		o, err = p.load(ctx, r, timeout)
	}
	if err != nil || p.store == nil {
		return o, err
	}
	if o.Load.Error != nil && o.Load.LoadingTimeS == nil {
		o.Load.Error = new(*o.Load.Error + p.store.Said())
	}
	if o.Over {
		// It may still write to the worker's memory.
		p.store.Kill()
	}
	return o, nil
}

func (p *Process) load(ctx context.Context, r Load, timeout time.Duration) (*Outcome, error) {
	reply, err := p.ask(ctx, Request{Load: &r}, timeout)
	if err == nil && reply.Outcome == nil {
		err = p.unexpected("an outcome", reply)
	}
	if err != nil {
		p.kill()
		return nil, err
	}
	return reply.Outcome, nil
}

// Generate asks for a text after a load that kept its tensors, and waits for it
// as Load does.
func (p *Process) Generate(ctx context.Context, g Generate, timeout time.Duration) (*record.Inference, error) {
	reply, err := p.ask(ctx, Request{Generate: &g}, timeout)
	if err == nil && reply.Generated == nil {
		err = p.unexpected("a text", reply)
	}
	if err != nil {
		p.kill()
		return nil, err
	}
	g.fillSettings(reply.Generated)
	return reply.Generated, nil
}

// Close ends the worker by closing its input, and kills it if it does not exit
// within patience.
func (p *Process) Close(patience time.Duration) error {
	closeErr := p.in.Close()
	select {
	case <-p.exited:
		closeErr = errors.Join(closeErr, p.stopStore())
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
	p.killStore()
}

// ask writes a request and waits for its reply.
func (p *Process) ask(ctx context.Context, r Request, timeout time.Duration) (Reply, error) {
	line, err := json.Marshal(r)
	if err != nil {
		return Reply{}, fmt.Errorf("write a request: %w", err)
	}
	line = append(append(p.first, line...), '\n')
	p.first = nil
	// A worker that does not read blocks what the pipe cannot hold, until it is
	// killed. A failed write means that it is gone; its exit tells how.
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
			return Reply{}, &DeadError{PID: p.cmd.Process.Pid, Reason: "wrote a line that is not a reply, and was killed", Stderr: err.Error()}
		}
		return reply, nil
	case <-timer.C:
		return Reply{}, &DeadError{PID: p.cmd.Process.Pid, Reason: fmt.Sprintf("did not answer within %v, and was killed", timeout)}
	case <-ctx.Done():
		return Reply{}, ctx.Err()
	}
}

// unexpected is the error of a worker that is killed because of an unexpected
// reply.
func (p *Process) unexpected(want string, reply Reply) *DeadError {
	return &DeadError{PID: p.cmd.Process.Pid, Reason: "did not answer with " + want, Stderr: reply.Error}
}

// listen forwards the worker's lines until there are no more, then reaps it.
func (p *Process) listen(out io.Reader) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		select {
		case p.replies <- append([]byte(nil), lines.Bytes()...):
		case <-p.givenUp:
		}
	}
	// A line too long ends the scan early. The rest is drained so that the worker
	// does not block writing it.
	_, _ = io.Copy(io.Discard, out)
	close(p.replies)
	_ = p.cmd.Wait() // dead reads ProcessState
	close(p.exited)
}

// dead returns how the process ended.
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

// tail is a writer that keeps the end of its input.
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
