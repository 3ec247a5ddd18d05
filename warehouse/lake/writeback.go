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

// writeBack has what is written into a folder go to the disk meanwhile. DuckDB
// leaves all of it in the page cache, where the kernel lets it lie for half a
// minute: whoever asks for it to be on the disk only then waits for the whole.
//
// Closing a file gives up the locks that this process has on it: not for a
// database in which others may write.
type writeBack struct {
	dir   string
	done  chan struct{}
	tasks sync.WaitGroup

	mu  sync.Mutex
	err error
}

// writeBackPause is between two looks at what was written.
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

// begin starts writing the files that have grown. What goes wrong is left to sync
// to find: files come and go here.
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

// sync begins to put a folder that is finished on the disk.
func (w *writeBack) sync(dir string) {
	w.tasks.Go(func() {
		if err := atomicfile.SyncTree(dir); err != nil {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.err = errors.Join(w.err, err)
		}
	})
}

// wait ends it, and returns when all that sync began is on the disk.
func (w *writeBack) wait() error {
	close(w.done)
	w.tasks.Wait()
	return w.err
}
