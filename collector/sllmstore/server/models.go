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

// model is a folder of partitions below the storage path, open for as long as
// its files are being opened: whatever happens to its path meanwhile, it is
// the folder that was looked at.
type model struct {
	*checkpoint.Checkpoint
	folder *os.Root
}

// place checks a model's path, and says which folder it is.
func (s *storage) place(modelPath string) (dir, local string, err error) {
	switch {
	case modelPath == "":
		return "", "", status.Error(codes.InvalidArgument, "model_path is empty")
	case len(modelPath) > maxName || !utf8.ValidString(modelPath) || strings.ContainsRune(modelPath, 0):
		return "", "", status.Errorf(codes.InvalidArgument, "model_path is no path of at most %d bytes", maxName)
	case !filepath.IsLocal(modelPath):
		return "", "", status.Errorf(codes.InvalidArgument, "model_path %q does not lie below the storage path", modelPath)
	}
	local = filepath.Clean(modelPath)
	return filepath.Join(s.path, local), local, nil
}

// open finds a model's partitions.
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
	return status.Errorf(code, "model %q is no sllm checkpoint below the storage path: %v", modelPath, err)
}

func (m *model) close() { _ = m.folder.Close() } // nothing was written

// openFiles opens the partitions.
func (m *model) openFiles() (directio.Files, error) {
	names, sizes := make([]string, len(m.Files)), make([]int64, len(m.Files))
	for i, f := range m.Files {
		names[i], sizes[i] = f.Name, f.Size
	}
	return directio.OpenAllIn(m.folder, names, sizes, true)
}

// refusal is the status of a fetch that can't succeed.
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
