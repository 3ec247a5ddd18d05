package machine_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/sllmq/sllmq/collector/machine"
	"github.com/sllmq/sllmq/collector/machine/grouptest"
)

// With this variable set TestACPUQuotaIsCounted is the process with a quota.
const underQuota = "SLLMQ_TEST_UNDER_QUOTA"

// TestACPUQuotaIsCounted limits a process to a tenth of a CPU. It needs root and the
// cpu controller, in either version of control groups.
func TestACPUQuotaIsCounted(t *testing.T) {
	if os.Getenv(underQuota) == "" {
		group := grouptest.Make(t,
			grouptest.Limit{Controller: "cpu", Settings: [][2]string{{"cpu.cfs_period_us", "10000"}, {"cpu.cfs_quota_us", "1000"}}},
			grouptest.Limit{Controller: "cpu", Settings: [][2]string{{"cpu.max", "1000 10000"}}})
		cmd := exec.Command("sh", "-c", `echo $$ > "$0/cgroup.procs" && exec "$@"`, group, os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), underQuota+"=1")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS") {
			t.Errorf("%v: %s", err, out)
		}
		return
	}
	before := machine.ReadSystem("")
	for begun := usage(t); usage(t)-begun < 20*time.Millisecond; {
	}
	if d := machine.ReadSystem("").Sub(before).Throttled; d == nil || *d <= 0 {
		t.Errorf("throttled for %v", d)
	}
}

// usage returns the CPU time that this process has used.
func usage(t *testing.T) time.Duration {
	t.Helper()
	u, err := machine.ReadUsage()
	if err != nil {
		t.Fatal(err)
	}
	return u.CPUUser + u.CPUSystem
}
