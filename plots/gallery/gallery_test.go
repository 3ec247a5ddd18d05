package gallery

import (
	"testing"

	"github.com/sllmq/sllmq/warehouse/record"
)

func TestTheBaselineIsWhatPeopleLoadWith(t *testing.T) {
	mmap := record.Arm{Format: "safetensors", Loader: "mmap"}
	arms := []record.Arm{{Format: "safetensors", Loader: "direct"}, {Format: "safetensors", Loader: "raw"}, mmap, {Format: "sllm", Loader: "pool"}}
	if got := Baseline(arms); got != mmap {
		t.Errorf("baseline %v, want %v", got, mmap)
	}
	if got := Baseline(arms[3:]); got != (record.Arm{}) {
		t.Errorf("baseline %v, want none", got)
	}
}
