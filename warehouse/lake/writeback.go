package lake

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sllmq/sllmq/internal/atomicfile"
)

// writeBack starts writing files of a folder to the disk while they grow. DuckDB
// leaves its output in the page cache, and the kernel lets it lie there for half a
// minute: a sync at the end would wait for all of it.
//
// It opens and closes the files, which releases this process's locks on them, so it
// is not for databases.
type writeBack struct {
	dir   string
	done  chan struct{}
	tasks sync.WaitGroup

	mu  sync.Mutex
	err error
}

// writeBackPause is the time between two looks at the files.
const writeBackPause = 100 * time.Millisecond

func newWriteBack(dir string) *writeBack {
	w := &writeBack{dir: dir, done: make(chan struct{})}
	w.tasks.Go(func() {
		seen := map[string]int64{}
		for ticks := time.NewTicker(writeBackPause); ; {
			select {
			case <-w.done:
				ticks.Stop()
				return
			case <-ticks.C:
				w.begin(seen)
			}
		}
	})
	return w
}

// begin starts writing the files that have grown. It leaves errors to sync, since
// files come and go here.
func (w *writeBack) begin(seen map[string]int64) {
	_ = filepath.WalkDir(w.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return nil
		}
		info, err := entry.Info()
		if err != nil || info.Size() == seen[path] {
			return nil
		}
		seen[path] = info.Size()
		if f, err := os.Open(path); err == nil {
			_ = unix.SyncFileRange(int(f.Fd()), 0, 0, unix.SYNC_FILE_RANGE_WRITE)
			_ = f.Close()
		}
		return nil
	})
}

// sync starts syncing a folder that is complete.
func (w *writeBack) sync(dir string) {
	w.tasks.Go(func() {
		if err := atomicfile.SyncTree(dir); err != nil {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.err = errors.Join(w.err, err)
		}
	})
}

// wait stops, and returns when everything that sync started is on the disk.
func (w *writeBack) wait() error {
	close(w.done)
	w.tasks.Wait()
	return w.err
}
