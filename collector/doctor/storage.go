package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/sllmq/sllmq/collector/directio"
	"github.com/sllmq/sllmq/collector/hostmem"
	"github.com/sllmq/sllmq/collector/machine"
	"github.com/sllmq/sllmq/internal/size"
)

// storage tries the storage path with a file of its own: it writes the file,
// reads it past the page cache and drops it from there.
func storage(ctx context.Context, path string) []Finding {
	at := machine.Existing(path)
	where := path
	if at != path {
		where = fmt.Sprintf("%s (%s does not exist yet)", at, path)
	}
	list := []Finding{filesystem(ctx, path, where), space(path)}
	direct := Finding{Check: "O_DIRECT", State: OK, Saw: "works on " + where}
	cold := Finding{Check: "page cache", State: OK, Saw: "files can be dropped from it before a load"}
	name, err := write(at)
	if err != nil {
		return append(list, Finding{Check: "writing", State: Fail, Saw: err.Error(), Do: "set --storage-path to a folder that this user may write to"})
	}
	inForce, err := readDirect(name)
	switch {
	case err != nil:
		direct.State, direct.Saw, direct.Do = Fail, err.Error(), "measure on another filesystem"
	case !inForce:
		direct.State, direct.Saw, direct.Do = Warn, "refused on "+where+": loaders that request it read through the page cache instead, which their rows record", "measure on ext4 or XFS on a block device"
	}
	left, err := drop(ctx, name)
	switch {
	case err != nil:
		cold.State, cold.Saw = Warn, err.Error()
	case left > 0:
		cold.State, cold.Saw, cold.Do = Warn, fmt.Sprintf("keeps %d of %d bytes after they were dropped: random loads would not be cold", left, trial), "measure on a filesystem on a block device"
	}
	if err := os.Remove(name); err != nil {
		list = append(list, Finding{Check: "writing", State: Warn, Saw: err.Error()})
	}
	return append(list, direct, cold)
}

// trial is how many bytes are written to try the storage or a GPU.
const trial = 1 << 20

func pattern() []byte { return bytes.Repeat([]byte("sllmq doctor\n\x00\x01\x02"), trial/16) }

func write(dir string) (name string, err error) {
	f, err := os.CreateTemp(dir, ".sllmq-doctor-*")
	if err != nil {
		return "", err
	}
	_, err = f.Write(pattern())
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

func readDirect(name string) (inForce bool, err error) {
	f, err := directio.Open(name, trial, true)
	if err != nil {
		return false, err
	}
	b, err := hostmem.Map(trial)
	if err == nil {
		if _, err = f.ReadAt(b[:trial], 0); err == nil && !bytes.Equal(b[:trial], pattern()) {
			err = fmt.Errorf("%s: read other bytes than were written", name)
		}
		err = errors.Join(err, hostmem.Unmap(b))
	}
	return f.Direct, errors.Join(err, f.Close())
}

// drop brings a file into the page cache, drops it, and returns how many bytes
// stay.
func drop(ctx context.Context, name string) (left int64, err error) {
	if _, err := os.ReadFile(name); err != nil {
		return 0, err
	}
	for range 5 { // a page under writeback stays for a moment
		if err := machine.Drop([]string{name}); err != nil {
			return 0, err
		}
		if left, err = machine.Resident([]string{name}); err != nil || left == 0 {
			return left, err
		}
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return left, err
		}
	}
	return left, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func filesystem(ctx context.Context, path, where string) Finding {
	f := Finding{Check: "storage", State: OK}
	m, err := machine.Describe(ctx, path)
	if err != nil {
		f.State, f.Saw = Fail, err.Error()
		return f
	}
	text := func(before string, s *string) string {
		if s == nil {
			return ""
		}
		return before + *s
	}
	f.Saw = where + text(", ", m.Filesystem) + text(" on ", m.StorageDevice) + text(", ", m.StorageModel)
	switch {
	case m.StorageDevice == nil:
		f.State, f.Do = Warn, "it has no block device, so the source of the bytes is uncertain; to measure a local disk, put the storage path on one"
	case m.StorageRotational != nil && *m.StorageRotational:
		f.Saw += ", reported as rotating"
	}
	return f
}

func space(path string) Finding {
	f := Finding{Check: "free space", State: OK}
	free, err := machine.FreeSpace(path)
	if err != nil {
		f.State, f.Saw = Fail, err.Error()
		return f
	}
	f.Saw = size.Decimal(free)
	const little, hardly = 20e9, 100e6
	switch {
	case free < hardly:
		f.State, f.Do = Fail, "sllmq models lists what can be removed"
	case free < little:
		f.State, f.Do = Warn, "sllmq plan previews how much a benchmark needs; sllmq models lists what can be removed"
	}
	return f
}
