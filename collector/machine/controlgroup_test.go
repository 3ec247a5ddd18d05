package machine

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// fakeGroups writes what the kernel would show: the file that lists this process's
// groups, and files below the mount point.
func fakeGroups(t *testing.T, self string, files map[string]string) controlGroups {
	t.Helper()
	g := controlGroups{filepath.Join(t.TempDir(), "self"), t.TempDir()}
	if err := os.WriteFile(g.self, []byte(self), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		path := filepath.Join(g.root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

const (
	v1Stat = "nr_periods 9\nnr_throttled 3\nthrottled_time "
	v2Stat = "usage_usec 100\nuser_usec 60\nsystem_usec 40\nnr_periods 9\nnr_throttled 3\nthrottled_usec "
)

func TestThrottledInBothVersions(t *testing.T) {
	for name, of := range map[string]struct {
		self  string
		files map[string]string
		want  time.Duration
		none  bool
	}{
		"version 2": {"0::/a.slice/b.scope\n", map[string]string{
			"a.slice/b.scope/cpu.stat": v2Stat + "2500\n", "a.slice/cpu.stat": v2Stat + "0\n", "cpu.stat": "usage_usec 7\n",
		}, 2500 * time.Microsecond, false},
		"version 2, a quota above": {"0::/pod/container\n", map[string]string{
			"pod/container/cpu.stat": v2Stat + "10\n", "pod/cpu.stat": v2Stat + "300\n",
		}, 310 * time.Microsecond, false},
		"version 2 in a namespace":            {"0::/\n", map[string]string{"cpu.stat": v2Stat + "40\n"}, 40 * time.Microsecond, false},
		"version 2, outside of the namespace": {"0::/../other\n", map[string]string{"cpu.stat": v2Stat + "40\n"}, 40 * time.Microsecond, false},
		"version 2 without the controller": {"0::/a\n", map[string]string{
			"a/cpu.stat": "usage_usec 100\nuser_usec 60\nsystem_usec 40\n",
		}, 0, true},
		"version 1": {"3:cpuset:/\n2:cpu,cpuacct:/a\n1:name=systemd:/x\n", map[string]string{
			"cpu/a/cpu.stat": v1Stat + "1234\n", "cpu/cpu.stat": v1Stat + "0\n", "cpuset/cpu.stat": v1Stat + "9\n",
		}, 1234, false},
		"version 1, mounted by both names": {"2:cpu,cpuacct:/a\n", map[string]string{"cpu,cpuacct/a/cpu.stat": v1Stat + "55\n"}, 55, false},
		"version 1 in a container":         {"2:cpu:/docker/0123\n", map[string]string{"cpu/cpu.stat": v1Stat + "77\n"}, 77, false},
		"both, the controller in version 1": {"1:cpu:/a\n0::/a\n", map[string]string{
			"cpu/a/cpu.stat": v1Stat + "5\n", "unified/a/cpu.stat": v2Stat + "6\n",
		}, 5, false},
		"both, the controller in version 2": {"1:memory:/a\n0::/a\n", map[string]string{
			"memory/a/memory.stat": "total_rss 1\n", "unified/a/cpu.stat": v2Stat + "6\n", "a/cpu.stat": v2Stat + "7\n",
		}, 6 * time.Microsecond, false},
		"no groups":       {"", nil, 0, true},
		"malformed lines": {"0\n::\nabc\n", map[string]string{"cpu.stat": v2Stat + "1\n"}, 0, true},
		"not a number":    {"0::/\n", map[string]string{"cpu.stat": v2Stat + "many\n"}, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			got := fakeGroups(t, of.self, of.files).throttled()
			if (got == nil) != of.none || got != nil && *got != of.want {
				t.Errorf("%v, want %v", got, of.want)
			}
		})
	}
	if got := (controlGroups{self: "/nowhere"}).throttled(); got != nil {
		t.Errorf("%v without control groups", got)
	}
}

func TestMemoryLeftIsThatOfTheTightestLimit(t *testing.T) {
	const unlimited = "9223372036854771712\n"
	for name, of := range map[string]struct {
		self  string
		files map[string]string
		want  int64
		none  bool
	}{
		"version 2": {"0::/a/b\n", map[string]string{
			"a/b/memory.max": "max\n", "a/b/memory.stat": "anon 5\n",
			"a/memory.max": "1000\n", "a/memory.stat": "anon 100\nfile 700\nkernel 10\nshmem 1\n",
		}, 889, false},
		"version 2, two limits": {"0::/a/b\n", map[string]string{
			"a/b/memory.max": "500\n", "a/b/memory.stat": "anon 5\n", "a/memory.max": "1000\n", "a/memory.stat": "anon 600\n",
		}, 400, false},
		"version 2, over the limit": {"0::/a\n", map[string]string{"a/memory.max": "500\n", "a/memory.stat": "anon 600\n"}, 0, false},
		"version 1": {"4:memory:/a\n", map[string]string{
			"memory/a/memory.limit_in_bytes": "1000\n", "memory/a/memory.stat": "cache 9\nrss 1\ntotal_cache 300\ntotal_rss 200\ntotal_shmem 50\n",
			"memory/memory.limit_in_bytes": unlimited, "memory/memory.stat": "total_rss 1\n",
		}, 750, false},
		"version 1, no limit": {"4:memory:/\n", map[string]string{"memory/memory.limit_in_bytes": unlimited, "memory/memory.stat": "total_rss 1\n"}, 0, true},
		"no limit":            {"0::/a\n", map[string]string{"a/memory.max": "max\n", "a/memory.stat": "anon 1\n"}, 0, true},
		"no groups":           {"", nil, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, limited := fakeGroups(t, of.self, of.files).memoryLeft()
			if limited == of.none || got != of.want {
				t.Errorf("%d, %v, want %d", got, limited, of.want)
			}
		})
	}
}
