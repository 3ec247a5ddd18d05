package checkpoint

import (
	"os"
	"path/filepath"
	"testing"
)

// TestPrepareForJudge prepares the model that scripts/fixtures/check.sh names in
// both formats, for the Python packages to check.
func TestPrepareForJudge(t *testing.T) {
	model, storage := os.Getenv("SLLMQ_TEST_MODEL"), os.Getenv("SLLMQ_TEST_STORAGE")
	if model == "" || storage == "" {
		t.Skip("runs from scripts/fixtures/check.sh")
	}
	for _, f := range Formats() {
		// Small limits, so that a small model has several files.
		prepare(t, planFor(t, model, storage, f, AutoDType, 1, Options{PartitionBytes: 50_000, ShardBytes: 70_000}))
	}
}

// TestSparseForJudge writes the headers of every synthetic model.
func TestSparseForJudge(t *testing.T) {
	root := os.Getenv("SLLMQ_TEST_SPARSE")
	if root == "" {
		t.Skip("runs from scripts/fixtures/check.sh")
	}
	for _, s := range catalogue() {
		dir := filepath.Join(root, s.name)
		if err := os.MkdirAll(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		writeSparse(t, dir, s.name, SafeTensors)
	}
}
