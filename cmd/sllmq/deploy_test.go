package main

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// TestVariablesOfTheManifestsAreFlags: a variable that no flag reads is
// silently nothing.
func TestVariablesOfTheManifestsAreFlags(t *testing.T) {
	flags := newCollectCommand(&environment{}).Flags()
	for _, path := range []string{"../../deploy/k8s/base/config.env", "../../deploy/k8s/nodes/kustomization.yaml", "../../deploy/docker/Dockerfile"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for word := range strings.FieldsSeq(string(text)) {
			name, _, ok := strings.Cut(word, "=")
			ours, isOurs := strings.CutPrefix(name, "SLLMQ_")
			flag := strings.ReplaceAll(strings.ToLower(ours), "_", "-")
			switch {
			case !ok || strings.ToUpper(name) != name || strings.HasPrefix(name, "NVIDIA_") || strings.HasPrefix(name, "-"):
				continue
			case slices.Contains([]string{"SMALL", "SERVERLESSLLM", "GO", "VERSION"}, name):
				continue
			case name == warehouseVariable:
			case !isOurs && slices.Contains(referenceFlags, flag):
			case isOurs && flags.Lookup(flag) != nil:
			default:
				t.Errorf("%s: %s is no flag of collect", path, name)
			}
			found++
		}
		if found == 0 {
			t.Errorf("%s: no variable was found", path)
		}
	}
}
