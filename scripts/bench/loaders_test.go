package bench_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/device"
	"github.com/sllmq/sllmq/collector/hostmem"
	"github.com/sllmq/sllmq/collector/loader"
	"github.com/sllmq/sllmq/collector/machine"
	"github.com/sllmq/sllmq/collector/stage"
)

// model is the model to load, with a replica in each format.
type model struct {
	name    string
	dirs    map[checkpoint.Format]string
	largest map[checkpoint.Format]string // largest file, which plain readers read
	files   []string                     // of both formats
	bytes   int64                        // of the larger format's files
	rounds  int
}

func givenModel(t *testing.T) model {
	t.Helper()
	storage := os.Getenv("SLLMQ_BENCH_MODEL")
	if storage == "" {
		t.Skip("SLLMQ_BENCH_MODEL is not set: see scripts/bench")
	}
	m := model{
		name:    filepath.Base(storage),
		dirs:    map[checkpoint.Format]string{},
		largest: map[checkpoint.Format]string{},
		rounds:  number("SLLMQ_BENCH_ROUNDS", 5),
	}
	for _, f := range checkpoint.Formats() {
		dir := filepath.Join(storage, "float16", string(f), "0")
		c, err := checkpoint.Open(dir, f)
		if err != nil {
			t.Fatal(err)
		}
		m.dirs[f] = dir
		m.bytes = max(m.bytes, c.FileBytes())
		var most int64
		for i, file := range c.Files {
			m.files = append(m.files, c.Path(i))
			if file.Size > most {
				most, m.largest[f] = file.Size, c.Path(i)
			}
		}
	}
	return m
}

// fits reports whether bytes and a GiB to spare fit into available memory.
func fits(t *testing.T, bytes int64) bool {
	t.Helper()
	available, err := machine.AvailableMemory()
	if err != nil {
		t.Fatal(err)
	}
	return bytes+1<<30 < available
}

