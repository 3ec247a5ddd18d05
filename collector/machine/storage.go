package machine

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sllmq/sllmq/warehouse/record"
)

// describeStorage fills in the filesystem and the block device under path.
func describeStorage(path string, m *record.Machine) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("find the storage path: %w", err)
	}
	at := Existing(path)
	if real, err := filepath.EvalSymlinks(at); err == nil {
		at = real
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(at, &fs); err != nil {
		return fmt.Errorf("read the filesystem of %s: %w", at, err)
	}
	m.StorageBytes = new(int64(fs.Blocks) * fs.Bsize)

	mount, ok := mountOf(at)
	if !ok {
		return nil
	}
	m.MountPoint, m.Filesystem, m.MountOptions = &mount.point, &mount.filesystem, &mount.options
	if kib, err := strconv.ParseInt(ReadLine("/sys/class/bdi", mount.device, "read_ahead_kb"), 10, 64); err == nil {
		m.StorageReadAheadBytes = new(kib << 10)
	}
	device, err := filepath.EvalSymlinks(filepath.Join("/sys/dev/block", mount.device))
	if err != nil {
		return nil // tmpfs, overlay, network: no block device
	}
	m.StorageDevice = new(filepath.Base(device))
	if _, err := os.Stat(filepath.Join(device, "queue")); err != nil {
		device = filepath.Dir(device) // a partition: its disk has the queue
	}
	m.StorageModel = known(ReadLine(device, "device", "model"))
	if rotational := ReadLine(device, "queue", "rotational"); rotational != "" {
		m.StorageRotational = new(rotational == "1")
	}
	_, rest, _ := strings.Cut(ReadLine(device, "queue", "scheduler"), "[")
	if word, _, ok := strings.Cut(rest, "]"); ok {
		m.StorageScheduler = &word
	}
	if kib, err := strconv.ParseInt(ReadLine(device, "queue", "max_sectors_kb"), 10, 64); err == nil {
		m.StorageMaxIOBytes = new(kib << 10)
	}
	return nil
}

// FreeSpace returns how many bytes this user can still write under path, which
// need not exist yet.
func FreeSpace(path string) (int64, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return 0, fmt.Errorf("find the storage path: %w", err)
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(Existing(path), &fs); err != nil {
		return 0, fmt.Errorf("read the free space of %s: %w", path, err)
	}
	return int64(fs.Bavail) * fs.Bsize, nil
}

// Existing returns the nearest existing parent of an absolute path, or the path
// itself if it exists.
func Existing(path string) string {
	for path != "/" {
		if _, err := os.Stat(path); err == nil {
			return path
		}
		path = filepath.Dir(path)
	}
	return path
}

type mount struct{ device, point, filesystem, options string }

// mountOf finds the mount that holds an absolute path: the last of the longest
// mount points that lead to it (proc_pid_mountinfo(5)).
func mountOf(path string) (mount, bool) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return mount{}, false
	}
	var best mount
	for line := range strings.Lines(string(text)) {
		before, after, ok := strings.Cut(strings.TrimSpace(line), " - ")
		fields, tail := strings.Fields(before), strings.Fields(after)
		if !ok || len(fields) < 6 || len(tail) < 1 {
			continue
		}
		point := unescapeMount(fields[4])
		if point != "/" && path != point && !strings.HasPrefix(path, point+"/") {
			continue
		}
		if len(point) >= len(best.point) {
			best = mount{device: fields[2], point: point, filesystem: tail[0], options: fields[5]}
		}
	}
	return best, best.point != ""
}

// unescapeMount undoes the octal escapes that the kernel writes for white space.
var unescapeMount = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace

// BlockDevice returns the folder under /sys/devices of the block device that
// holds a file. It is "" for a filesystem without one of its own, such as tmpfs,
// overlay or NFS.
func BlockDevice(path string) string {
	var stat unix.Stat_t
	if err := unix.Stat(path, &stat); err != nil {
		return ""
	}
	dir := fmt.Sprintf("/sys/dev/block/%d:%d", unix.Major(stat.Dev), unix.Minor(stat.Dev))
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return ""
	}
	if _, err := os.Stat(filepath.Join(real, "stat")); err != nil {
		return ""
	}
	return real
}

// blockStat reads a block device's counters (Documentation/block/stat.rst of the
// kernel): reads, bytes read (from sectors of 512), and the time with a request
// in flight.
func blockStat(dir string) (reads, bytes *int64, busy *time.Duration) {
	fields := strings.Fields(ReadLine(dir, "stat"))
	if len(fields) < 11 {
		return nil, nil, nil
	}
	var n [11]int64
	for i := range n {
		var err error
		if n[i], err = strconv.ParseInt(fields[i], 10, 64); err != nil {
			return nil, nil, nil
		}
	}
	return &n[0], new(n[2] * 512), new(time.Duration(n[9]) * time.Millisecond)
}
