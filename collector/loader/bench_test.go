package loader_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/loader"
	"github.com/sllmq/sllmq/collector/probe"
	"github.com/sllmq/sllmq/collector/stage"
)

// contender brings the same bytes in one way.
type contender struct {
	name string
	warm bool // finds the bytes in memory: nothing is dropped before it
	run  func() (time.Duration, error)
}

// race lets all take turns, in another order each round, and returns their
// times, sorted. A round that is not counted comes first.
func race(t *testing.T, rounds int, files []string, contenders []contender) map[string][]time.Duration {
	t.Helper()
	order := rand.New(rand.NewPCG(1, 2))
	times := map[string][]time.Duration{}
	for round := range rounds + 1 {
		for _, i := range order.Perm(len(contenders)) {
			c := contenders[i]
			if !c.warm {
				if err := probe.Drop(files); err != nil {
					t.Fatal(err)
				}
			}
			d, err := c.run()
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			if round > 0 {
				times[c.name] = append(times[c.name], d)
			}
		}
	}
	for _, list := range times {
		slices.Sort(list)
	}
	return times
}

func median(sorted []time.Duration) time.Duration { return sorted[len(sorted)/2] }

// report prints a line for each contender, beside what it is held against.
func report(times map[string][]time.Duration, bytes int64, contenders []contender, against func(name string) string) {
	fmt.Printf("  %-46s %8s %8s %8s %6s  %s\n", "", "median s", "min", "max", "GB/s", "ratio of speeds")
	for _, c := range contenders {
		list := times[c.name]
		ratio := ""
		if base := against(c.name); base != "" && base != c.name {
			ratio = fmt.Sprintf("%.2f of %s", median(times[base]).Seconds()/median(list).Seconds(), base)
		}
		fmt.Printf("  %-46s %8.3f %8.3f %8.3f %6.2f  %s\n", c.name, median(list).Seconds(),
			list[0].Seconds(), list[len(list)-1].Seconds(), float64(bytes)/median(list).Seconds()/1e9, ratio)
	}
}

// fastest is the contender of the lowest median among those of a prefix.
func fastest(times map[string][]time.Duration, prefix string) string {
	best := ""
	for name, list := range times {
		if strings.HasPrefix(name, prefix) && (best == "" || median(list) < median(times[best])) {
			best = name
		}
	}
	return best
}

// benchmark is what the environment asks for; scripts/bench sets it.
type benchmark struct {
	dirs   map[checkpoint.Format]string
	files  []string // of both formats
	rounds int
	bytes  int64 // of the larger format's files

	largest map[checkpoint.Format]string // file, what is read without a loader
}

func askedBenchmark(t *testing.T) benchmark {
	t.Helper()
	b := benchmark{dirs: map[checkpoint.Format]string{}, rounds: 5, largest: map[checkpoint.Format]string{}}
	for f, name := range map[checkpoint.Format]string{checkpoint.SafeTensors: "SLLMQ_BENCH_SAFETENSORS", checkpoint.SLLM: "SLLMQ_BENCH_SLLM"} {
		dir := os.Getenv(name)
		if dir == "" {
			t.Skip("no benchmark is asked for: see scripts/bench")
		}
		c, err := checkpoint.Open(dir, f)
		if err != nil {
			t.Fatal(err)
		}
		b.dirs[f] = dir
		b.bytes = max(b.bytes, c.FileBytes())
		var most int64
		for i, file := range c.Files {
			b.files = append(b.files, c.Path(i))
			if file.Size > most {
				most, b.largest[f] = file.Size, c.Path(i)
			}
		}
	}
	if n, err := strconv.Atoi(os.Getenv("SLLMQ_BENCH_ROUNDS")); err == nil && n > 0 {
		b.rounds = n
	}
	return b
}

