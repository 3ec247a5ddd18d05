package main

import (
	"os"
	"runtime/debug"
	"strings"
	"testing"
)

func TestVersionsTellBuildsApart(t *testing.T) {
	const revision = "0c079376003fd7e645f4f70fea7537e578ebc05f"
	stamped := func(modified string) []debug.BuildSetting {
		return []debug.BuildSetting{{Key: "vcs.revision", Value: revision}, {Key: "vcs.modified", Value: modified}}
	}
	for _, c := range []struct {
		release, module string
		settings        []debug.BuildSetting
		want            string
	}{
		{"v1.2.3-4-gabc", "(devel)", nil, "v1.2.3-4-gabc"},
		{"", "v1.2.3", nil, "v1.2.3"},
		{"", "(devel)", nil, "(devel)"},
		{"", "(devel)", stamped("false"), "(devel) 0c079376003f"},
		{"", "(devel)", stamped("true"), "(devel) 0c079376003f+dirty"},
		{"", "v1.2.3", stamped("false"), "v1.2.3 0c079376003f"},
		{"", "v0.0.0-20261125142220-0c079376003f+dirty", stamped("true"), "v0.0.0-20261125142220-0c079376003f+dirty"},
		{"", "", nil, "unknown"},
	} {
		got := versionOf(c.release, &debug.BuildInfo{Main: debug.Module{Version: c.module}, Settings: c.settings})
		if got != c.want {
			t.Errorf("%q of %q %v, want %q", got, c.module, c.settings, c.want)
		}
	}
}

// The linker passes over a variable that is not there.
func TestImagesAreToldTheirVersion(t *testing.T) {
	file, err := os.ReadFile("../../deploy/docker/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	builds, told := strings.Count(string(file), "go build "), strings.Count(string(file), "-X 'main.release=${VERSION}'")
	if builds == 0 || told != builds {
		t.Errorf("%d of %d builds", told, builds)
	}
	if release != "" {
		t.Errorf("release is %q here", release)
	}
}
