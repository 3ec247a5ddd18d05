package torchfile

import (
	"fmt"
	"math"
	"strings"
)

// wrappers are the keys under which training code saves the state dict among
// other values.
var wrappers = [...]string{"state_dict", "model_state_dict", "model", "module"}

// tensorsOf locates the tensors of a state dict. It ignores other values, such
// as a step count.
func tensorsOf(value any, storages map[string]storage) ([]Tensor, error) {
	d, ok := value.(*dict)
	if !ok {
		return nil, refused("it does not hold a dict: save the model's state_dict()")
	}
	d, err := d.model()
	if err != nil {
		return nil, err
	}
	index := make(map[string]int, len(d.keys))
	var tensors []Tensor
	for i, key := range d.keys {
		v, ok := d.values[i].(view)
		if !ok {
			continue
		}
		name, ok := key.(string)
		if !ok {
			return nil, refused("the name of a tensor is not a string")
		}
		t, err := v.locate(name, storages)
		if err != nil {
			return nil, err
		}
		// As in Python, the last of equal keys counts.
		if at, twice := index[name]; twice {
			tensors[at] = t
			continue
		}
		index[name] = len(tensors)
		tensors = append(tensors, t)
	}
	if len(tensors) == 0 {
		return nil, refused("it has no tensors: save the model's state_dict()")
	}
	return tensors, nil
}

// model returns the dict that holds the model's tensors: d itself, or the one
// entry of d named as a wrapper. Trainers save tensors beside the model too,
// such as the best loss, so an entry comes before d's own tensors.
func (d *dict) model() (*dict, error) {
	var found *dict
	var names []string
	for _, name := range wrappers {
		if inner, ok := d.get(name).(*dict); ok && inner.holdsTensor() {
			found, names = inner, append(names, name)
		}
	}
	switch {
	case len(names) > 1:
		return nil, refused("several of its entries may be the model (%s): save the model's state_dict() alone", strings.Join(names, ", "))
	case found != nil:
		return found, nil
	case d.holdsWeight():
		return d, nil
	}
	for i, key := range d.keys {
		if inner, ok := d.values[i].(*dict); ok && inner.holdsTensor() {
			names = append(names, clip(fmt.Sprint(key)))
		}
	}
	if len(names) > 0 {
		return nil, refused("none of its entries is named as a model, but these hold tensors: %s: save the model's state_dict() alone", clip(strings.Join(names, ", ")))
	}
	return d, nil
}

// holdsWeight reports whether a value is a tensor that is not a scalar.
func (d *dict) holdsWeight() bool {
	for _, value := range d.values {
		if v, ok := value.(view); ok && len(v.shape) > 0 {
			return true
		}
	}
	return false
}

func (d *dict) holdsTensor() bool {
	for _, v := range d.values {
		if _, ok := v.(view); ok {
			return true
		}
	}
	return false
}

func (d *dict) get(name string) any {
	for i := len(d.keys) - 1; i >= 0; i-- {
		if d.keys[i] == any(name) {
			return d.values[i]
		}
	}
	return nil
}

// locate returns the position of a view in the file, and an error if the view
// exceeds its storage.
func (v view) locate(name string, storages map[string]storage) (Tensor, error) {
	s, ok := storages[v.storage.key]
	if !ok {
		return Tensor{}, refused("tensor %q: its storage %s is not in the file", clip(name), clip(v.storage.key))
	}
	size, _ := elementSize(v.dtype)
	reach := int64(1) // in elements
	for i, n := range v.shape {
		if n == 0 {
			reach = 0
			break
		}
		if n > 1 && v.stride[i] > (math.MaxInt64/8-reach)/(n-1) {
			return Tensor{}, refused("tensor %q: its shape overflows", clip(name))
		}
		reach += (n - 1) * v.stride[i]
	}
	held := s.size / size
	if v.offset > held || reach > held-v.offset {
		return Tensor{}, refused("tensor %q ends past its storage of %d elements", clip(name), held)
	}
	return Tensor{
		Name: name, DType: v.dtype, Shape: v.shape, Stride: v.stride,
		Offset: s.offset + v.offset*size, Size: reach * size,
	}, nil
}
