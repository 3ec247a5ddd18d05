package checkpoint

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// The files that tell ServerlessLLM's loader for transformers how to spread a
// model over devices.
const (
	modulesName     = "no_split_modules.json"
	tiedModulesName = "tied_no_split_modules.json"
)

// module is a part of a network that stays on one device.
type module struct {
	name  string
	bytes int64 // of its tensors, including tied ones
}

// moduleFiles returns the two files for models that have none of their own: an
// object of the modules and their bytes, and a list of the groups of modules
// that share a tensor, each with that tensor's bytes.
//
// ServerlessLLM's writer asks torch which modules must not be split; they are
// the layers of the model's only stack of layers. Here the tensors' names show
// them: a numbered module is a layer. Modules without tensors are left out.
func moduleFiles(specs []spec) ([]sidecar, error) {
	modules := modulesOf(specs)
	var list strings.Builder
	list.WriteByte('{')
	for i, m := range modules {
		if i > 0 {
			list.WriteString(", ")
		}
		name, err := json.Marshal(m.name)
		if err != nil {
			return nil, fmt.Errorf("make %s: %w", modulesName, err)
		}
		fmt.Fprintf(&list, "%s: %d", name, m.bytes)
	}
	list.WriteByte('}')

	groups := [][]any{}
	at := map[int]int{} // from a tensor to its group
	for _, s := range specs {
		if s.tiedTo < 0 {
			continue
		}
		g, ok := at[s.tiedTo]
		if !ok {
			g = len(groups)
			at[s.tiedTo] = g
			groups = append(groups, []any{[]string{moduleOf(specs[s.tiedTo].name)}, s.size})
		}
		names := groups[g][0].([]string)
		if name := moduleOf(s.name); !slices.Contains(names, name) {
			groups[g][0] = append(names, name)
		}
	}
	tied, err := json.Marshal(groups)
	if err != nil {
		return nil, fmt.Errorf("make %s: %w", tiedModulesName, err)
	}
	return []sidecar{
		newSidecar(modulesName, []byte(list.String())),
		newSidecar(tiedModulesName, tied),
	}, nil
}

// headName is the output layer of models whose configuration ties it to the input
// embedding.
const headName = "lm_head.weight"

// withTiedHead adds the output layer to the tensors of a model that shares it
// with the input embedding. Checkpoints in safetensors leave such a layer out;
// to torch, and so to ServerlessLLM's writer, it is a module like any other.
func withTiedHead(specs []spec, sidecars []sidecar) ([]spec, error) {
	i := slices.IndexFunc(sidecars, func(s sidecar) bool { return s.name == configName })
	if i < 0 || slices.ContainsFunc(specs, func(s spec) bool { return s.name == headName }) {
		return specs, nil
	}
	text, err := sidecars[i].content()
	if err != nil {
		return nil, err
	}
	var config struct {
		Tied bool `json:"tie_word_embeddings"`
	}
	if json.Unmarshal(text, &config) != nil || !config.Tied {
		return specs, nil // a configuration that is not JSON breaks nothing here
	}
	embedding := -1
	for i, s := range specs {
		module := moduleOf(s.name)
		switch module[strings.LastIndexByte(module, '.')+1:] {
		case "embed_tokens", "wte", "word_embeddings", "embed_in":
			if embedding >= 0 {
				return specs, nil // which of them is shared is unknown
			}
			embedding = i
		}
	}
	if embedding < 0 {
		return specs, nil
	}
	head := specs[embedding]
	head.name = headName
	if head.tiedTo < 0 {
		head.tiedTo = embedding
	}
	return append(slices.Clone(specs), head), nil
}

// modulesOf returns the modules in the order in which a model runs them:
// embeddings, layers, then the rest.
func modulesOf(specs []spec) []module {
	var modules []module
	index := map[string]int{}
	for _, s := range specs {
		name := moduleOf(s.name)
		i, ok := index[name]
		if !ok {
			i = len(modules)
			index[name] = i
			modules = append(modules, module{name: name})
		}
		modules[i].bytes += s.size
	}
	slices.SortStableFunc(modules, func(a, b module) int {
		if n := cmp.Compare(stageOf(a.name), stageOf(b.name)); n != 0 {
			return n
		}
		return cmp.Compare(layerOf(a.name), layerOf(b.name))
	})
	return modules
}

// moduleOf returns the module of a tensor: its name up to the number of the
// layer or, outside the layers, without the last part.
func moduleOf(tensor string) string {
	parts := strings.Split(tensor, ".")
	for i, part := range parts[:len(parts)-1] {
		if isNumber(part) {
			return strings.Join(parts[:i+1], ".")
		}
	}
	if len(parts) == 1 {
		return tensor
	}
	return strings.Join(parts[:len(parts)-1], ".")
}

// stageOf ranks modules: 0 for embeddings, 1 for layers, 3 for the head and 2
// for others.
func stageOf(module string) int {
	last := module[strings.LastIndexByte(module, '.')+1:]
	switch {
	case isNumber(last):
		return 1
	case strings.Contains(last, "emb"), last == "wte", last == "wpe", last == "project_in":
		return 0
	case last == "lm_head", last == "embed_out":
		return 3
	}
	return 2
}

// layerOf returns a layer's number, and 0 for other modules.
func layerOf(module string) int {
	n := 0
	for _, c := range module[strings.LastIndexByte(module, '.')+1:] {
		if c < '0' || c > '9' {
			return 0
		}
		n = min(10*n+int(c-'0'), 1<<30)
	}
	return n
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
