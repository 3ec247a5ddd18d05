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
	"github.com/sllmq/sllmq/warehouse/record"
)

// Serve is the native worker. It answers the requests on in until in ends, then
// returns nil. A load that is running when in ends is cancelled.
func Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	requests := make(chan []byte)
	ended := make(chan error, 1)
	go func() {
		// Requests are read concurrently, so that a load stops when the parent is
		// gone.
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
	held   *loader.Loaded // the last load's tensors, kept for Generate

	textRead bool
	textOf   *text
	textErr  error

	gpu    *inference.GPU // that generates; opened by the first Generate
	gpuErr error          // why it cannot
}

func (n *native) answer(ctx context.Context, line []byte) Reply {
	var r Request
	switch err := json.Unmarshal(line, &r); {
	case err != nil:
		return Reply{Error: fmt.Sprintf("worker: the request is not JSON: %v", err)}
	case r.Open != nil && n.open == nil:
		ready, err := n.start(ctx, *r.Open)
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
		if err := n.free(); err != nil && g.Error == nil {
			g.Error = new(err.Error())
		}
		return Reply{Generated: g}
	default:
		return Reply{Error: "worker: unexpected request: send open, then loads, and generate after a load with keep"}
	}
}

func (n *native) start(ctx context.Context, o Open) (*record.Session, error) {
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
	var store loader.StoreOptions
	if o.Store != nil {
		store = o.Store.StoreOptions
	}
	l, err := technique.Open(ctx, loader.Options{
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
		Store:      store,
	})
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	n.open, n.device, n.loader = &o, d, l
	ready := &record.Session{PID: new(int64(os.Getpid())), SetupTimeS: new(time.Since(begun).Seconds())}
	if p, ok := l.(loader.Preparer); ok {
		prepared := p.Prepared()
		ready.PoolBytes = &prepared.PoolBytes
		if !prepared.LockUnknown {
			ready.PoolLocked = new(prepared.LockError == nil)
		}
		if prepared.LockError != nil {
			ready.PoolLockReason = new(prepared.LockError.Error())
		}
		if prepared.StoreVersion != "" {
			ready.StoreVersion = &prepared.StoreVersion
		}
	}
	ready.NUMANode, ready.HugePageBytes = placedOn(), machine.HugePageBytes()
	return ready, nil
}

// close frees everything. The process ends right afterwards, so errors have no
// reader.
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
