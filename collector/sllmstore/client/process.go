package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// readyLine is what a store prints when its pool is there.
const readyLine = "Starting gRPC server on"

// Command is how to start a store.
type Command struct {
	// Program and its first arguments: sllm-store start, or sllmq store serve,
	// which take the same flags.
	Program               []string
	StoragePath           string
	PoolBytes, ChunkBytes int64
	Threads               int
	Log                   string // file that its output is appended to
	// Place, if not nil, is called on the thread that starts the process, which
	// inherits that thread's CPUs and memory policy.
	Place func()
}

// Process is a store that was started.
type Process struct {
	Address   string
	PID       int
	StartTime time.Duration // until it was ready

	log    string
	from   int64 // where its output begins in the log
	exited chan struct{}
	state  *os.ProcessState // set before exited is closed
}

// Start starts a store on a free port of the loopback interface and waits, at
// most patience, until it has said that it is ready. Its memory takes seconds
// to minutes to fill and lock.
//
// It ends with Stop, and at the latest with this process, however that ends:
// the kernel kills it then.
func Start(ctx context.Context, c Command, patience time.Duration) (*Process, error) {
	name := c.Program[0]
	port, err := freePort()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	argv := append(c.Program[1:len(c.Program):len(c.Program)],
		"--storage-path", c.StoragePath,
		"--mem-pool-size", fmt.Sprintf("%dB", c.PoolBytes), "--chunk-size", fmt.Sprintf("%dB", c.ChunkBytes),
		"--num-thread", strconv.Itoa(c.Threads), "--host", "127.0.0.1", "--port", strconv.Itoa(port))
	log, err := os.OpenFile(c.Log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", name, err)
	}
	defer log.Close()
	fmt.Fprintf(log, "--- %s: %s %s\n", time.Now().UTC().Format(time.RFC3339), name, strings.Join(argv, " "))
	from, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", name, err)
	}
	p := &Process{Address: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), log: c.Log, from: from, exited: make(chan struct{})}
	cmd := exec.Command(name, argv...)
	cmd.Stdout, cmd.Stderr = log, log
	// Python keeps what it prints to a file for itself, the ready line too.
	cmd.Env = append(os.Environ(), "PYTHONUNBUFFERED=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	begun := time.Now()
	if err := p.run(cmd, c.Place); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	if err := p.await(ctx, patience); err != nil {
		p.Kill()
		return nil, fmt.Errorf("start %s: %w%s", name, err, p.Said())
	}
	p.StartTime = time.Since(begun)
	return p, nil
}

// freePort finds a port that nobody listens on now.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// run starts the process on a thread of its own that lives as long: the kernel
// takes the end of that thread for the end of the parent.
func (p *Process) run(cmd *exec.Cmd, place func()) error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // and not unlocked: the thread ends with the goroutine
		if place != nil {
			place()
		}
		err := cmd.Start()
		if err == nil {
			p.PID = cmd.Process.Pid
		}
		started <- err
		if err != nil {
			return
		}
		_ = cmd.Wait() // ProcessState tells
		p.state = cmd.ProcessState
		close(p.exited)
	}()
	return <-started
}

// await waits for the ready line, and then for an answer.
func (p *Process) await(ctx context.Context, patience time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("it did not say %q within %v", readyLine, patience))
	defer cancel()
	const look = 20 * time.Millisecond
	if err := p.poll(ctx, look, func() bool { return bytes.Contains(p.output(1<<20), []byte(readyLine)) }); err != nil {
		return err
	}
	c, err := Dial(p.Address)
	if err != nil {
		return err
	}
	defer c.Close()
	// It says so before it listens.
	answer := errors.New("it did not answer")
	if err := p.poll(ctx, look, func() bool {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_, answer = c.Describe(ctx)
		return answer == nil
	}); err != nil {
		return fmt.Errorf("%w (%w)", err, answer)
	}
	return nil
}

// poll looks again and again until done, the process is gone, or ctx ends.
func (p *Process) poll(ctx context.Context, every time.Duration, done func() bool) error {
	for !done() {
		select {
		case <-p.exited:
			if done() {
				return nil
			}
			return p.gone()
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(every):
		}
	}
	return nil
}

// Exited is closed when the process is gone.
func (p *Process) Exited() <-chan struct{} { return p.exited }

func (p *Process) gone() error {
	if status, ok := p.state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return fmt.Errorf("it was killed by signal %d (%v)", status.Signal(), status.Signal())
	}
	return fmt.Errorf("it ended: %v", p.state)
}

// Said is what the store said last, for the end of an error: empty, or a
// sentence with where to read on.
func (p *Process) Said() string {
	text := "; its log is " + p.log
	select {
	case <-p.exited:
		text = "; " + p.gone().Error() + text
	default:
	}
	const lines = 3
	var last []string
	for line := range strings.Lines(string(p.output(4096))) {
		if line = oneLine(escapes.ReplaceAllString(line, "")); line != "" {
			last = append(last, line)
		}
	}
	if len(last) == 0 {
		return text
	}
	last = last[max(0, len(last)-lines):]
	return text + " and ends: " + oneLine(strings.Join(last, " | "))
}

// escapes are what colours are made with.
var escapes = regexp.MustCompile("\x1b\\[[0-9;]*[A-Za-z]")

// output is the end of what the process has said, at most so many bytes.
func (p *Process) output(most int64) []byte {
	f, err := os.Open(p.log)
	if err != nil {
		return nil
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil
	}
	from := max(p.from, info.Size()-most)
	b := make([]byte, max(0, info.Size()-from))
	n, _ := f.ReadAt(b, from) // a partial read is enough
	return b[:n]
}

// Stop ends the store as it should end, and kills it if it does not within
// patience.
func (p *Process) Stop(patience time.Duration) error {
	_ = syscall.Kill(-p.PID, syscall.SIGTERM) // it may be gone
	select {
	case <-p.exited:
		p.Kill() // whom it has left behind
		return nil
	case <-time.After(patience):
		p.Kill()
		return fmt.Errorf("the store %d did not end within %v and was killed%s", p.PID, patience, p.Said())
	}
}

// Kill ends the store, and whatever it started, at once.
func (p *Process) Kill() {
	_ = syscall.Kill(-p.PID, syscall.SIGKILL) // they may be gone
	<-p.exited
}