func sizeOf(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func openHost(t *testing.T, bytes int64) device.Device {
	t.Helper()
	d, err := device.Open("host", bytes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// open opens a loader with collect's defaults, until the test ends.
func (m model) open(t *testing.T, name string, f checkpoint.Format, host device.Device, poolBytes int64) loader.Loader {
	t.Helper()
	l, err := openLoader(t.Context(), name, f, host, poolBytes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func openLoader(ctx context.Context, name string, f checkpoint.Format, host device.Device, poolBytes int64) (loader.Loader, error) {
	technique, err := loader.Find(name)
	if err != nil {
		return nil, err
	}
	const chunk = 16 << 20
	return technique.Open(ctx, loader.Options{Format: f, Device: host, Threads: 4, ChunkBytes: chunk, PoolBytes: (poolBytes + chunk - 1) / chunk * chunk, Stream: true})
}

// load times a load, from the path to the last byte.
func load(t *testing.T, l loader.Loader, dir string) (time.Duration, error) {
	begun := time.Now()
	loaded, err := l.Load(t.Context(), dir, stage.Begin())
	took := time.Since(begun)
	if err != nil {
		return 0, err
	}
	return took, loaded.Free()
}

// TestLoaders compares the loaders that aim for the machine's limits with fio and
// plain reads of the same cold files, hits in the pool with memcpy, and the pool
// with the technique of ServerlessLLM's store.
func TestLoaders(t *testing.T) {
	b, m := openTable(t), givenModel(t)
	host := openHost(t, m.bytes+m.bytes/8+64<<20)
	whole := fits(t, 2*m.bytes+2<<30) // the pool, the store's pool, and a source of copies
	poolBytes := m.bytes
	if !whole {
		poolBytes = 1 << 30
	}
	sllm := m.largest[checkpoint.SLLM]
	jobs := fastFio(t, sllm)

	var cold []contender
	for _, f := range checkpoint.Formats() {
		path, dir := m.largest[f], m.dirs[f]
		size := sizeOf(t, path)
		for _, job := range jobs {
			cold = append(cold, contender{name: fmt.Sprintf("%s: %s", f, job), bytes: size, run: func() (time.Duration, error) { return job.run(path, size) }})
		}
		for _, s := range []struct {
			threads int
			request int64
		}{{8, 16 << 20}, {16, 4 << 20}} {
			cold = append(cold, contender{name: fmt.Sprintf("%s: preads %d x %d MiB", f, s.threads, s.request>>20), bytes: size, run: func() (time.Duration, error) {
				return onHost(host, size+4096, func(to []byte) (time.Duration, error) { return preads(path, to, s.threads, s.request) })
			}})
		}
		for _, name := range []string{"direct", "raw"} {
			l := m.open(t, name, f, host, 0)
			cold = append(cold, contender{name: fmt.Sprintf("%s: %s", f, name), bytes: m.bytes, run: func() (time.Duration, error) { return load(t, l, dir) }})
		}
	}
	pool, dir, turn := m.open(t, "pool", checkpoint.SLLM, host, poolBytes), m.dirs[checkpoint.SLLM], 0
	// The pool has room for one model. Another path to the same files counts as
	// another model, and evicts it.
	path := func() string { return dir + strings.Repeat("/.", turn%2) }
	cold = append(cold, contender{name: "sllm: pool", bytes: m.bytes, run: func() (time.Duration, error) {
		turn++
		return load(t, pool, path())
	}})
	var store *storeTechnique
	if whole {
		var err error
		if store, err = newStoreTechnique(sizeOf(t, sllm)); err != nil {
			t.Fatal(err)
		}
		defer store.close()
		cold = append(cold, contender{name: "sllm: the store's technique", bytes: sizeOf(t, sllm), run: func() (time.Duration, error) {
			return onHost(host, sizeOf(t, sllm), func(to []byte) (time.Duration, error) { return store.cold(sllm, to) })
		}})
	}
	results := race(t, m.rounds, m.files, cold)
	printResults(fmt.Sprintf("%s, %d bytes, cold, %d CPUs", m.name, m.bytes, runtime.NumCPU()), results)

	for _, f := range checkpoint.Formats() {
		best, ok := fastest(results, string(f)+": fio")
		if !ok {
			best, _ = fastest(results, string(f)+": preads")
		}
		reader, _ := fastest(results, string(f)+": preads")
		fmt.Printf("  %s: the fastest preads are %.2f of %s\n", f, reader.speed()/best.speed(), best.name)
		direct, _ := named(results, string(f)+": direct")
		b.least(fmt.Sprintf("%s: direct, %s, cold", m.name, f), 0.95, direct.speed()/best.speed(), best.name)
		if f == checkpoint.SLLM {
			mine, _ := named(results, "sllm: pool")
			b.least(m.name+": pool, cold", 0.90, mine.speed()/best.speed(), best.name)
		}
	}
	lines := []string{m.name + ": pool against the store's technique, cold", m.name + ": the same, cached", m.name + ": pool, cached"}
	if !whole {
		for _, line := range lines {
			b.none(line, "the model and a pool for it do not fit in memory: the pool streamed")
		}
		return
	}
	mine, _ := named(results, "sllm: pool")
	theirs, _ := named(results, "sllm: the store's technique")
	b.least(lines[0], 1.1, mine.speed()/theirs.speed(), fmt.Sprintf("%.2f GB/s", theirs.speed()/1e9))
	m.cached(t, b, host, pool, path, store, lines)
}

// cached compares hits in the pool with a memcpy of as many bytes on all CPUs, and
// with the store's technique.
func (m model) cached(t *testing.T, b table, host device.Device, pool loader.Loader, path func() string, store *storeTechnique, lines []string) {
	t.Helper()
	from, err := hostmem.Map(1 << 30)
	if err != nil {
		t.Fatal(err)
	}
	defer hostmem.Unmap(from)
	size := sizeOf(t, m.largest[checkpoint.SLLM])
	results := race(t, 2*m.rounds, nil, []contender{
		{name: "memcpy", bytes: m.bytes, warm: true, run: func() (time.Duration, error) {
			return onHost(host, m.bytes, func(to []byte) (time.Duration, error) { return memcpy(to, from, m.bytes), nil })
		}},
		{name: "pool, a hit", bytes: m.bytes, warm: true, run: func() (time.Duration, error) { return load(t, pool, path()) }},
		{name: "the store's technique", bytes: size, warm: true, run: func() (time.Duration, error) {
			return onHost(host, size, func(to []byte) (time.Duration, error) { return store.cached(size, to), nil })
		}},
	})
	printResults(m.name+", in the pool", results)
	copied, hit, theirs := results[0], results[1], results[2]
	b.least(lines[1], 1.1, hit.speed()/theirs.speed(), fmt.Sprintf("%.2f GB/s", theirs.speed()/1e9))
	b.least(lines[2], 0.85, hit.speed()/copied.speed(), fmt.Sprintf("memcpy, %.2f GB/s", copied.speed()/1e9))
}
