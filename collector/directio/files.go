package directio

import (
	"fmt"
	"os"
)

// Files are the open files of one checkpoint, in the order of their paths.
type Files []*File

// OpenAll opens every path as Open does, with the size at the same index. If it
// fails it leaves no file open.
func OpenAll(paths []string, sizes []int64, direct bool) (Files, error) {
	return openAll(paths, sizes, func(path string, size int64) (*File, error) { return Open(path, size, direct) })
}

// OpenAllIn is OpenAll for files below root: see OpenIn.
func OpenAllIn(root *os.Root, names []string, sizes []int64, direct bool) (Files, error) {
	return openAll(names, sizes, func(name string, size int64) (*File, error) { return OpenIn(root, name, size, direct) })
}

func openAll(paths []string, sizes []int64, open func(path string, size int64) (*File, error)) (Files, error) {
	files := make(Files, 0, len(paths))
	for i, path := range paths {
		f, err := open(path, sizes[i])
		if err != nil {
			_ = files.Close() // the error of opening tells more
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

// Direct reports whether O_DIRECT is in force for all of them.
func (files Files) Direct() bool {
	for _, f := range files {
		if !f.Direct {
			return false
		}
	}
	return true
}

// Close closes all of them and returns the first error.
func (files Files) Close() error {
	var first error
	for _, f := range files {
		if err := f.Close(); err != nil && first == nil {
			first = fmt.Errorf("close: %w", err)
		}
	}
	return first
}
