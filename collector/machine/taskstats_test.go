package machine_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sllmq/sllmq/collector/directio"
	"github.com/sllmq/sllmq/collector/hostmem"
	"github.com/sllmq/sllmq/collector/machine"
)

// waits is a variable that makes the test binary read the file at its path from
// the storage when it gets a line.
const waits = "SLLMQ_TEST_WAITS"

func TestMain(m *testing.M) {
	if path := os.Getenv(waits); path != "" {
		if err := readOnRequest(path); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func readOnRequest(path string) error {
	fmt.Println("ready")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	f, err := directio.Open(path, info.Size(), true)
	if err != nil {
		return err
	}
	b, err := hostmem.Map(info.Size())
	if err != nil {
		return err
	}
	if _, err := f.ReadAt(b, 0); err != nil {
		return err
	}
	fmt.Println("done")
	_, err = bufio.NewReader(os.Stdin).ReadString('\n')
	return err
}

// A process waits for the storage, and taskstats must count it. The test needs root,
// and switches delay accounting on meanwhile.
func TestReadDelays(t *testing.T) {
	const setting = "/proc/sys/kernel/task_delayacct"
	before, err := os.ReadFile(setting)
	if err != nil || os.Geteuid() != 0 {
		t.Skipf("needs root and %s", setting)
	}
	if err := os.WriteFile(setting, []byte("1\n"), 0o644); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = os.WriteFile(setting, before, 0o644) })
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, make([]byte, 8<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := machine.Drop([]string{path}); err != nil {
		t.Fatal(err)
	}
	if machine.BlockDevice(path) == "" {
		t.Skip("the temporary folder has no block device")
	}
	reader := exec.Command(os.Args[0])
	reader.Env = append(os.Environ(), waits+"="+path)
	in, err := reader.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := reader.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := reader.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = reader.Wait()
	})
	lines := bufio.NewReader(out)
	expect := func(want string) {
		t.Helper()
		if line, err := lines.ReadString('\n'); err != nil || strings.TrimSpace(line) != want {
			t.Fatalf("%q, %v: want %q", line, err, want)
		}
	}
	expect("ready")
	earlier, err := machine.ReadDelays(reader.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintln(in, "go"); err != nil {
		t.Fatal(err)
	}
	expect("done")
	later, err := machine.ReadDelays(reader.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if later.Block == nil || earlier.Block == nil || *later.Block <= *earlier.Block {
		t.Errorf("waited %v for the storage before and %v after reading 8 MiB", earlier.Block, later.Block)
	}
	if later.CPU == nil || *later.CPU < 0 || *later.CPU > time.Hour || later.Memory == nil || *later.Memory < 0 {
		t.Errorf("%v, %v", later.CPU, later.Memory)
	}
	if _, err := machine.ReadDelays(1 << 30); !errors.Is(err, unix.ESRCH) {
		t.Errorf("of a process that does not exist: %v", err)
	}
}
