package machine

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// controlGroups is where the kernel tells of control groups (cgroups(7)): of
// version 2, which has one tree, of version 1, which has one for each controller,
// or of both side by side, each controller in one of them.
type controlGroups struct {
	self string // the file that says which groups this process is in
	root string // where the trees are mounted
}

var theControlGroups = controlGroups{self: "/proc/self/cgroup", root: "/sys/fs/cgroup"}

// groups are the folders of this process's group for a controller and of those
// above it, the nearest first, and the version that they are of; 0: there is none.
// In a container the file may name groups that lie above what is mounted there;
// then only the mounted ones are.
func (g controlGroups) groups(controller string) (version int, dirs []string) {
	text, err := os.ReadFile(g.self)
	if err != nil {
		return 0, nil
	}
	var tree, group string
	for line := range strings.Lines(string(text)) {
		// A line is number:controllers:path, of version 2 without controllers.
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		switch {
		case len(parts) != 3:
		case slices.Contains(strings.Split(parts[1], ","), controller):
			version, tree, group = 1, filepath.Join(g.root, controller), parts[2]
			if !isFolder(tree) {
				tree = filepath.Join(g.root, parts[1]) // no link for each name
			}
		case parts[0] == "0" && parts[1] == "" && version == 0:
			version, tree, group = 2, g.root, parts[2]
			if unified := filepath.Join(g.root, "unified"); isFolder(unified) {
				tree = unified
			}
		}
	}
	if version == 0 {
		return 0, nil
	}
	for group = filepath.Clean("/" + group); ; group = filepath.Dir(group) {
		if dir := filepath.Join(tree, group); isFolder(dir) {
			dirs = append(dirs, dir)
		}
		if group == "/" {
			return version, dirs
		}
	}
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// throttled is how long quotas of CPU time were used up, of this process's group
// and of those above it together; nil where that is not told. Without a quota it
// is 0.
func (g controlGroups) throttled() *time.Duration {
	version, dirs := g.groups("cpu")
	key, unit := "throttled_usec", time.Microsecond
	if version == 1 {
		key, unit = "throttled_time", time.Nanosecond
	}
	var sum time.Duration
	told := false
	for _, dir := range dirs {
		if n, ok := numbersIn(dir, "cpu.stat")[key]; ok {
			sum += time.Duration(n) * unit
			told = true
		}
	}
	if !told {
		return nil
	}
	return &sum
}

// memoryLeft is how many bytes the limits of this process's group and of those
// above it leave; false where there is no limit. Page cache does not count, since
// it gives way.
func (g controlGroups) memoryLeft() (least int64, limited bool) {
	version, dirs := g.groups("memory")
	file, taken := "memory.max", []string{"anon", "kernel", "shmem"}
	if version == 1 {
		file, taken = "memory.limit_in_bytes", []string{"total_rss", "total_shmem"}
	}
	// Version 1 has a number for no limit: the largest of whole pages.
	const none = 1 << 62
	for _, dir := range dirs {
		left, err := strconv.ParseInt(readLine(dir, file), 10, 64)
		if err != nil || left >= none {
			continue // "max", or no such file
		}
		stat := numbersIn(dir, "memory.stat")
		if stat == nil {
			continue
		}
		for _, key := range taken {
			left -= stat[key]
		}
		if !limited || left < least {
			least, limited = left, true
		}
	}
	return max(0, least), limited
}

// numbersIn reads a file whose lines are a key and a number, nil where there is
// none.
func numbersIn(elem ...string) map[string]int64 {
	text, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		return nil
	}
	numbers := map[string]int64{}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if n, err := strconv.ParseInt(value, 10, 64); err == nil {
			numbers[key] = n
		}
	}
	return numbers
}
