package checkpoint

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// source is where a model's tensors come from. fill may be called from several
// goroutines.
type source interface {
	// tensors lists what there is, in the order in which it is written; places
	// are not set.
	tensors(dtype string) ([]item, error)
	// fill puts the bytes of a tensor from offset on into b.
	fill(t item, offset int64, b []byte) error
	// identity tells this source from any other, line by line.
	identity() []string
	// extras are the files that go beside the tensors, by name.
	extras() (map[string][]byte, error)
	close() error
}

// item is a tensor of a source.
type item struct {
	Tensor
	tiedTo string // the name of the tensor whose bytes it shares
	number int    // the source's own
}

// Model is what is measured: a name and where its tensors come from.
type Model struct {
	Name   string // as recorded
	Source string // synthetic or local
	folder string // under the storage path
	open   func() (source, error)
}

// Resolve finds the model that a name means: synthetic/NAME is made up, a path
// of a folder is read.
func Resolve(name string) (Model, error) {
	if made, ok := strings.CutPrefix(name, syntheticPrefix); ok {
		return syntheticModel(made)
	}
	if name == "" {
		return Model{}, errors.New("the model's name is empty")
	}
	info, err := os.Stat(name)
	if err != nil || !info.IsDir() {
		if filepath.IsAbs(name) || strings.HasPrefix(name, ".") || strings.Count(name, "/") != 1 {
			return Model{}, fmt.Errorf("model folder %s does not exist", name)
		}
		return Model{}, fmt.Errorf("model %s: models from the Hub are not there yet: name a local folder or one of %s", name, strings.Join(syntheticNames(), ", "))
	}
	return localModel(name)
}

// localFolder is a checkpoint that somebody else wrote.
type localFolder struct {
	checkpoint *Checkpoint
	files      []*os.File
}

func localModel(name string) (Model, error) {
	path, err := filepath.Abs(name)
	if err != nil {
		return Model{}, fmt.Errorf("find %s: %w", name, err)
	}
	if _, err := Detect(path); err != nil {
		return Model{}, err
	}
	return Model{
		Name:   path,
		Source: "local",
		// The digest keeps folders of one name apart.
		folder: filepath.Join("local", fmt.Sprintf("%s-%08x", safeName(filepath.Base(path)), uint32(Checksum([]byte(path))))),
		open:   func() (source, error) { return openLocal(path) },
	}, nil
}

// safeName keeps of a name what every filesystem takes.
func safeName(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return '_'
	}, strings.TrimLeft(name, "."))
}

func openLocal(path string) (*localFolder, error) {
	format, err := Detect(path)
	if err != nil {
		return nil, err
	}
	l := &localFolder{}
	if l.checkpoint, err = Open(path, format); err != nil {
		return nil, err
	}
	for i := range l.checkpoint.Files {
		f, err := os.Open(l.checkpoint.Path(i))
		if err != nil {
			return nil, errors.Join(err, l.close())
		}
		l.files = append(l.files, f)
	}
	return l, nil
}

func (l *localFolder) close() error {
	var errs []error
	for _, f := range l.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

func (l *localFolder) tensors(dtype string) ([]item, error) {
	all := l.checkpoint.Tensors
	items := make([]item, 0, len(all))
	for i, t := range all {
		if dtype != autoDType && t.DType.Float() && t.DType.String() != dtype {
			return nil, fmt.Errorf("tensor %q of %s is %v: conversion to %s is not there yet, use --dtype %v or --dtype auto",
				t.Name, l.checkpoint.Dir, t.DType, dtype, t.DType)
		}
		it := item{Tensor: t, number: i}
		if i > 0 && t.Size > 0 && samePlace(all, i) {
			it.tiedTo = cmp.Or(items[i-1].tiedTo, items[i-1].Name)
		}
		items = append(items, it)
	}
	return items, nil
}

func (l *localFolder) fill(t item, offset int64, b []byte) error {
	from := l.checkpoint.Tensors[t.number]
	_, err := l.files[from.File].ReadAt(b, from.Offset+offset)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("read tensor %q of %s: %w", t.Name, l.checkpoint.Path(from.File), err)
	}
	return nil
}

func (l *localFolder) identity() []string {
	lines := []string{"folder " + l.checkpoint.Dir}
	for _, f := range l.files {
		// A file that can't be looked at can't be the one of last time.
		line := "unknown"
		if info, err := f.Stat(); err == nil {
			line = fmt.Sprintf("file %s %d %d", filepath.Base(f.Name()), info.Size(), info.ModTime().UnixNano())
		}
		lines = append(lines, line)
	}
	return lines
}

// What goes along with the tensors, and how large any of it may be.
var besides = []string{"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "tokenizer.model", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt", "chat_template.jinja"}

const maxBeside = 256 << 20

func (l *localFolder) extras() (map[string][]byte, error) {
	extras := map[string][]byte{}
	for _, name := range besides {
		path := filepath.Join(l.checkpoint.Dir, name)
		if _, err := os.Stat(path); err != nil {
			continue
		}
		text, err := readBounded(path, maxBeside)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		extras[name] = text
	}
	return extras, nil
}

// jsonFile writes v as people and Python read it.
func jsonFile(v any) ([]byte, error) {
	text, err := json.MarshalIndent(v, "", "  ")
	return append(text, '\n'), err
}

// byTie puts the tensors that own their bytes before those that share them,
// and leaves the order otherwise.
func byTie(items []item) []item {
	sorted := slices.Clone(items)
	slices.SortStableFunc(sorted, func(a, b item) int {
		return cmp.Compare(min(len(a.tiedTo), 1), min(len(b.tiedTo), 1))
	})
	return sorted
}
