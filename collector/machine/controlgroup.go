package machine

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// controlGroups is where the kernel describes control groups (cgroups(7)):
// version 2 has one tree, version 1 one for each controller, and a machine may
// have both, with each controller in one of them.
type controlGroups struct {
	self string // the file that lists the groups of this process
	root string // where the trees are mounted
}

var theControlGroups = controlGroups{self: "/proc/self/cgroup", root: "/sys/fs/cgroup"}

// groups returns the folders of this process's group for a controller and of the
// groups above it, nearest first, and the version that has the controller, 0 for
// neither. In a container the file may name groups above the mounted ones, which
// are left out.
func (g controlGroups) groups(controller string) (version int, dirs []string) {
	text, err := os.ReadFile(g.self)
	if err != nil {
		return 0, nil
	}
	var tree, group string
	for line := range strings.Lines(string(text)) {
		// A line is number:controllers:path; version 2 has 0 and no controllers.
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		switch {
		case len(parts) != 3:
		case slices.Contains(strings.Split(parts[1], ","), controller):
			version, tree, group = 1, filepath.Join(g.root, controller), parts[2]
			if !isFolder(tree) {
				tree = filepath.Join(g.root, parts[1]) // no symbolic link for each name
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

// throttled returns how long CPU quotas held back this process's group and those
// above it, together; 0 without a quota, nil if the kernel does not report it.
func (g controlGroups) throttled() *time.Duration {
	version, dirs := g.groups("cpu")
	key, unit := "throttled_usec", time.Microsecond
	if version == 1 {
		key, unit = "throttled_time", time.Nanosecond
	}
	var sum time.Duration
	reported := false
	for _, dir := range dirs {
		if n, ok := numbersIn(dir, "cpu.stat")[key]; ok {
			sum += time.Duration(n) * unit
			reported = true
		}
	}
	if !reported {
		return nil
	}
	return &sum
}

// memoryLeft returns how many bytes the limits of this process's group and of
// those above it leave; false if there is no limit. Page cache does not count as
// used: the kernel reclaims it.
func (g controlGroups) memoryLeft() (least int64, limited bool) {
	version, dirs := g.groups("memory")
	file, taken := "memory.max", []string{"anon", "kernel", "shmem"}
	if version == 1 {
		file, taken = "memory.limit_in_bytes", []string{"total_rss", "total_shmem"}
	}
	// Version 1 writes the largest multiple of a page for no limit.
	const none = 1 << 62
	for _, dir := range dirs {
		left, err := strconv.ParseInt(ReadLine(dir, file), 10, 64)
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

// numbersIn reads a file whose lines are a key and a number; nil if there is no
// such file.
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
