// Package check holds the files of deploy to those who read them: Docker's own
// parser and linter, kustomize, and the types of Kubernetes' API.
package check

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// lint parses a Dockerfile as BuildKit does and returns what its linter says,
// and the names of its stages.
func lint(file []byte) (warnings, stages []string, err error) {
	parsed, err := parser.Parse(bytes.NewReader(file))
	if err != nil {
		return nil, nil, err
	}
	for _, w := range parsed.Warnings {
		warnings = append(warnings, w.Short)
	}
	l := linter.New(&linter.Config{Warn: func(rule, _, _, message string, _ []parser.Range) {
		warnings = append(warnings, rule+": "+message)
	}})
	all, _, err := instructions.Parse(parsed.AST, l)
	for _, s := range all {
		stages = append(stages, s.Name)
	}
	return warnings, stages, err
}

func TestDockerfile(t *testing.T) {
	file, err := os.ReadFile("../docker/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	warnings, stages, err := lint(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range warnings {
		t.Error(w)
	}
	if got := strings.Join(stages, " "); got != "go build-native build-transformers transformers native" {
		t.Errorf("stages %s", got)
	}
	if bytes.Contains(file, []byte("HF_TOKEN")) {
		t.Error("a token has no place in an image")
	}
}

// TestTheLinterSees is the linter at work: what it would not see proves nothing.
func TestTheLinterSees(t *testing.T) {
	for name, file := range map[string]string{
		"unknown instruction": "FROM a\nRUM b\n",
		"mixed case":          "FROM a as b\nRUN c\n",
		"upper case stage":    "FROM a AS B\nRUN c\n",
		"a maintainer":        "FROM a\nMAINTAINER b\n",
		"nothing":             "",
	} {
		if warnings, _, err := lint([]byte(file)); err == nil && len(warnings) == 0 {
			t.Errorf("%s: nothing is said", name)
		}
	}
}
