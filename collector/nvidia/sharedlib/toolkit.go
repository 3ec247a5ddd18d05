package sharedlib

import (
	"os"
	"path/filepath"
	"slices"
)

// OpenToolkit opens a library of NVIDIA's CUDA toolkit: at path, if it is not "",
// or else the first of names that it can, where the dynamic linker looks and in
// the folders of toolkits and Python packages, which the linker does not search.
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
		matches, _ := filepath.Glob(p) // its only error is a bad pattern
		slices.Sort(matches)
		slices.Reverse(matches)
		found = append(found, matches...)
	}
	return found
}
