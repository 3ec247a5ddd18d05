package directio

import "fmt"

// Files are open files that are read as one, in the order of their paths.
type Files []*File

// OpenAll opens every path as Open does; sizes are how long the files have to
// be. It leaves none open when it fails.
func OpenAll(paths []string, sizes []int64, direct bool) (Files, error) {
	files := make(Files, 0, len(paths))
	for i, path := range paths {
		f, err := Open(path, sizes[i], direct)
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
