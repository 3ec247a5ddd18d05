package machine

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit in which /proc counts CPU time on every architecture that Go
// supports: the kernel's USER_HZ, whatever its own rate.
const tick = time.Second / 100

// ReadLine reads a one-line file of /proc or /sys without its line feed. It
// returns "" if there is no such file.
func ReadLine(elem ...string) string {
	b, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// memInfo reads a number of /proc/meminfo, in bytes.
func memInfo(key string) (int64, error) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, fmt.Errorf("read available memory: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(line, ":")
		if name != key {
			continue
		}
		n, err := kibibytes(rest)
		if err != nil {
			return 0, fmt.Errorf("read %s of /proc/meminfo: %w", key, err)
		}
		return n, nil
	}
	return 0, fmt.Errorf("/proc/meminfo has no %s", key)
}

// kibibytes parses a size such as " 1024 kB", as /proc writes it.
func kibibytes(s string) (bytes int64, err error) {
	kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(s), " kB"), 10, 64)
	return kib << 10, err
}

// known returns nil for a fact that nobody reports.
func known(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// count counts the files that match a pattern; nil if none does.
func count(pattern string) *int64 {
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) == 0 {
		return nil
	}
	return new(int64(len(found)))
}