// TestBenchLoaders holds every loader against the fastest plain reads of the
// same cold files, and the pool's hits against copying. A checkpoint of one file
// a format compares best: plain reads take the largest alone.
func TestBenchLoaders(t *testing.T) {
	b := askedBenchmark(t)
	room := b.bytes + b.bytes/8 + 64<<20
	host := openHost(t, room)
	buffer, err := device.Map(b.bytes + 16<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer device.Unmap(buffer)

	var contenders []contender
	for _, f := range checkpoint.Formats() {
		path := b.largest[f]
		for _, threads := range []int{4, 8, 16} {
			contenders = append(contenders, contender{
				name: fmt.Sprintf("preads %s %d x 16 MiB", f, threads),
				run:  func() (time.Duration, error) { return preads(path, buffer, threads, 16<<20) },
			})
		}
		contenders = append(contenders, fastFio(t, string(f), path)...)
	}
	contenders = append(contenders, contender{name: "memcpy", warm: true, run: func() (time.Duration, error) { return memcpy(host, buffer[:b.bytes]) }})
	for _, technique := range loader.Techniques() {
		for _, f := range technique.Formats {
			l := open(t, arm{technique: technique, format: f}, host, func(o *loader.Options) {
				// The pool has room for one model: whoever is called by another
				// path makes way for it.
				o.Threads, o.ChunkBytes, o.PoolBytes = 4, 16<<20, (b.bytes+16<<20)/(16<<20)*(16<<20)
			})
			dir, turn := b.dirs[f], 0
			name := fmt.Sprintf("%s %s", technique.Name, f)
			contenders = append(contenders, contender{name: name, run: func() (time.Duration, error) {
				turn++
				return loadTimed(t, l, dir+strings.Repeat("/.", turn%2))
			}})
			if technique.Pooled {
				contenders = append(contenders, contender{name: name + ", a hit", warm: true, run: func() (time.Duration, error) {
					path := dir + strings.Repeat("/.", turn%2)
					if _, err := loadTimed(t, l, path); err != nil { // it may not be there yet
						return 0, err
					}
					return loadTimed(t, l, path)
				}})
			}
		}
	}
	times := race(t, b.rounds, b.files, contenders)
	fmt.Printf("%d bytes, cold, %d rounds taking turns, %d CPUs\n", b.bytes, b.rounds, runtime.NumCPU())
	report(times, b.bytes, contenders, func(name string) string {
		if strings.HasSuffix(name, "a hit") {
			return "memcpy"
		}
		for _, f := range checkpoint.Formats() {
			if strings.Contains(name, string(f)) {
				return fastest(times, "preads "+string(f))
			}
		}
		return ""
	})
}

// loadTimed is a load as it is measured: from the path to the last byte.
func loadTimed(t *testing.T, l loader.Loader, dir string) (time.Duration, error) {
	begun := time.Now()
	loaded, err := l.Load(t.Context(), dir, stage.Begin())
	took := time.Since(begun)
	if err != nil {
		return 0, err
	}
	return took, loaded.Free()
}

// preads is the least that reading a file takes: nothing of ours is in it.
func preads(path string, buffer []byte, threads int, request int64) (time.Duration, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECT, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return 0, err
	}
	begun := time.Now()
	var next, failed atomic.Int64
	var wg sync.WaitGroup
	for range threads {
		wg.Go(func() {
			for {
				at := (next.Add(1) - 1) * request
				if at >= stat.Size {
					return
				}
				want := min(request, stat.Size-at)
				if n, err := unix.Pread(fd, buffer[at:at+(want+4095)/4096*4096], at); err != nil || int64(n) != want {
					failed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if failed.Load() > 0 {
		return 0, fmt.Errorf("%d reads of %s failed", failed.Load(), path)
	}
	return time.Since(begun), nil
}

// memcpy copies to the device as fast as all CPUs can.
func memcpy(host device.Device, src []byte) (time.Duration, error) {
	m, err := host.Allocate(int64(len(src)))
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	const part = 4 << 20
	var next atomic.Int64
	var wg sync.WaitGroup
	for range runtime.NumCPU() {
		wg.Go(func() {
			for {
				at := int(next.Add(1)-1) * part
				if at >= len(src) {
					return
				}
				_ = m.Write(int64(at), src[at:min(at+part, len(src))]) // it fits
			}
		})
	}
	wg.Wait()
	return time.Since(begun), m.Free()
}

// fioJob is a way to read with fio.
type fioJob struct {
	engine     string
	depth, mib int // depth is that of the queue, or the number of threads for psync
	huge       bool
}

func (j fioJob) String() string {
	pages := "4 KiB"
	if j.huge {
		pages = "huge"
	}
	return fmt.Sprintf("fio %s %d x %d MiB, %s", j.engine, j.depth, j.mib, pages)
}

// run reads path whole and returns the time that fio says it took.
func (j fioJob) run(path string) (time.Duration, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	jobs, depth := 1, j.depth
	if j.engine == "psync" {
		jobs, depth = j.depth, 1
	}
	block := int64(j.mib) << 20
	// Less than the file: fio writes a file anew that is shorter than what it
	// is to read.
	each := info.Size() / int64(jobs) / block * block
	if each == 0 {
		return 0, fmt.Errorf("%s: %s is too short for it", j, path)
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
		return 0, fmt.Errorf("%s: fio has written to %s: prepare it again", j, path)
	}
	var result struct {
		Jobs []struct {
			Read struct {
				PerSecond int64 `json:"bw_bytes"`
			} `json:"read"`
		} `json:"jobs"`
	}
	if i := strings.IndexByte(string(out), '{'); i > 0 {
		out = out[i:] // notes come first
	}
	if err := json.Unmarshal(out, &result); err != nil || len(result.Jobs) == 0 || result.Jobs[0].Read.PerSecond == 0 {
		return 0, fmt.Errorf("%s: its answer is not understood: %v", j, err)
	}
	return time.Duration(float64(info.Size()) / float64(result.Jobs[0].Read.PerSecond) * 1e9), nil
}

// fastFio tries many ways, the faster half of them again, and returns the two
// fastest.
func fastFio(t *testing.T, name, path string) []contender {
	t.Helper()
	if _, err := exec.LookPath("fio"); err != nil {
		fmt.Println("fio is not installed (apt-get install fio): plain preads alone are what loaders are held against")
		return nil
	}
	type trial struct {
		job  fioJob
		took time.Duration
	}
	var trials []trial
	for _, engine := range []string{"libaio", "io_uring", "psync"} {
		for _, depth := range map[bool][]int{true: {4, 8}, false: {16, 32}}[engine == "psync"] {
			for _, mib := range []int{1, 4, 16} {
				for _, huge := range []bool{false, true} {
					job := fioJob{engine, depth, mib, huge}
					took, err := job.run(path)
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
		if again, err := trials[i].job.run(path); err == nil {
			trials[i].took = max(trials[i].took, again)
		}
	}
	slices.SortFunc(trials, byTime)
	var best []contender
	for _, x := range trials[:min(2, len(trials))] {
		best = append(best, contender{
			name: strings.Replace(x.job.String(), "fio", "fio "+name, 1),
			run:  func() (time.Duration, error) { return x.job.run(path) },
		})
	}
	return best
}

// TestBenchPython holds the loaders that stand for Python packages against
// those packages, cold and from the page cache.
func TestBenchPython(t *testing.T) {
	b := askedBenchmark(t)
	python := os.Getenv("SLLMQ_BENCH_PYTHON")
	if python == "" {
		t.Skip("no Python is given: see scripts/bench")
	}
	dir := b.dirs[checkpoint.SafeTensors]
	script, err := filepath.Abs("../../scripts/bench/load.py")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, script, dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = in.Close()
		_ = cmd.Wait()
	}()
	lines := bufio.NewReader(out)
	versions, err := lines.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	host := openHost(t, b.bytes+b.bytes/8)
	var techniques []loader.Technique
	for _, name := range []string{"mmap", "mmap-parallel", "pinned"} {
		technique, err := loader.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		techniques = append(techniques, technique)
	}
	for _, warm := range []bool{false, true} {
		var contenders []contender
		for _, technique := range techniques {
			l := open(t, arm{technique: technique, format: checkpoint.SafeTensors}, host)
			contenders = append(contenders,
				contender{name: "python " + technique.Name, warm: warm, run: func() (time.Duration, error) {
					return ask(in, lines, technique.Name)
				}},
				contender{name: technique.Name, warm: warm, run: func() (time.Duration, error) { return loadTimed(t, l, dir) }})
		}
		times := race(t, b.rounds, b.files, contenders)
		fmt.Printf("%d bytes, cold %v, %d rounds taking turns, %d CPUs, %s", b.bytes, !warm, b.rounds, runtime.NumCPU(), versions)
		report(times, b.bytes, contenders, func(name string) string {
			if strings.HasPrefix(name, "python") {
				return ""
			}
			return "python " + name
		})
	}
}

// ask has the Python process load once.
func ask(in io.Writer, lines *bufio.Reader, technique string) (time.Duration, error) {
	if _, err := fmt.Fprintln(in, technique); err != nil {
		return 0, err
	}
	line, err := lines.ReadString('\n')
	if err != nil {
		return 0, err
	}
	seconds, err := strconv.ParseFloat(strings.TrimSpace(line), 64)
	return time.Duration(seconds * 1e9), err
}
