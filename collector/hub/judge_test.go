package hub

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestJudge has Python's huggingface_hub read a cache that this package wrote,
// and the reverse.
func TestJudge(t *testing.T) {
	python := os.Getenv("SLLMQ_JUDGE_PYTHON")
	if python == "" {
		t.Skip("needs SLLMQ_JUDGE_PYTHON, a Python with huggingface_hub")
	}
	h := newFakeHub(t, smallModel())
	judge := func(cacheDir string, args ...string) {
		t.Helper()
		args = append([]string{filepath.FromSlash("../../scripts/fixtures/judge_hub.py")}, args...)
		cmd := exec.Command(python, append(args, cacheDir, testID, testCommit)...)
		cmd.Env = append(os.Environ(), "HF_ENDPOINT="+h.hub.URL, "HF_HOME="+t.TempDir(), "HF_HUB_OFFLINE=0", "HF_HUB_DISABLE_TELEMETRY=1", "HF_HUB_DISABLE_PROGRESS_BARS=1", "HF_TOKEN=", "no_proxy=127.0.0.1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("judge_hub.py %s: %v\n%s", args[1], err, out)
		}
		t.Logf("%s", out)
	}

	ours := t.TempDir()
	s, _ := download(t, h, h.client(ours))
	hub, cdn := h.requested("HEAD /"), h.requested("GET /")
	judge(ours, "found", strings.Join(names(s.Files), ","))
	if h.requested("HEAD /") != hub || h.requested("GET /") != cdn {
		t.Error("huggingface_hub requested files that were in the cache")
	}
	judge(ours, "again", strings.Join(names(s.Files), ","))
	if n := h.requested("GET /blob/"); n != 3 {
		t.Errorf("huggingface_hub downloaded again: %d requests to the storage", n)
	}

	theirs := t.TempDir()
	judge(theirs, "fetch", strings.Join(chosen, ","))
	before := h.resolved.Load()
	if _, missing := download(t, h, h.client(theirs)); missing != 0 || h.resolved.Load() != before {
		t.Errorf("%d bytes that huggingface_hub had downloaded were downloaded again", missing)
	}
	h.hub.Close()
	download(t, h, h.client(theirs, offline))
}
