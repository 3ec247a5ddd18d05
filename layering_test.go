// Package sllmq_test holds the house as it is drawn: which package may import
// which of ours.
package sllmq_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/sllmq/sllmq/"

// allowed lists, for each package, the packages of ours that it may import. A
// package that is not here has no place in the house yet: give it one.
var allowed = map[string][]string{
	"cmd/sllmq":                      {"collector", "collector/checkpoint", "collector/device", "collector/directio", "collector/hub", "collector/probe", "collector/readiness", "collector/roofline", "collector/sllmstore/server", "collector/worker", "health", "plots", "plots/gallery", "plots/report", "queries", "queries/resultset", "queries/stats", "warehouse", "warehouse/stream", "queries/shell"},
	"collector":                      {"collector/checkpoint", "collector/device", "collector/directio", "collector/hub", "collector/loader", "collector/nvml", "collector/probe", "collector/roofline", "collector/sllmstore/client", "collector/worker", "warehouse/record"},
	"collector/worker":               {"collector/checkpoint", "collector/cuda", "collector/cuda/nvrtc", "collector/device", "collector/inference", "collector/inference/tokenizer", "collector/loader", "collector/probe", "collector/roofline", "collector/sllmstore/client", "collector/stage"},
	"collector/inference":            {"collector/cuda"},
	"collector/cuda/cufile":          {"collector/cuda", "collector/sharedlib"},
	"collector/cuda/nvrtc":           {"collector/sharedlib"},
	"collector/inference/tokenizer":  {},
	"collector/loader":               {"collector/checkpoint", "collector/cuda", "collector/cuda/cufile", "collector/device", "collector/directio", "collector/pool", "collector/sllmstore/client", "collector/stage"},
	"collector/pool":                 {"collector/checkpoint", "collector/device", "collector/directio", "collector/stage"},
	"collector/probe":                {"collector/cuda", "collector/nvml", "warehouse/record"},
	"collector/probe/grouptest":      {},
	"collector/checkpoint":           {"collector/checkpoint/torchfile", "collector/filelock"},
	"collector/checkpoint/torchfile": {},
	"collector/filelock":             {},
	"collector/hub":                  {"collector/filelock", "collector/probe"},
	"collector/cuda":                 {"collector/sharedlib"},
	"collector/cuda/cudatest":        {},
	"collector/device":               {"collector/cuda"},
	"collector/directio":             {},
	"collector/roofline":             {"collector/device", "collector/directio"},
	"collector/nvml":                 {"collector/sharedlib"},
	"collector/sharedlib":            {},
	"collector/sllmstore/client":     {"collector/sllmstore/storagepb", "collector/stage"},
	"collector/sllmstore/server":     {"collector/checkpoint", "collector/device", "collector/directio", "collector/pool", "collector/sllmstore/storagepb", "collector/stage"},
	"collector/sllmstore/storagepb":  {},
	"collector/sllmstore/storetest":  {"collector/sllmstore/storagepb"},
	"collector/readiness":            {"collector/cuda", "collector/cuda/nvrtc", "collector/device", "collector/directio", "collector/nvml", "collector/probe", "collector/sharedlib", "collector/worker", "health"},
	"collector/stage":                {},
	"health":                         {},
	"plots":                          {},
	"plots/gallery":                  {"plots", "queries", "queries/stats"},
	"plots/report":                   {"plots", "plots/gallery", "queries"},
	"queries":                        {"queries/stats", "warehouse"},
	"queries/resultset":              {},
	"queries/shell":                  {"queries"},
	"queries/stats":                  {},
	"scripts/simulate":               {"warehouse"},
	"warehouse":                      {"health", "warehouse/record"},
	"warehouse/stream":               {},
	"warehouse/record":               {},
}

func TestImportsPointOneWay(t *testing.T) {
	seen := map[string]bool{}
	err := filepath.WalkDir(".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && file != "." && strings.HasPrefix(entry.Name(), ".") {
			return fs.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		from := path.Dir(filepath.ToSlash(file))
		seen[from] = true
		may, known := allowed[from]
		if !known {
			t.Errorf("package %s is not in the table of who may import whom", from)
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range parsed.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if to, ours := strings.CutPrefix(name, module); ours && !slices.Contains(may, to) {
				t.Errorf("%s imports %s, which %s may not", file, to, from)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range allowed {
		if !seen[name] {
			t.Errorf("package %s is in the table and not in the tree", name)
		}
		if base := path.Base(name); slices.Contains([]string{"util", "utils", "common", "helpers"}, base) {
			t.Errorf("package %s: name it after what it does", name)
		}
	}
}
