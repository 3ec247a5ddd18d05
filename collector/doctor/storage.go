package doctor

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/sllmq/sllmq/collector/directio"
	"github.com/sllmq/sllmq/collector/hostmem"
	"github.com/sllmq/sllmq/collector/machine"
	"github.com/sllmq/sllmq/health"
	"github.com/sllmq/sllmq/internal/size"
)

// storage tries the storage path with a file of its own: writing, reading past
// the page cache, and dropping from it.
func storage(path string) []health.Finding {
	at := machine.Existing(path)
	where := path
	if at != path {
		where = fmt.Sprintf("%s (%s is not there yet)", at, path)
	}
	list := []health.Finding{filesystem(path, where), space(path)}
	direct := health.Finding{Check: "O_DIRECT", State: health.OK, Saw: "in force on " + where}
	cold := health.Finding{Check: "page cache", State: health.OK, Saw: "a file's pages can be dropped before a load"}
	name, err := write(at)
	if err != nil {
		return append(list, health.Finding{Check: "writing", State: health.Fail, Saw: err.Error(), Do: "give --storage-path a folder that this user may write to"})
	}
	inForce, err := readDirect(name)
	switch {
	case err != nil:
		direct.State, direct.Saw, direct.Do = health.Fail, err.Error(), "measure on another filesystem"
	case !inForce:
		direct.State, direct.Saw, direct.Do = health.Warn, "refused on "+where+": loaders that ask for it go through the page cache, and their rows say so", "measure on ext4 or XFS on a block device"
	}
	left, err := dropped(name)
	switch {
	case err != nil:
		cold.State, cold.Saw = health.Warn, err.Error()
	case left > 0:
		cold.State, cold.Saw, cold.Do = health.Warn, fmt.Sprintf("%d of %d bytes stay in it after they were dropped: random loads would not be cold", left, trial), "measure on a filesystem that lies on a block device"
	}
	if err := os.Remove(name); err != nil {
		list = append(list, health.Finding{Check: "writing", State: health.Warn, Saw: err.Error()})
	}
	return append(list, direct, cold)
}

// trial is how much is written to try the storage, in bytes.
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
			err = fmt.Errorf("%s reads back as something else", name)
		}
		err = errors.Join(err, hostmem.Unmap(b))
	}
	return f.Direct, errors.Join(err, f.Close())
}

func dropped(name string) (left int64, err error) {
	if _, err := os.ReadFile(name); err != nil { // into the page cache
		return 0, err
	}
	for range 5 { // a page that is being written stays for a moment
		if err := machine.Drop([]string{name}); err != nil {
			return 0, err
		}
		if left, err = machine.Resident([]string{name}); err != nil || left == 0 {
			return left, err
		}
		time.Sleep(20 * time.Millisecond)
	}
	return left, nil
}

func filesystem(path, where string) health.Finding {
	f := health.Finding{Check: "storage", State: health.OK}
	m, err := machine.Machine(path)
	if err != nil {
		return health.Finding{Check: f.Check, State: health.Fail, Saw: err.Error()}
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
		f.State, f.Do = health.Warn, "no block device is under it: what is read from where can't be told apart; measure on a local disk if that is meant"
	case m.StorageRotational != nil && *m.StorageRotational:
		f.Saw += ", said to be rotating"
	}
	return f
}

func space(path string) health.Finding {
	f := health.Finding{Check: "free space", State: health.OK}
	free, err := machine.FreeSpace(path)
	if err != nil {
		return health.Finding{Check: f.Check, State: health.Fail, Saw: err.Error()}
	}
	f.Saw = size.Decimal(free)
	const little, hardly = 20e9, 100e6
	switch {
	case free < hardly:
		f.State, f.Do = health.Fail, "sllmq models lists what can be removed"
	case free < little:
		f.State, f.Do = health.Warn, "sllmq plan says what a benchmark takes; sllmq models lists what can be removed"
	}
	return f
}

// sysfs is a one-line file of the kernel's.
func sysfs(elem ...string) string {
	text, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(text))
}
