package worker

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/inference"
	"github.com/sllmq/sllmq/collector/loader"
	"github.com/sllmq/sllmq/collector/machine"
	"github.com/sllmq/sllmq/collector/roofline"
)

// Serve is the native worker: it answers the requests on in until in ends,
// then returns nil. A load under way when in ends is cancelled.
func Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	requests := make(chan []byte)
	ended := make(chan error, 1)
	go func() {
		// The reader is apart from the work, so that a parent that is gone
		// stops the load under way.
		defer cancel()
		defer close(requests)
		lines := bufio.NewScanner(in)
		lines.Buffer(nil, maxLine)
		for lines.Scan() {
			select {
			case requests <- append([]byte(nil), lines.Bytes()...):
			case <-ctx.Done():
				return
			}
		}
		ended <- lines.Err()
	}()

	var n native
	defer n.close()
	replies := json.NewEncoder(out)
	for line := range requests {
		reply := n.answer(ctx, line)
		if err := replies.Encode(reply); err != nil {
			return fmt.Errorf("answer the parent: %w", err)
		}
	}
	select {
	case err := <-ended:
		if err != nil {
			return fmt.Errorf("read the parent's requests: %w", err)
		}
		return nil
	default:
		return ctx.Err()
	}
}

// native is the worker's state between requests.
type native struct {
	open   *Open
	device device.Device
	loader loader.Loader
	held   *loader.Loaded // the last load's tensors, kept for a generation

	textRead bool
	textOf   *text
	textErr  error

	gpu    *inference.GPU // that generates, from the first time on
	gpuErr error          // why it can't
}

func (n *native) answer(ctx context.Context, line []byte) Reply {
	var r Request
	switch err := json.Unmarshal(line, &r); {
	case err != nil:
		return Reply{Error: fmt.Sprintf("worker: a request is no JSON: %v", err)}
	case r.Open != nil && n.open == nil:
		ready, err := n.start(*r.Open)
		if err != nil {
			return Reply{Error: err.Error()}
		}
		return Reply{Ready: ready}
	case r.Roofline != nil && n.open == nil:
		m := &Measured{At: time.Now().UTC()}
		var err error
		if m.Measurements, err = roofline.Measure(ctx, *r.Roofline); err != nil {
			return Reply{Error: err.Error()}
		}
		return Reply{Measured: m}
	case r.Load != nil && n.open != nil && n.held == nil:
		return Reply{Outcome: n.measure(ctx, *r.Load)}
	case r.Generate != nil && n.held != nil:
		g := n.generate(ctx, *r.Generate)
		if err := n.free(); err != nil && g.Error == "" {
			g.Error = err.Error()
		}
		return Reply{Generated: g}
	default:
		return Reply{Error: "worker: a request is out of turn: first open, then loads, and a generation after a load that was kept"}
	}
}

func (n *native) start(o Open) (*Ready, error) {
	begun := time.Now()
	technique, err := loader.Find(o.Loader)
	if err != nil {
		return nil, err
	}
	format, err := checkpoint.ParseFormat(o.Format)
	if err != nil {
		return nil, err
	}
	if !technique.Takes(format) {
		return nil, fmt.Errorf("loader %s does not load %s", o.Loader, format)
	}
	openDevice := device.Open
	if technique.Served {
		openDevice = device.OpenShared
	}
	d, err := openDevice(o.Device, o.DeviceBytes)
	if err != nil {
		return nil, err
	}
	l, err := technique.Open(loader.Options{
		Format:     format,
		Device:     d,
		Threads:    o.Threads,
		ChunkBytes: o.ChunkBytes,
		PoolBytes:  o.PoolBytes,
		Depth:      o.Depth,
		IOBytes:    o.IOBytes,
		Stream:     o.Stream,
		Buffered:   o.Buffered,
		GDS:        o.GDS,
		Store:      o.Store.options(),
	})
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	n.open, n.device, n.loader = &o, d, l
	ready := &Ready{PID: os.Getpid(), SetupS: time.Since(begun).Seconds()}
	if p, ok := l.(loader.Preparer); ok {
		prepared := p.Prepared()
		ready.PoolBytes = &prepared.PoolBytes
		if !prepared.LockUnknown {
			ready.PoolLocked = new(prepared.LockError == nil)
		}
		if prepared.LockError != nil {
			ready.LockReason = prepared.LockError.Error()
		}
	}
	ready.ServedBy = servedBy(l)
	ready.Node, ready.HugePageBytes = placedOn(), machine.HugePageBytes()
	return ready, nil
}

// close gives everything back; the process ends right after, so that a
// failure has nobody to tell.
func (n *native) close() {
	if n.open == nil {
		return
	}
	_ = n.free()
	if n.gpu != nil {
		_ = n.gpu.Close()
	}
	_ = n.loader.Close()
	_ = n.device.Close()
}
