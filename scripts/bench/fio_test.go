package bench_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// fioJob is a configuration of fio.
type fioJob struct {
	engine     string
	depth, mib int // queue depth; with psync, number of threads
	huge       bool
}

func (j fioJob) String() string {
	pages := "4 KiB"
	if j.huge {
		pages = "huge"
	}
	return fmt.Sprintf("fio %s %d x %d MiB, %s", j.engine, j.depth, j.mib, pages)
}

// run reads at most most bytes of path, in disjoint slices if there are several
// jobs, and returns the time that the whole file takes at the rate that fio
// reports.
func (j fioJob) run(path string, most int64) (time.Duration, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	jobs, depth := 1, j.depth
	if j.engine == "psync" {
		jobs, depth = j.depth, 1
	}
	block := int64(j.mib) << 20
	// Not more than the file has: fio rewrites a file that is shorter than what
	// it should read.
	each := min(most, info.Size()) / int64(jobs) / block * block
	if each == 0 {
		return 0, fmt.Errorf("%s: %s is too short", j, path)
	}
	cmd := exec.Command("fio", "--name=read", "--filename="+path, "--rw=read", "--readonly", "--allow_file_create=0", "--direct=1", "--thread", "--group_reporting", "--output-format=json", "--invalidate=0",
		"--ioengine="+j.engine, fmt.Sprint("--iodepth=", depth), fmt.Sprint("--bs=", block), fmt.Sprint("--numjobs=", jobs),
		fmt.Sprint("--size=", each), fmt.Sprint("--offset_increment=", each))
	if j.huge {
		cmd.Env = append(os.Environ(), "GLIBC_TUNABLES=glibc.malloc.hugetlb=1") // transparent huge pages for its buffers
	}
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("%s: %w: %s", j, err, out)
	}
	if after, err := os.Stat(path); err != nil || after.Size() != info.Size() || !after.ModTime().Equal(info.ModTime()) {
		return 0, fmt.Errorf("%s: fio has modified %s: prepare it again", j, path)
	}
	var result struct {
		Jobs []struct {
			Read struct {
				PerSecond int64 `json:"bw_bytes"`
			} `json:"read"`
		} `json:"jobs"`
	}
	if i := strings.IndexByte(string(out), '{'); i > 0 {
		out = out[i:] // skip fio's notes
	}
	if err := json.Unmarshal(out, &result); err != nil || len(result.Jobs) == 0 || result.Jobs[0].Read.PerSecond == 0 {
		return 0, fmt.Errorf("%s: cannot parse fio's output: %v", j, err)
	}
	return time.Duration(float64(info.Size()) / float64(result.Jobs[0].Read.PerSecond) * 1e9), nil
}

// fastFio tries many configurations on a GiB of path, tries the faster half again,
// and returns the two fastest; none if fio is not installed.
func fastFio(t *testing.T, path string) []fioJob {
	t.Helper()
	if _, err := exec.LookPath("fio"); err != nil {
		fmt.Println("fio is not installed (apt-get install fio): comparing with plain preads only")
		return nil
	}
	type trial struct {
		job  fioJob
		took time.Duration
	}
	const most = 1 << 30
	var trials []trial
	for _, engine := range []string{"libaio", "io_uring", "psync"} {
		for _, depth := range map[bool][]int{true: {4, 8}, false: {16, 32}}[engine == "psync"] {
			for _, mib := range []int{1, 4, 16} {
				for _, huge := range []bool{false, true} {
					job := fioJob{engine, depth, mib, huge}
					took, err := job.run(path, most)
					if err != nil {
						fmt.Println(err)
						continue
					}
					trials = append(trials, trial{job, took})
				}
			}
		}
	}
	byTime := func(a, b trial) int { return int(a.took - b.took) }
	slices.SortFunc(trials, byTime)
	trials = trials[:len(trials)/2]
	for i := range trials {
		if again, err := trials[i].job.run(path, most); err == nil {
			trials[i].took = max(trials[i].took, again)
		}
	}
	slices.SortFunc(trials, byTime)
	var best []fioJob
	for _, x := range trials[:min(2, len(trials))] {
		best = append(best, x.job)
	}
	return best
}
