package checkpoint

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Sources of a model's weights.
const (
	SourceSynthetic = "synthetic" // seeded random weights with the shapes of a published model
	SourceLocal     = "local"     // a folder on this machine
	SourceHub       = "hub"       // downloaded from Hugging Face's Hub
)

// AutoDType keeps the types that a model has: those of its files, or for a
// synthetic model the type that its original was published in.
const AutoDType = "auto"

// Model is a source of checkpoints. Resolve and ResolveFetched return one.
type Model struct {
	Name     string // synthetic/NAME, the Hub's ORG/NAME, or a folder's absolute path
	Source   string // SourceSynthetic, SourceLocal or SourceHub
	Revision string // the commit, of a model from the Hub

	synthetic synthetic // if local is nil
	local     *local    // of a model whose files are on this machine
}

// Resolve returns the model of a name: synthetic/NAME, or the path of a folder
// that holds a checkpoint. It reads and checks the folder's index, but no
// tensor bytes.
func Resolve(ctx context.Context, name string) (Model, error) {
	if short, ok := strings.CutPrefix(name, syntheticPrefix); ok {
		s, err := findSynthetic(short)
		if err != nil {
			return Model{}, err
		}
		return Model{Name: name, Source: SourceSynthetic, synthetic: s}, nil
	}
	dir, isPath, err := expand(name)
	if err != nil {
		return Model{}, err
	}
	if !isPath {
		return Model{}, fmt.Errorf("model %q is neither a folder nor synthetic/NAME, and was not downloaded from the Hub", clip(name))
	}
	l, err := openLocal(ctx, dir)
	if err != nil {
		return Model{}, err
	}
	return Model{Name: dir, Source: SourceLocal, local: l}, nil
}

// Resolvable reports whether Resolve accepts a name: it names a folder or a
// synthetic model. Any other name belongs to the Hub.
func Resolvable(name string) (bool, error) {
	if strings.HasPrefix(name, syntheticPrefix) {
		return true, nil
	}
	_, isPath, err := expand(name)
	return isPath, err
}

// ResolveFetched returns the model with the given Hub ID and commit, whose
// files have been downloaded to dir.
func ResolveFetched(ctx context.Context, id, commit, dir string) (Model, error) {
	l, err := openLocal(ctx, dir)
	if err != nil {
		return Model{}, err
	}
	return Model{Name: id, Source: SourceHub, Revision: commit, local: l}, nil
}

// expand returns the absolute path of a name that is a path: it begins like
// one, or a folder of that name exists.
func expand(name string) (dir string, isPath bool, err error) {
	rest, home := strings.CutPrefix(name, "~/")
	isPath = home || name == "~" || name == "." || name == ".." || filepath.IsAbs(name) ||
		strings.HasPrefix(name, "./") || strings.HasPrefix(name, "../")
	if !isPath {
		info, err := os.Stat(name)
		isPath = name != "" && err == nil && info.IsDir()
	}
	if !isPath {
		return "", false, nil
	}
	if home || name == "~" {
		folder, err := os.UserHomeDir()
		if err != nil {
			return "", true, fmt.Errorf("find the home folder of %s: %w", name, err)
		}
		name = folder
		if home {
			name = filepath.Join(folder, rest)
		}
	}
	dir, err = filepath.Abs(name)
	if err != nil {
		return "", true, fmt.Errorf("find %s: %w", name, err)
	}
	return dir, true, nil
}

// specs returns the model's tensors in a type, and that type's name.
func (m Model) specs(dtype string) ([]spec, string, error) {
	if m.local != nil {
		return m.local.specsAs(dtype)
	}
	d, err := m.synthetic.elementType(dtype)
	if err != nil {
		return nil, "", err
	}
	return m.synthetic.specs(d), d.String(), nil
}

// elementType returns the type of a synthetic model's elements when dtype was
// asked for.
func (s synthetic) elementType(dtype string) (DType, error) {
	if dtype == AutoDType {
		return s.dtype, nil
	}
	d, err := ParseDType(dtype)
	if err != nil {
		return 0, err
	}
	switch d {
	case Float16, BFloat16, Float32:
		return d, nil
	}
	return 0, fmt.Errorf("cannot synthesize weights in %s: use float16, bfloat16 or float32", d)
}

// open opens the model's tensors in a type that specs has accepted.
func (m Model) open(dtype string) (source, error) {
	if m.local != nil {
		specs, _, err := m.local.specsAs(dtype)
		if err != nil {
			return nil, err
		}
		return m.local.open(specs)
	}
	d, err := m.synthetic.elementType(dtype)
	if err != nil {
		return nil, err
	}
	return newGenerator(m.synthetic, d), nil
}

// layout lays the model out in a format.
func (m Model) layout(specs []spec, f Format, dtype string, o Options) (layout, error) {
	var l layout
	var err error
	switch {
	case f == SLLM:
		l, err = layOutSLLM(specs, o.PartitionBytes)
	case m.local != nil && m.local.keepsFiles() && !m.local.converts(specs) && o.ShardBytes == defaultShardBytes:
		l, err = layOutAsIs(m.local.from)
	default:
		l, err = layOutSafeTensors(specs, o.ShardBytes)
	}
	if err != nil {
		return layout{}, fmt.Errorf("lay out %s as %s: %w", m.Name, f, err)
	}
	sidecars, err := m.sidecars(specs, dtype)
	if err != nil {
		return layout{}, err
	}
	l.extras = append(l.extras, sidecars...)
	if f != SLLM {
		return l, nil
	}
	if specs, err = withTiedHead(specs, l.extras); err != nil {
		return layout{}, err
	}
	modules, err := moduleFiles(specs)
	if err != nil {
		return layout{}, err
	}
	for _, e := range modules {
		if !l.hasExtra(e.name) {
			l.extras = append(l.extras, e)
		}
	}
	return l, nil
}

// sidecars returns the files that accompany the tensors of a type.
func (m Model) sidecars(specs []spec, dtype string) ([]sidecar, error) {
	switch {
	case m.local != nil && m.local.converts(specs):
		return m.local.sidecarsAs(dtype)
	case m.local != nil:
		return m.local.sidecars(), nil
	}
	d, err := m.synthetic.elementType(dtype)
	if err != nil {
		return nil, err
	}
	return m.synthetic.sidecars(d)
}

// folder returns the folder of the model's checkpoints, relative to a storage
// path.
func (m Model) folder() string {
	if m.Source == SourceHub {
		return filepath.Join("hub", strings.ReplaceAll(m.Name, "/", "--")+"-"+m.Revision[:min(12, len(m.Revision))])
	}
	if m.local != nil {
		return m.local.folder()
	}
	return filepath.FromSlash(m.Name)
}
