// Package sllmq_test checks the repository as a whole: which package may import which
// other package of the module.
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

// allowed lists, for each package, the packages of this module that it may import. Add
// new packages here.
var allowed = map[string][]string{
	"cmd/sllmq":                      {"collector", "collector/checkpoint", "collector/device", "collector/directio", "collector/doctor", "collector/hub", "collector/machine", "collector/roofline", "collector/sllmstore/server", "collector/worker", "internal/atomicfile", "internal/size", "internal/text", "plots", "plots/gallery", "plots/report", "queries", "queries/render", "queries/shell", "queries/stats", "queries/stream", "warehouse", "warehouse/intake", "warehouse/lake", "warehouse/schema"},
	"collector":                      {"collector/checkpoint", "collector/device", "collector/directio", "collector/hub", "collector/loader", "collector/machine", "collector/nvidia/nvml", "collector/roofline", "collector/sllmstore/client", "collector/worker", "internal/pyjson", "internal/size", "warehouse/record"},
	"collector/checkpoint":           {"collector/checkpoint/torchfile", "internal/atomicfile", "internal/filelock", "internal/float16", "internal/gitlfs", "internal/pyjson", "internal/size", "internal/text"},
	"collector/checkpoint/filetest":  {},
	"collector/checkpoint/torchfile": {"internal/text"},
	"collector/device":               {"collector/hostmem", "collector/nvidia/cuda"},
	"collector/directio":             {},
	"collector/doctor":               {"collector/directio", "collector/hostmem", "collector/machine", "collector/nvidia/cuda", "collector/nvidia/nvml", "collector/nvidia/nvrtc", "collector/nvidia/sharedlib", "collector/worker", "internal/size", "internal/text"},
	"collector/hostmem":              {},
	"collector/hub":                  {"collector/machine", "internal/atomicfile", "internal/filelock", "internal/size", "internal/text"},
	"collector/inference":            {"collector/nvidia/cuda", "internal/float16", "internal/pyjson", "internal/text"},
	"collector/inference/tokenizer":  {"internal/gitlfs", "internal/pyjson", "internal/text"},
	"collector/loader":               {"collector/checkpoint", "collector/device", "collector/directio", "collector/hostmem", "collector/nvidia/cuda", "collector/nvidia/cufile", "collector/pool", "collector/sllmstore/client", "collector/stage", "collector/workqueue"},
	"collector/machine":              {"collector/hostmem", "collector/nvidia/cuda", "collector/nvidia/nvml", "collector/nvidia/sharedlib", "warehouse/record"},
	"collector/machine/grouptest":    {},
	"collector/nvidia/cuda":          {"collector/nvidia/sharedlib"},
	"collector/nvidia/cudatest":      {},
	"collector/nvidia/cufile":        {"collector/nvidia/cuda", "collector/nvidia/sharedlib"},
	"collector/nvidia/nvml":          {"collector/nvidia/nvml/symbols", "collector/nvidia/sharedlib"},
	"collector/nvidia/nvml/symbols":  {},
	"collector/nvidia/nvrtc":         {"collector/nvidia/sharedlib", "internal/text"},
	"collector/nvidia/sharedlib":     {"internal/text"},
	"collector/pool":                 {"collector/checkpoint", "collector/directio", "collector/hostmem", "collector/stage", "collector/workqueue"},
	"collector/roofline":             {"collector/device", "collector/directio", "collector/hostmem", "collector/workqueue", "queries/stats"},
	"collector/sllmstore/client":     {"collector/sllmstore/storagepb", "collector/stage", "internal/text"},
	"collector/sllmstore/server":     {"collector/checkpoint", "collector/device", "collector/directio", "collector/hostmem", "collector/pool", "collector/sllmstore/storagepb", "collector/stage"},
	"collector/sllmstore/storagepb":  {},
	"collector/sllmstore/storetest":  {"collector/sllmstore/server", "collector/sllmstore/storagepb"},
	"collector/stage":                {},
	"collector/worker":               {"collector/checkpoint", "collector/device", "collector/inference", "collector/inference/tokenizer", "collector/loader", "collector/machine", "collector/nvidia/cuda", "collector/nvidia/nvrtc", "collector/roofline", "collector/sllmstore/client", "collector/stage", "collector/workqueue", "internal/gitlfs", "internal/pyjson", "warehouse/record"},
	"collector/workqueue":            {},
	"internal/atomicfile":            {},
	"internal/filelock":              {},
	"internal/float16":               {},
	"internal/gitlfs":                {},
	"internal/pyjson":                {},
	"internal/scratch":               {},
	"internal/size":                  {},
	"internal/text":                  {},
	"plots":                          {"plots/canvas", "plots/chart", "queries/stats", "warehouse/record"},
	"plots/canvas":                   {},
	"plots/chart":                    {"plots/canvas"},
	"plots/gallery":                  {"plots", "queries", "queries/stats", "warehouse/record"},
	"plots/report":                   {"internal/size", "plots", "plots/gallery", "queries", "warehouse/record"},
	"queries":                        {"queries/stats", "warehouse/record"},
	"queries/render":                 {"internal/text", "queries", "queries/stats", "warehouse/record"},
	"queries/shell":                  {"queries", "queries/render"},
	"queries/stats":                  {},
	"queries/stream":                 {},
	"scripts/simulate":               {"warehouse"},
	"warehouse":                      {"internal/atomicfile", "internal/scratch", "warehouse/database", "warehouse/intake", "warehouse/lake", "warehouse/record", "warehouse/schema"},
	"warehouse/database":             {"internal/text", "warehouse/record"},
	"warehouse/intake":               {"warehouse/record"},
	"warehouse/lake":                 {"internal/atomicfile", "internal/filelock", "internal/scratch", "warehouse/database", "warehouse/record", "warehouse/schema"},
	"warehouse/record":               {},
	"warehouse/schema":               {"warehouse/database"},
}

func TestImportsPointOneWay(t *testing.T) {
	seen, used := map[string]bool{}, map[string]bool{}
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
			t.Errorf("package %s is not in the table of allowed imports", from)
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
			to, ours := strings.CutPrefix(name, module)
			switch {
			case !ours:
			case !slices.Contains(may, to):
				t.Errorf("%s imports %s, which is not allowed for %s", file, to, from)
			default:
				used[from+" "+to] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, imports := range allowed {
		for _, to := range imports {
			if !used[name+" "+to] {
				t.Errorf("%s does not import %s: remove it from the table", name, to)
			}
		}
		if !seen[name] {
			t.Errorf("package %s is in the table but not in the tree", name)
		}
		if base := path.Base(name); slices.Contains([]string{"util", "utils", "common", "helpers"}, base) {
			t.Errorf("package %s: name it after what it does", name)
		}
	}
}
