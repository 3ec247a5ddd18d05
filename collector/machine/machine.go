// Package machine tells what the machine is and what it does: its hardware,
// the page cache, and what a process uses. Nothing here needs root; a fact
// that can't be had is left out, never guessed.
package machine

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sllmq/sllmq/warehouse/record"
)

// Machine describes this machine as seen from storagePath, which need not
// exist yet: its nearest existing parent stands for it.
func Machine(storagePath string) (record.Machine, error) {
	host, err := os.Hostname()
	if err != nil {
		return record.Machine{}, fmt.Errorf("name this machine: %w", err)
	}
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return record.Machine{}, fmt.Errorf("name this kernel: %w", err)
	}
	m := record.Machine{
		Machine:     host,
		OS:          osName(),
		Kernel:      known(string(bytes.TrimRight(uts.Release[:], "\x00"))),
		Arch:        known(runtime.GOARCH),
		CPUs:        new(int64(runtime.NumCPU())),
		NUMANodes:   count("/sys/devices/system/node/node[0-9]*"),
		HugePages:   hugePages(),
		CPUGovernor: known(readLine("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),

		FreePageReporting: freePageReporting("/sys/bus/virtio/devices"),
	}
	m.CPUModel, m.CPUSockets, m.Hypervisor = cpu()
	if total, err := memInfo("MemTotal"); err == nil {
		m.MemoryBytes = &total
	}
	gpus(&m)
	if err := storage(storagePath, &m); err != nil {
		return record.Machine{}, err
	}
	// The ID is the digest of the facts, before the time is among them.
	facts, err := json.Marshal(m)
	if err != nil {
		return record.Machine{}, fmt.Errorf("digest the machine's facts: %w", err)
	}
	digest := sha256.Sum256(facts)
	m.ID = hex.EncodeToString(digest[:8])
	m.FirstSeenAt = time.Now().UTC()
	return m, nil
}

// BootID tells one boot of the machine from the next: a process id means the
// same process only within one.
func BootID() string { return readLine("/proc/sys/kernel/random/boot_id") }

// Alive says whether there is a process with this id.
func Alive(pid int64) bool {
	_, err := os.Stat(filepath.Join("/proc", strconv.FormatInt(pid, 10)))
	return err == nil
}

func known(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func count(pattern string) *int64 {
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) == 0 {
		return nil
	}
	return new(int64(len(found)))
}

func osName() *string {
	text, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return known(runtime.GOOS)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "PRETTY_NAME="); ok {
			return known(strings.Trim(strings.TrimSpace(value), `"`))
		}
	}
	return known(runtime.GOOS)
}

// hugePages is the bracketed word of the kernel's setting.
func hugePages() *string {
	_, rest, _ := strings.Cut(readLine("/sys/kernel/mm/transparent_hugepage/enabled"), "[")
	word, _, ok := strings.Cut(rest, "]")
	if !ok {
		return nil
	}
	return known(word)
}

// freePageReporting looks at the balloon below dir, where the kernel lists
// virtio devices: the balloon is type 5, and its feature 5 is the reporting of free
// pages (Virtual I/O Device 1.2, section 5.5). Features are a string of bits, the
// first one first.
func freePageReporting(dir string) *bool {
	devices, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return nil
	}
	for _, device := range devices {
		const reporting = 5
		features := readLine(device, "features")
		if readLine(device, "device") == "0x0005" && len(features) > reporting {
			return new(features[reporting] == '1')
		}
	}
	return nil
}

// cpu tells the model, the number of sockets, and, in a virtual machine, who
// runs it.
func cpu() (model *string, sockets *int64, hypervisor *string) {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return nil, nil, nil
	}
	packages := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(key) {
		case "model name":
			model = known(value)
		case "physical id":
			packages[value] = true
		case "flags":
			if hypervisor == nil && strings.Contains(" "+value+" ", " hypervisor ") {
				hypervisor = new(cmp.Or(readLine("/sys/class/dmi/id/sys_vendor"), "unnamed"))
			}
		}
	}
	if len(packages) > 0 {
		sockets = new(int64(len(packages)))
	}
	return model, sockets, hypervisor
}

// storage fills in the filesystem and the block device under path.
func storage(path string, m *record.Machine) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("find storage path: %w", err)
	}
	at := Existing(path)
	if real, err := filepath.EvalSymlinks(at); err == nil {
		at = real
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(at, &fs); err != nil {
		return fmt.Errorf("look at the filesystem of %s: %w", at, err)
	}
	m.StorageBytes = new(int64(fs.Blocks) * fs.Bsize)

	mount, ok := mountOf(at)
	if !ok {
		return nil
	}
	m.MountPoint, m.Filesystem, m.MountOptions = &mount.point, &mount.filesystem, &mount.options
	if kib, err := strconv.ParseInt(readLine("/sys/class/bdi", mount.device, "read_ahead_kb"), 10, 64); err == nil {
		m.StorageReadAheadBytes = new(kib << 10)
	}
	device, err := filepath.EvalSymlinks(filepath.Join("/sys/dev/block", mount.device))
	if err != nil {
		return nil // no block device: tmpfs, overlay, network
	}
	m.StorageDevice = new(filepath.Base(device))
	if _, err := os.Stat(filepath.Join(device, "queue")); err != nil {
		device = filepath.Dir(device) // a partition: the queue is its disk's
	}
	m.StorageModel = known(readLine(device, "device", "model"))
	if rotational := readLine(device, "queue", "rotational"); rotational != "" {
		m.StorageRotational = new(rotational == "1")
	}
	_, rest, _ := strings.Cut(readLine(device, "queue", "scheduler"), "[")
	if word, _, ok := strings.Cut(rest, "]"); ok {
		m.StorageScheduler = &word
	}
	if kib, err := strconv.ParseInt(readLine(device, "queue", "max_sectors_kb"), 10, 64); err == nil {
		m.StorageMaxIOBytes = new(kib << 10)
	}
	return nil
}

// FreeSpace is how many bytes this user can still write under path, which
// need not exist yet.
func FreeSpace(path string) (int64, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return 0, fmt.Errorf("find storage path: %w", err)
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(Existing(path), &fs); err != nil {
		return 0, fmt.Errorf("look at the free space of %s: %w", path, err)
	}
	return int64(fs.Bavail) * fs.Bsize, nil
}

// Existing is the nearest parent of a path that is there.
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

// mountOf finds the mount that holds an absolute path: the last of the
// longest mount points that lead to it (proc_pid_mountinfo(5)).
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

// unescapeMount undoes the octal escapes that the kernel puts for white space.
var unescapeMount = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace
