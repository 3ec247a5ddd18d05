package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

func newVersionCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  sllmq version",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(env.stdout, "sllmq %s, %s, %s/%s, duckdb-go %s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH, moduleVersion("github.com/duckdb/duckdb-go/v2"))
			return err
		},
	}
}

// release is the version of a build outside a repository, such as an image's:
// go build -ldflags "-X main.release=v1.2.3".
var release string

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return versionOf(release, info)
}

// versionOf returns the release that a build was given, or the module's version
// and the commit.
func versionOf(release string, info *debug.BuildInfo) string {
	if release != "" {
		return release
	}
	built := map[string]string{}
	for _, s := range info.Settings {
		built[s.Key] = s.Value
	}
	version, revision := info.Main.Version, built["vcs.revision"]
	revision = revision[:min(12, len(revision))]
	if strings.Contains(version, revision) {
		return cmp.Or(version, "unknown") // Go's own version of a commit has it
	}
	if built["vcs.modified"] == "true" {
		revision += "+dirty"
	}
	return strings.TrimSpace(version + " " + revision)
}

func moduleVersion(path string) string {
	info, ok := debug.ReadBuildInfo()
	if ok {
		for _, m := range info.Deps {
			if m.Path == path {
				return m.Version
			}
		}
	}
	return "unknown"
}
