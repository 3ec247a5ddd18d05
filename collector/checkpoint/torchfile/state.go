package torchfile

import "math"

// wrappers are the keys under which training code keeps the state dict beside
// other things.
var wrappers = [...]string{"state_dict", "model_state_dict", "model", "module"}

// tensorsOf finds the tensors of a state dict and their places. What is no
// tensor is passed over: a state dict may hold a step count and such.
func tensorsOf(value any, storages map[string]storage) ([]Tensor, error) {
	d, ok := value.(*dict)
	if !ok {
		return nil, refused("it holds no dict of tensors: save the model's state_dict()")
	}
	if !d.holdsTensor() {
		for _, name := range wrappers {
			if inner, ok := d.get(name).(*dict); ok && inner.holdsTensor() {
				d = inner
				break
			}
		}
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
			return nil, refused("a tensor has a name that is no text")
		}
		t, err := v.place(name, storages)
		if err != nil {
			return nil, err
		}
		// As in Python, the last of two equal keys counts.
		if at, twice := index[name]; twice {
			tensors[at] = t
			continue
		}
		index[name] = len(tensors)
		tensors = append(tensors, t)
	}
	if len(tensors) == 0 {
		return nil, refused("it holds no tensor: save the model's state_dict()")
	}
	return tensors, nil
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

// place finds a view in the file, which has to hold all of it.
func (v view) place(name string, storages map[string]storage) (Tensor, error) {
	s, ok := storages[v.storage.key]
	if !ok {
		return Tensor{}, refused("tensor %q: its storage %s is not in the file", clip(name), clip(v.storage.key))
	}
	size, _ := elementTypes(v.dtype)
	reach := int64(1) // elements from the first on
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
