package server

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sllmq/sllmq/collector/checkpoint"
	"github.com/sllmq/sllmq/collector/directio"
	"github.com/sllmq/sllmq/collector/pool"
)

// model is a folder of partitions below the storage path. The folder stays open
// while its files are opened, so that all are of the folder that was checked,
// even if something else is moved to its path.
type model struct {
	*checkpoint.Checkpoint
	folder *os.Root
}

// place checks a model's path. It returns the absolute path of its folder, and the
// path below the storage path.
func (s *storage) place(modelPath string) (dir, local string, err error) {
	switch {
	case modelPath == "":
		return "", "", status.Error(codes.InvalidArgument, "model_path is empty")
	case len(modelPath) > maxName || !utf8.ValidString(modelPath) || strings.ContainsRune(modelPath, 0):
		return "", "", status.Errorf(codes.InvalidArgument, "model_path is not a path of at most %d bytes", maxName)
	case !filepath.IsLocal(modelPath):
		return "", "", status.Errorf(codes.InvalidArgument, "model_path %q is not below the storage path", modelPath)
	}
	local = filepath.Clean(modelPath)
	return filepath.Join(s.path, local), local, nil
}

// open opens a model's folder and lists its partitions.
func (s *storage) open(modelPath string) (*model, error) {
	dir, local, err := s.place(modelPath)
	if err != nil {
		return nil, err
	}
	folder, err := s.root.OpenRoot(local)
	if err != nil {
		return nil, notThere(modelPath, err)
	}
	files, err := checkpoint.Partitions(folder.FS())
	if err != nil {
		return nil, errors.Join(notThere(modelPath, err), folder.Close())
	}
	return &model{&checkpoint.Checkpoint{Dir: dir, Format: checkpoint.SLLM, Files: files}, folder}, nil
}

func notThere(modelPath string, err error) error {
	code := codes.FailedPrecondition
	if errors.Is(err, fs.ErrNotExist) {
		code = codes.NotFound
	}
	return status.Errorf(code, "model %q is not an sllm checkpoint below the storage path: %v", modelPath, err)
}

func (m *model) close() { _ = m.folder.Close() } // a failure loses nothing

// openFiles opens the partitions.
func (m *model) openFiles() (directio.Files, error) {
	names, sizes := make([]string, len(m.Files)), make([]int64, len(m.Files))
	for i, f := range m.Files {
		names[i], sizes[i] = f.Name, f.Size
	}
	return directio.OpenAllIn(m.folder, names, sizes, true)
}

// refusal returns the status for an error of the pool.
func refusal(modelPath string, err error) error {
	code := codes.Internal
	switch {
	case errors.Is(err, pool.ErrTooSmall), errors.Is(err, pool.ErrBusy):
		code = codes.ResourceExhausted
	case errors.Is(err, fs.ErrNotExist):
		code = codes.NotFound
	}
	return status.Error(code, fmt.Sprintf("load %q: %v", modelPath, err))
}
