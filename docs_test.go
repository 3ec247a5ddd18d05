package sllmq_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestContributingNamesTheTree checks that every path in CONTRIBUTING.md exists and that
// its map has every package.
func TestContributingNamesTheTree(t *testing.T) {
	text := readText(t, "CONTRIBUTING.md")
	named := map[string]bool{}
	// The map's lines start with a path; elsewhere paths are code spans with a slash.
	path := regexp.MustCompile("(?m)^    ([a-z][a-z0-9_./-]+)  |`([a-z.][A-Za-z0-9_.-]*/[A-Za-z0-9_./-]*)`")
	for _, match := range path.FindAllStringSubmatch(text, -1) {
		name := strings.TrimSuffix(match[1]+match[2], "/")
		named[name] = true
		if _, err := os.Stat(name); err != nil {
			t.Errorf("CONTRIBUTING.md names %s: %v", name, err)
		}
	}
	for name := range allowed {
		if !named[name] {
			t.Errorf("the map in CONTRIBUTING.md lacks the package %s", name)
		}
	}
}

// TestLinksInDocuments checks that relative links in Markdown files lead to files.
func TestLinksInDocuments(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	links := map[string]int{}
	err := filepath.WalkDir(".", func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && file != "." && strings.HasPrefix(entry.Name(), "."):
			return fs.SkipDir
		case entry.IsDir() || filepath.Ext(file) != ".md":
			return nil
		}
		for _, match := range link.FindAllStringSubmatch(readText(t, file), -1) {
			links[file]++
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), match[1])); errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s links to %s, which does not exist", file, match[1])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"README.md", filepath.FromSlash("docs/timing.md")} {
		if links[file] == 0 {
			t.Errorf("no links were found in %s", file)
		}
	}
}

// TestDependenciesAreDocumented checks that the table in docs/dependencies.md has the
// modules that go.mod requires directly, and names no module that go.mod lacks.
func TestDependenciesAreDocumented(t *testing.T) {
	table, _, ok := strings.Cut(readText(t, "docs/dependencies.md"), "`deploy/check` is a separate module")
	if !ok {
		t.Fatal("docs/dependencies.md does not separate the modules of deploy/check")
	}
	documented := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]*) \\|").FindAllStringSubmatch(table, -1) {
		for _, name := range regexp.MustCompile("`([^`]+/[^`]+)`").FindAllStringSubmatch(row[1], -1) {
			documented[name[1]] = true
		}
	}
	required := regexp.MustCompile(`(?m)^\t(\S+) v\S+( // indirect)?$`).FindAllStringSubmatch(readText(t, "go.mod"), -1)
	direct := 0
	for _, match := range required {
		module, indirect := match[1], match[2] != ""
		if !indirect {
			direct++
			if !documented[module] {
				t.Errorf("docs/dependencies.md lacks %s", module)
			}
		}
		delete(documented, module)
	}
	if direct == 0 {
		t.Error("no direct requirements were found in go.mod")
	}
	for module := range documented {
		t.Errorf("docs/dependencies.md has %s, which go.mod does not require", module)
	}
}

func readText(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash(file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
