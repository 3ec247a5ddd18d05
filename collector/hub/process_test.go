package hub

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// Environment variables that make this test binary download a model.
const (
	endpointVariable = "SLLMQ_TEST_HUB_ENDPOINT"
	cacheVariable    = "SLLMQ_TEST_HUB_CACHE"
)

// TestDownloadInChild is what the child processes of other tests run.
func TestDownloadInChild(t *testing.T) {
	endpoint := os.Getenv(endpointVariable)
	if endpoint == "" {
		t.Skip("runs as a child of other tests")
	}
	c, err := New(Options{Endpoint: endpoint, CacheDir: os.Getenv(cacheVariable)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Download(t.Context(), find(t, c), nil); err != nil {
		t.Fatal(err)
	}
}

func child(h *fakeHub, cacheDir string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], "-test.run=^TestDownloadInChild$")
	cmd.Env = append(os.Environ(), endpointVariable+"="+h.hub.URL, cacheVariable+"="+cacheDir)
	cmd.Stderr = os.Stderr
	return cmd
}

// TestKilled kills a process in the middle of a shard. The next download
// continues it, and its locks are released.
func TestKilled(t *testing.T) {
	h := newFakeHub(t, smallModel())
	dir := t.TempDir()
	const shard, sent = "model-00002-of-00002.safetensors", 2 << 20
	reached := make(chan struct{})
	var once sync.Once
	h.setHook(&h.onCDN, func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, shard) {
			return false
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(h.files[shard].content)))
		_, _ = w.Write(h.files[shard].content[:sent])
		w.(http.Flusher).Flush()
		once.Do(func() { close(reached) })
		<-r.Context().Done()
		return true
	})
	cmd := child(h, dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-reached:
	case <-time.After(20 * time.Second):
		t.Error("the child did not request the shard")
	}
	c := h.client(dir)
	m := find(t, c)
	for end := time.Now().Add(20 * time.Second); c.MissingBytes(m) > int64(len(h.files[shard].content)-sent); {
		if time.Now().After(end) {
			t.Fatalf("%d bytes are still missing", c.MissingBytes(m))
		}
		time.Sleep(5 * time.Millisecond)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if _, err := h.client(dir, offline).Find(t.Context(), m.Repo); err == nil {
		t.Error("Find accepted an incomplete model")
	}
	h.setHook(&h.onCDN, nil)
	before := h.served.Load()
	if _, missing := download(t, h, c); missing != int64(len(h.files[shard].content)-sent) {
		t.Errorf("%d bytes were missing after the kill", missing)
	}
	if n := h.served.Load() - before; n != int64(len(h.files[shard].content)-sent) {
		t.Errorf("%d bytes were sent for the rest", n)
	}
}

// TestTwoProcesses downloads a model in two processes at once, each file once.
func TestTwoProcesses(t *testing.T) {
	h := newFakeHub(t, smallModel())
	dir := t.TempDir()
	one, two := child(h, dir), child(h, dir)
	for _, cmd := range []*exec.Cmd{one, two} {
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
	}
	for _, cmd := range []*exec.Cmd{one, two} {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	for _, name := range chosen {
		if f := h.files[name]; f.large && h.requested("GET /blob/"+name) != 1 {
			t.Errorf("%s was requested %d times", name, h.requested("GET /blob/"+name))
		}
	}
	download(t, h, h.client(dir, offline))
}
