package checkpoint

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestChoosesModel puts other safetensors files beside the model's.
func TestChoosesModel(t *testing.T) {
	for _, test := range []struct {
		files  []string
		format Format
		want   string
	}{
		{[]string{"a-1.safetensors", "a-2.safetensors", "consolidated.safetensors"}, SafeTensors, "a-1.safetensors a-2.safetensors"},
		{[]string{"a.safetensors", "adapter_model.safetensors"}, SafeTensors, "a.safetensors"},
		{[]string{"consolidated.safetensors"}, SafeTensors, "consolidated.safetensors"},
		{[]string{"adapter_model.safetensors", "pytorch_model.bin"}, pyTorch, ""},
	} {
		dir := t.TempDir()
		for _, name := range test.files {
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		format, err := detect(dir)
		if err != nil || format != test.format {
			t.Errorf("%v: format %q, %v; want %q", test.files, format, err, test.format)
		}
		if test.format != SafeTensors {
			continue
		}
		names, _, err := safeTensorsFiles(dir)
		if got := strings.Join(names, " "); err != nil || got != test.want {
			t.Errorf("%v: %s, %v; want %s", test.files, got, err, test.want)
		}
	}
}

func TestPointer(t *testing.T) {
	pointer := "version https://git-lfs.github.com/spec/v1\noid sha256:" + strings.Repeat("0", 64) + "\nsize 16060522904\n"
	for _, name := range []string{safeTensorsName, shardIndexName, pickleName, pickleIndexName} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(pointer), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := openLocal(t.Context(), dir); err == nil || !strings.Contains(err.Error(), name+": it is a git-lfs pointer: run git lfs pull") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
