// Package check tests the files of deploy with the code that will read them: Docker's
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

// lint parses a Dockerfile as BuildKit does. It returns the parser's and the linter's
// warnings, and the names of the stages.
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
		t.Errorf("stages are %q", got)
	}
	if bytes.Contains(file, []byte("HF_TOKEN")) {
		t.Error("the Dockerfile must not mention HF_TOKEN: a token would be stored in the image")
	}
}

// TestLinterFindsMistakes shows that lint reports mistakes, so that its silence in
// TestDockerfile means something.
func TestLinterFindsMistakes(t *testing.T) {
	for name, file := range map[string]string{
		"unknown instruction": "FROM a\nRUM b\n",
		"mixed case":          "FROM a as b\nRUN c\n",
		"upper case stage":    "FROM a AS B\nRUN c\n",
		"maintainer":          "FROM a\nMAINTAINER b\n",
		"empty file":          "",
	} {
		if warnings, _, err := lint([]byte(file)); err == nil && len(warnings) == 0 {
			t.Errorf("%s: no warning and no error", name)
		}
	}
}
