package sharedlib

import (
	"os"
	"path/filepath"
	"slices"
)

// OpenToolkit opens a library of NVIDIA's CUDA toolkit: at path, if there is
// one, or by the first of its names that can be, where the linker looks and
// where toolkits and Python's packages keep it without telling the linker.
func OpenToolkit(path string, names ...string) (*Library, error) {
	if path != "" {
		return Open(path)
	}
	tried := slices.Clone(names)
	for _, folder := range toolkitFolders() {
		for _, name := range names {
			file := filepath.Join(folder, name)
			if _, err := os.Stat(file); err == nil {
				tried = append(tried, file)
			}
		}
	}
	return Open(tried...)
}

func toolkitFolders() []string {
	patterns := []string{"/usr/local/cuda/lib64", "/usr/local/cuda-*/lib64"}
	for _, root := range []string{os.Getenv("CUDA_HOME"), os.Getenv("CUDA_PATH")} {
		if root != "" {
			patterns = append(patterns, filepath.Join(root, "lib64"))
		}
	}
	for _, root := range []string{os.Getenv("VIRTUAL_ENV"), os.Getenv("CONDA_PREFIX"), "/usr/local"} {
		if root != "" {
			patterns = append(patterns, filepath.Join(root, "lib/python3*/*-packages/nvidia/*/lib"))
		}
	}
	var found []string
	for _, p := range patterns {
		matches, _ := filepath.Glob(p) // its one error is of a bad pattern
		slices.Sort(matches)
		slices.Reverse(matches)
		found = append(found, matches...)
	}
	return found
}
