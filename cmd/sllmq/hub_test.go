package main

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/sllmq/sllmq/collector/checkpoint/filetest"
)

// TestHubModel collects a model from a fake Hub with the token on the command line,
// and checks that the token appears nowhere.
func TestHubModel(t *testing.T) {
	const token, commit = "hf_aSecretThatNobodyMaySee", "89abcdef0123456789abcdef0123456789abcdef"
	const older = "0123456789abcdef0123456789abcdef01234567" // what the tag v1 names
	header := `{"a":{"dtype":"F32","shape":[1000,3],"data_offsets":[0,12000]}}`
	var data []byte
	for i := range 3000 {
		data = binary.LittleEndian.AppendUint32(data, uint32(i)<<12|0x3f00_0000)
	}
	weights := filetest.SafeTensors(header, data)
	config := []byte(`{"architectures": ["X"], "torch_dtype": "float32"}`)
	b := newBench(t)
	b.env = []string{"HF_HOME=" + filepath.Join(b.dir, "hf"), "HF_TOKEN=hf_another"}
	var asked, wrong int
	var running *collect
	commandLines := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		if r.Header.Get("Authorization") != "Bearer "+token {
			wrong++
		}
		if running != nil {
			text, _ := os.ReadFile("/proc/" + strconv.Itoa(running.cmd.Process.Pid) + "/cmdline")
			commandLines += string(text)
		}
		switch path := strings.Replace(r.URL.Path, older, commit, 1); path {
		case "/api/models/org/tiny/revision/main", "/api/models/org/tiny/revision/v1":
			commit := commit
			if strings.HasSuffix(path, "v1") {
				commit = older
			}
			_, _ = fmt.Fprintf(w, `{"sha":%q,"siblings":[{"rfilename":"config.json","size":%d,"blobId":"%x"},{"rfilename":"model.safetensors","size":%d,"lfs":{"sha256":"%x","size":%d}}]}`,
				commit, len(config), sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(config)), config...)), len(weights), sha256.Sum256(weights), len(weights))
		case "/org/tiny/resolve/" + commit + "/config.json":
			_, _ = w.Write(config)
		case "/org/tiny/resolve/" + commit + "/model.safetensors":
			_, _ = w.Write(weights)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer server.Close()
	b.env = append(b.env, "HF_ENDPOINT="+server.URL)
	arguments := []string{"collect", "--model-name", "org/tiny", "--num-replicas", "2", "--storage-path", "models",
		"--mem-pool-size", "1MB", "--chunk-size", "64KB", "--no-roofline", "--hf-token", token}

	// A dry run lists what would be fetched and fetches nothing.
	out, err := b.command(append(arguments, "--dry-run")...).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "org/tiny, commit 89abcdef0123: 2 files of 11.8") || asked != 2 ||
		// float32 on the Hub, two replicas in two formats of half that
		!strings.Contains(string(out), "of which 23.57 KiB") || !strings.Contains(string(out), "memory      ") {
		t.Fatalf("%v after %d requests: %s", err, asked, out)
	}
	for range 2 {
		c := &collect{bench: b, cmd: b.command(arguments...)}
		c.cmd.Stderr, c.cmd.Stdout = &c.stderr, &c.stderr
		if err := c.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		running = c
		c.ends(exitDone)
		if strings.Contains(c.stderr.String(), token) {
			t.Errorf("the token is shown:\n%s", c.stderr.String())
		}
	}
	if asked < 4 || wrong > 0 || commandLines == "" || strings.Contains(commandLines, token) {
		t.Errorf("%d requests, %d without the token; command lines %q", asked, wrong, commandLines)
	}
	if got := b.sql("select distinct model, model_source, model_revision, dtype from runs"); got != "org/tiny,hub,"+commit+",float16" {
		t.Errorf("recorded as %s", got)
	}
	if got := b.sql("select count(*), bool_and(verified) from loads where error is null"); got != "8,true" {
		t.Errorf("loads: %s", got)
	}
	// Two revisions are two models.
	running = nil
	out, err = b.command("models", "pull", "org/tiny", "org/tiny@v1", "--hf-token", token).Output()
	if err != nil || !strings.Contains(string(out), "org/tiny, commit 89abcdef0123: ") || !strings.Contains(string(out), "org/tiny@v1, commit 0123456789ab: ") {
		t.Errorf("pulled %s, %v", out, err)
	}
	err = filepath.WalkDir(b.dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if bytes.Contains(text, []byte(token)) {
			t.Errorf("the token is in %s", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestCutToken(t *testing.T) {
	for line, want := range map[string]string{
		"sllmq collect --hf-token x --dry-run": "sllmq collect --dry-run|x",
		"sllmq --hf-token=y collect":           "sllmq collect|y",
		"sllmq collect --hf-token":             "sllmq collect|",
		"sllmq sql -- --hf-token z":            "sllmq sql -- --hf-token z|",
	} {
		rest, token, _ := cutToken(strings.Fields(line))
		if got := strings.Join(rest, " ") + "|" + token; got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}
