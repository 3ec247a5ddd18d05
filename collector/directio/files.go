package directio

import (
	"fmt"
	"os"
)

// Files are open files that are read as one, in the order of their paths.
type Files []*File

// OpenAll opens every path as Open does; sizes are how long the files have to
// be. It leaves none open when it fails.
func OpenAll(paths []string, sizes []int64, direct bool) (Files, error) {
	return openAll(paths, sizes, func(path string, size int64) (*File, error) { return Open(path, size, direct) })
}

// OpenAllIn is OpenAll for files below a folder, by OpenIn.
func OpenAllIn(root *os.Root, names []string, sizes []int64, direct bool) (Files, error) {
	return openAll(names, sizes, func(name string, size int64) (*File, error) { return OpenIn(root, name, size, direct) })
}

func openAll(paths []string, sizes []int64, open func(path string, size int64) (*File, error)) (Files, error) {
	files := make(Files, 0, len(paths))
	for i, path := range paths {
		f, err := open(path, sizes[i])
		if err != nil {
			_ = files.Close() // why opening failed says more
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

// Direct says that O_DIRECT is in force for all of them.
func (files Files) Direct() bool {
	for _, f := range files {
		if !f.Direct {
			return false
		}
	}
	return true
}

// Close closes all of them and says what went wrong first.
func (files Files) Close() error {
	var first error
	for _, f := range files {
		if err := f.Close(); err != nil && first == nil {
			first = fmt.Errorf("close: %w", err)
		}
	}
	return first
}
