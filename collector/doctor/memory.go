package doctor

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sllmq/sllmq/collector/hostmem"
	"github.com/sllmq/sllmq/collector/machine"
	"github.com/sllmq/sllmq/internal/size"
)

// memoryLock locks memory, since a sandbox may refuse what the limit allows.
func memoryLock(want int64) Finding {
	f := Finding{Check: "memory lock", State: OK, Do: "ulimit -l unlimited; LimitMEMLOCK=infinity in a systemd unit; --ulimit memlock=-1 for docker run"}
	limit := machine.LockableMemory()
	amount := int64(16 << 20)
	if limit >= 0 {
		page := int64(os.Getpagesize())
		amount = min(amount, limit/page*page)
	}
	switch err := lock(amount); {
	case amount == 0 || err != nil:
		f.State, f.Saw = Warn, "memory can't be locked: the kernel may swap the pool out, and copies to a GPU are slow"
		if err != nil {
			f.Saw += " (" + err.Error() + ")"
		}
	case limit < 0:
		f.Saw, f.Do = "no limit", ""
	case limit < want:
		f.State, f.Saw = Warn, fmt.Sprintf("limited to %s, less than the default pool of %s: the pool would be smaller or not locked", size.Decimal(limit), size.Decimal(want))
	default:
		f.Saw, f.Do = "limited to "+size.Decimal(limit), ""
	}
	return f
}

func lock(size int64) error {
	if size == 0 {
		return nil
	}
	b, err := hostmem.Map(size)
	if err != nil {
		return err
	}
	if err = unix.Mlock(b); err == nil {
		err = unix.Munlock(b)
	}
	return errors.Join(err, hostmem.Unmap(b))
}

func memory() Finding {
	f := Finding{Check: "memory", State: OK}
	available, err := machine.AvailableMemory()
	if err != nil {
		f.State, f.Saw = Warn, err.Error()
		return f
	}
	f.Saw = size.Decimal(available) + " available"
	const little = 2 << 30
	if available < little {
		f.State, f.Do = Warn, "stop other programs, or raise the container's limit: a load takes as much memory as the model, and the pool as much again"
	}
	return f
}

// hugePages checks transparent huge pages, which speed up large reads by up to a
// factor of two.
func hugePages() Finding {
	const file = "/sys/kernel/mm/transparent_hugepage/enabled"
	f := Finding{Check: "huge pages", State: OK}
	_, rest, _ := strings.Cut(machine.ReadLine(file), "[")
	f.Saw, _, _ = strings.Cut(rest, "]")
	switch f.Saw {
	case "":
		f.State, f.Saw = Warn, "not supported by this kernel, which splits large reads into small requests"
	case "never":
		f.State, f.Do = Warn, "echo madvise | sudo tee "+file
	}
	return f
}
