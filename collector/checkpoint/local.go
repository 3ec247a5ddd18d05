package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// local is a model in a folder on this machine.
type local struct {
	dir    string
	from   *Checkpoint
	specs  []spec // numbered as from.Tensors
	source []sourceFile
}

// sourceFile identifies a file that a model was read from, to notice changes.
type sourceFile struct {
	Name    string `json:"name"`
	Size    int64  `json:"size_bytes"`
	ModTime int64  `json:"mtime_unix_ns"`
}

// openLocal reads the index of the checkpoint in dir.
func openLocal(ctx context.Context, dir string) (*local, error) {
	f, err := detect(dir)
	if err != nil {
		return nil, err
	}
	var c *Checkpoint
	if f == pyTorch {
		c, err = openPyTorch(ctx, dir)
	} else {
		c, err = Open(dir, f)
	}
	if err != nil {
		return nil, err
	}
	if len(c.Tensors) == 0 {
		return nil, fileError("read", dir, "the checkpoint has no tensors")
	}
	l := &local{dir: dir, from: c, specs: specsOf(c)}
	if f == pyTorch {
		if err := l.gatherViews(); err != nil {
			return nil, fmt.Errorf("read %s: %w", dir, err)
		}
	}
	names := make([]string, 0, len(c.Files))
	for _, f := range c.Files {
		names = append(names, f.Name)
	}
	for _, s := range l.sidecars() {
		names = append(names, s.name)
	}
	for _, name := range names {
		file, err := statSource(dir, name)
		if err != nil {
			return nil, err
		}
		l.source = append(l.source, file)
	}
	return l, nil
}

// specsOf returns a checkpoint's tensors without their positions, and finds the
// tied ones.
func specsOf(c *Checkpoint) []spec {
	specs := make([]spec, len(c.Tensors))
	for i, t := range c.Tensors {
		specs[i] = spec{name: t.Name, dtype: t.DType, shape: t.Shape, stride: t.Stride, size: t.Size, tiedTo: -1}
	}
	for from := 0; from < len(specs); {
		to := from + 1
		for to < len(specs) && c.Tensors[from].Size > 0 && tied(c.Tensors[from], c.Tensors[to]) {
			to++
		}
		keep := from
		// Of tied names, transformers drops the output projection's and restores
		// it from the embedding at load, so the name to keep is another one.
		for keep < to-1 && isHead(specs[keep].name) {
			keep++
		}
		for i := from; i < to; i++ {
			if i != keep {
				specs[i].tiedTo = keep
			}
		}
		from = to
	}
	return specs
}

// isHead reports whether a tensor is the projection to the vocabulary.
func isHead(name string) bool { return strings.HasSuffix(name, "lm_head.weight") }

// statSource identifies a file of a folder.
func statSource(dir, name string) (sourceFile, error) {
	info, err := os.Stat(filepath.Join(dir, name))
	if err != nil {
		return sourceFile{}, fmt.Errorf("check the model's files: %w", err)
	}
	return sourceFile{Name: name, Size: info.Size(), ModTime: info.ModTime().UnixNano()}, nil
}

// specsAs returns the model's tensors converted to a type (a DType's name,
// AutoDType or mixedDType), and the resulting type's name.
func (l *local) specsAs(dtype string) ([]spec, string, error) {
	specs := l.specs
	if dtype != AutoDType && dtype != mixedDType {
		to, err := ParseDType(dtype)
		if err != nil {
			return nil, "", err
		}
		if specs, err = convertSpecs(specs, to); err != nil {
			return nil, "", fmt.Errorf("convert %s: %w", l.dir, err)
		}
	}
	return specs, typeOf(specs), nil
}

// mixedDType is the type of a model with floating-point tensors of several
// types.
const mixedDType = "mixed"

// typeOf returns the name of the floating-point tensors' type; if there are
// none, of the first tensor's.
func typeOf(specs []spec) string {
	has := ""
	for _, s := range specs {
		switch {
		case !s.dtype.Float():
		case has == "":
			has = s.dtype.String()
		case has != s.dtype.String():
			return mixedDType
		}
	}
	if has == "" {
		has = specs[0].dtype.String()
	}
	return has
}

// converts reports whether specs have another type than the model.
func (l *local) converts(specs []spec) bool {
	for i, s := range specs {
		if s.dtype != l.specs[i].dtype {
			return true
		}
	}
	return false
}

// keepsFiles reports whether transformers could open the folder, so that its
// safetensors files can be copied unchanged.
func (l *local) keepsFiles() bool {
	if l.from.Format != SafeTensors {
		return false
	}
	if l.from.Files[0].Name == safeTensorsName {
		return true
	}
	_, ok := fileSidecar(l.dir, shardIndexName)
	return ok
}

// folder returns a readable relative path that is unique to the model's folder
// on this machine.
func (l *local) folder() string {
	base := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return '-'
	}, filepath.Base(l.dir))
	base = strings.TrimLeft(base, ".-")
	if base == "" {
		base = "model"
	}
	if len(base) > 100 {
		base = base[:100]
	}
	return filepath.Join("local", fmt.Sprintf("%s-%08x", base, uint32(Checksum([]byte(l.dir)))))
}

// folderReader is an open local model.
type folderReader struct {
	*local
	files []*os.File
}

var _ source = (*folderReader)(nil)

// open opens the folder's tensor files, and converts their tensors to specs.
func (l *local) open(specs []spec) (source, error) {
	r, err := l.read()
	if err != nil || !l.converts(specs) {
		return r, err
	}
	c, err := convert(r, specs)
	if err != nil {
		return nil, errors.Join(err, r.close())
	}
	return c, nil
}

// read opens the folder's tensor files.
func (l *local) read() (*folderReader, error) {
	r := &folderReader{local: l}
	for i := range l.from.Files {
		f, err := os.Open(l.from.Path(i))
		if err != nil {
			r.close()
			return nil, fmt.Errorf("read the model: %w", err)
		}
		r.files = append(r.files, f)
	}
	return r, nil
}

func (r *folderReader) tensors() []spec { return r.specs }

// fill reads from the tensor's file and drops the pages it read: a model that
// is read once would otherwise evict everything else from the page cache.
func (r *folderReader) fill(dst []byte, tensor int, off int64) error {
	t := r.from.Tensors[tensor]
	f := r.files[t.File]
	if r.gathers(tensor) {
		return gather(f, t, dst, off)
	}
	at := t.Offset + off
	if _, err := f.ReadAt(dst, at); err != nil {
		return fmt.Errorf("read %s: %w", f.Name(), readAtError(err, r.from.Files[t.File].Size))
	}
	dropPages(f, at, int64(len(dst)))
	return nil
}

// check returns an error if a file has changed since openLocal.
func (r *folderReader) check(context.Context) error {
	for _, before := range r.source {
		now, err := statSource(r.dir, before.Name)
		if err != nil {
			return err
		}
		if now != before {
			return fileError("read", filepath.Join(r.dir, before.Name), "it changed while it was read: start again")
		}
	}
	return nil
}

func (r *folderReader) close() error {
	var first error
	for _, f := range r.files {
		if err := f.Close(); first == nil {
			first = err
		}
	}
	return first
}
