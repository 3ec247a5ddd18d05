package checkpoint

import (
	"context"
	"encoding/json"
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
	specs  []spec // as from.Tensors are numbered
	source []sourceFile
}

// sourceFile tells whether a file is still the one that was read.
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
	for _, f := range c.Files {
		seen, err := identify(dir, f.Name)
		if err != nil {
			return nil, err
		}
		l.source = append(l.source, seen)
	}
	for _, s := range l.sidecars() {
		seen, err := identify(dir, s.name)
		if err != nil {
			return nil, err
		}
		l.source = append(l.source, seen)
	}
	return l, nil
}

// specsOf takes the places off a checkpoint's tensors and finds the tied ones.
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
		// Of tied names transformers drops the output's, and takes it from the
		// embedding when it loads; a name that is left must not be that one.
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

// isHead says whether a tensor is the projection to the vocabulary.
func isHead(name string) bool { return strings.HasSuffix(name, "lm_head.weight") }

// identify looks at a file of the folder.
func identify(dir, name string) (sourceFile, error) {
	info, err := os.Stat(filepath.Join(dir, name))
	if err != nil {
		return sourceFile{}, fmt.Errorf("look at the model's files: %w", err)
	}
	return sourceFile{Name: name, Size: info.Size(), ModTime: info.ModTime().UnixNano()}, nil
}

// at gives the model's tensors at a type, and that type's name, or "mixed".
func (l *local) at(dtype string) ([]spec, string, error) {
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

// mixedDType stands for floating-point tensors of several types.
const mixedDType = "mixed"

// typeOf names the type of the floating-point tensors.
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

// converts says whether the model has another type on its way out.
func (l *local) converts(specs []spec) bool {
	for i, s := range specs {
		if s.dtype != l.specs[i].dtype {
			return true
		}
	}
	return false
}

// keepsFiles says whether the folder is what transformers opens, so that its
// safetensors files can be taken as they are.
func (l *local) keepsFiles() bool {
	if l.from.Format != SafeTensors {
		return false
	}
	if l.from.Files[0].Name == safeTensorsName {
		return true
	}
	_, ok := copyOf(shardIndexName, filepath.Join(l.dir, shardIndexName))
	return ok
}

// sidecarsAt are the sidecars, config.json with the type that the tensors have
// been converted to.
func (l *local) sidecarsAt(dtype string) ([]sidecar, error) {
	list := l.sidecars()
	for i, s := range list {
		if s.name != configName {
			continue
		}
		text, err := readBounded(s.path)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", s.path, err)
		}
		var config map[string]json.RawMessage
		if err := json.Unmarshal(text, &config); err != nil {
			return nil, fmt.Errorf("read %s: %w", s.path, corrupt("%v", err))
		}
		if config == nil {
			return nil, fmt.Errorf("read %s: %w", s.path, corrupt("it holds no JSON object"))
		}
		quoted := json.RawMessage(`"` + dtype + `"`)
		_, newer := config["dtype"]
		_, older := config["torch_dtype"]
		if newer || !older {
			config["dtype"] = quoted
		}
		if older {
			config["torch_dtype"] = quoted
		}
		if text, err = json.MarshalIndent(config, "", "  "); err != nil {
			return nil, fmt.Errorf("make %s: %w", configName, err)
		}
		list[i] = sidecar{name: configName, size: int64(len(text)), data: text}
	}
	return list, nil
}

// configName is the model's configuration.
const configName = "config.json"

// sidecars lists what goes along from the folder: the configuration and the
// tokenizer.
func (l *local) sidecars() []sidecar {
	var list []sidecar
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return nil // the folder was read a moment ago; what it lacks shows in the list
	}
	for _, e := range entries {
		if !isSidecar(e.Name()) {
			continue
		}
		if s, ok := copyOf(e.Name(), filepath.Join(l.dir, e.Name())); ok {
			list = append(list, s)
		}
	}
	return list
}

// isSidecar knows the names of the files that Hugging Face's libraries write
// beside the tensors, and those that ServerlessLLM's loader adds.
func isSidecar(name string) bool {
	switch name {
	case configName, "generation_config.json", "special_tokens_map.json", "added_tokens.json", "merges.txt",
		"spiece.model", "sentencepiece.bpe.model", modulesName, tiedModulesName:
		return true
	}
	if strings.HasSuffix(name, safeTensorsExt) {
		return false
	}
	for _, prefix := range []string{"tokenizer", "vocab", "chat_template"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// folder is a readable path that no other folder of this machine has.
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

// folderReader is a local model that is being read.
type folderReader struct {
	*local
	files []*os.File
}

var _ source = (*folderReader)(nil)

// open opens the folder's tensor files, to be had as specs says.
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

// fill reads from the tensor's file, and lets go of the pages it read: a
// model that is read once would otherwise push everything else out of memory.
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

// check refuses files that were changed since they were first looked at.
func (r *folderReader) check(context.Context) error {
	for _, before := range r.source {
		now, err := identify(r.dir, before.Name)
		if err != nil {
			return err
		}
		if now != before {
			return fileError("read", filepath.Join(r.dir, before.Name), "it was changed meanwhile: start again")
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
