package checkpoint

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Where a model's weights come from.
const (
	SourceSynthetic = "synthetic" // made up, with the shapes of a published model
	SourceLocal     = "local"     // a folder on this machine
	SourceHub       = "hub"       // fetched from Hugging Face's Hub
)

// AutoDType asks for the types that a model has: those of a local folder's
// files, or the one that a made-up model was published in.
const AutoDType = "auto"

// Model is what checkpoints are made of. Get one from Resolve.
type Model struct {
	Name     string // as recorded: synthetic/NAME, org/name, or the folder's absolute path
	Source   string // SourceSynthetic, SourceLocal or SourceHub
	Revision string // the Hub's commit, if it is from there

	synthetic synthetic // if it is one
	local     *local    // if its files are on this machine
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
		return Model{}, fmt.Errorf("model %q is neither a folder nor synthetic/NAME, and was not fetched from the Hub", clip(name))
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

// expand makes an absolute path of a name that is one: it begins as a path
// does, or a folder of that name is there.
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

// specs is the model's tensors at a type, and that type's name.
func (m Model) specs(dtype string) ([]spec, string, error) {
	if m.local != nil {
		return m.local.at(dtype)
	}
	d, err := m.synthetic.typed(dtype)
	if err != nil {
		return nil, "", err
	}
	return m.synthetic.specs(d), d.String(), nil
}

// typed is the element type that a made-up model gets.
func (s synthetic) typed(dtype string) (DType, error) {
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
	return 0, fmt.Errorf("weights cannot be made up in %s: use float16, bfloat16 or float32", d)
}

// open gives the model's bytes at a type that specs has accepted.
func (m Model) open(dtype string) (source, error) {
	if m.local != nil {
		specs, _, err := m.local.at(dtype)
		if err != nil {
			return nil, err
		}
		return m.local.open(specs)
	}
	d, err := m.synthetic.typed(dtype)
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
	made, err := moduleFiles(specs)
	if err != nil {
		return layout{}, err
	}
	for _, e := range made {
		if !l.hasExtra(e.name) {
			l.extras = append(l.extras, e)
		}
	}
	return l, nil
}

// sidecars are what goes along with the tensors of a type.
func (m Model) sidecars(specs []spec, dtype string) ([]sidecar, error) {
	switch {
	case m.local != nil && m.local.converts(specs):
		return m.local.sidecarsAt(dtype)
	case m.local != nil:
		return m.local.sidecars(), nil
	}
	d, err := m.synthetic.typed(dtype)
	if err != nil {
		return nil, err
	}
	return m.synthetic.sidecars(d)
}

// folder is where the model's checkpoints lie under a storage path.
func (m Model) folder() string {
	if m.Source == SourceHub {
		return filepath.Join("hub", strings.ReplaceAll(m.Name, "/", "--")+"-"+m.Revision[:min(12, len(m.Revision))])
	}
	if m.local != nil {
		return m.local.folder()
	}
	return filepath.FromSlash(m.Name)
}
