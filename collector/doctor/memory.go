package doctor

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sllmq/sllmq/collector/hostmem"
	"github.com/sllmq/sllmq/collector/machine"
	"github.com/sllmq/sllmq/health"
	"github.com/sllmq/sllmq/internal/size"
)

// memoryLock tries to lock memory, since a sandbox may refuse what the limit
// allows.
func memoryLock(want int64) health.Finding {
	f := health.Finding{Check: "memory lock", State: health.OK, Do: "ulimit -l unlimited; LimitMEMLOCK=infinity in a systemd unit; --ulimit memlock=-1 for docker run"}
	limit := machine.LockableMemory()
	const most = 16 << 20
	try := int64(most)
	if limit >= 0 {
		try = min(try, limit/int64(os.Getpagesize())*int64(os.Getpagesize()))
	}
	switch err := lock(try); {
	case try == 0 || err != nil:
		f.State, f.Saw = health.Warn, "none may be locked: the pool's pages may be swapped out, and copies to a GPU are slow"
		if err != nil {
			f.Saw += " (" + err.Error() + ")"
		}
	case limit < 0:
		f.Saw, f.Do = "no limit", ""
	case limit < want:
		f.State, f.Saw = health.Warn, fmt.Sprintf("%s may be locked, and the pool is %s by default: it would not be locked, or smaller", size.Decimal(limit), size.Decimal(want))
	default:
		f.Saw, f.Do = size.Decimal(limit)+" may be locked", ""
	}
	return f
}

func lock(size int64) (err error) {
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
	if unmapErr := hostmem.Unmap(b); err == nil {
		err = unmapErr
	}
	return err
}

func memory() health.Finding {
	f := health.Finding{Check: "memory", State: health.OK}
	available, err := machine.AvailableMemory()
	if err != nil {
		return health.Finding{Check: f.Check, State: health.Warn, Saw: err.Error()}
	}
	f.Saw = size.Decimal(available) + " available"
	const little = 2 << 30
	if available < little {
		f.State, f.Do = health.Warn, "stop what else runs, or raise the container's limit: a load takes the model's size, and the pool as much again"
	}
	return f
}

// hugePages of the kernel's own making are worth up to a factor of two where
// requests to the storage are large.
func hugePages() health.Finding {
	const file = "/sys/kernel/mm/transparent_hugepage/enabled"
	f := health.Finding{Check: "huge pages", State: health.OK}
	text, err := os.ReadFile(file)
	_, rest, _ := strings.Cut(string(text), "[")
	f.Saw, _, _ = strings.Cut(rest, "]")
	switch {
	case err != nil || f.Saw == "":
		f.State, f.Saw = health.Warn, "this kernel has none: large reads are cut into small requests"
	case f.Saw == "never":
		f.State, f.Do = health.Warn, "echo madvise | sudo tee "+file
	}
	return f
}
