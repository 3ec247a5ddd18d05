package torchfile

import "strconv"

// reduce performs the call of an allowed name.
func (m *machine) reduce() error {
	arguments, err := m.pop()
	if err != nil {
		return err
	}
	callee, err := m.pop()
	if err != nil {
		return err
	}
	args, ok := arguments.(tuple)
	name, named := callee.(global)
	if !ok || !named {
		return refused("the pickle calls a value that is not a name")
	}
	switch name {
	case "collections.OrderedDict":
		if len(args) != 0 {
			return refused("an OrderedDict with %d arguments", len(args))
		}
		return m.push(&dict{})
	case "torch.Size":
		if len(args) != 1 {
			return refused("a torch.Size with %d arguments", len(args))
		}
		return m.push(args[0])
	case "torch._utils._rebuild_parameter":
		if len(args) < 1 {
			return refused("a parameter without a tensor")
		}
		if _, ok := args[0].(view); !ok {
			return refused("a parameter that is not a tensor")
		}
		return m.push(args[0])
	case "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor_v3":
		v, err := rebuild(string(name), args)
		if err != nil {
			return err
		}
		return m.push(v)
	}
	return refused("the pickle calls %s", clip(string(name)))
}

// rebuild reads the arguments of a tensor: storage, offset, size and stride, and
// in the third version the dtype as the last. See torch/_utils.py.
func rebuild(name string, args tuple) (view, error) {
	if len(args) < 4 {
		return view{}, refused("a tensor with %d arguments", len(args))
	}
	var v view
	var ok bool
	if v.storage, ok = args[0].(persistent); !ok {
		return view{}, refused("a tensor without a storage")
	}
	if v.offset, ok = args[1].(int64); !ok || v.offset < 0 {
		return view{}, refused("a tensor at offset %v", args[1])
	}
	var err error
	if v.shape, err = lengths(args[2]); err != nil {
		return view{}, err
	}
	if v.stride, err = lengths(args[3]); err != nil {
		return view{}, err
	}
	if len(v.shape) != len(v.stride) {
		return view{}, refused("a tensor with %d lengths and %d strides", len(v.shape), len(v.stride))
	}
	v.dtype = v.storage.dtype
	if name == "torch._utils._rebuild_tensor_v3" {
		if len(args) < 7 {
			return view{}, refused("a tensor with %d arguments", len(args))
		}
		dtype, ok := args[6].(global)
		if !ok || len(dtype) < 6 {
			return view{}, refused("a tensor without a dtype")
		}
		v.dtype = string(dtype[6:])
	}
	if _, ok := elementSize(v.dtype); !ok {
		return view{}, refused("a tensor with dtype %q", clip(v.dtype))
	}
	return v, nil
}

// lengths reads a shape or strides.
func lengths(v any) ([]int64, error) {
	items, ok := v.(tuple)
	if !ok || len(items) > maxDims {
		return nil, refused("a tensor with an invalid shape")
	}
	var out []int64
	for _, item := range items {
		n, ok := item.(int64)
		if !ok || n < 0 {
			return nil, refused("a tensor with length or stride %v", item)
		}
		out = append(out, n)
	}
	return out, nil
}

// build ignores attributes that the pickle sets. State dicts have one
// (_metadata); tensors need none.
func (m *machine) build() error {
	if _, err := m.pop(); err != nil {
		return err
	}
	if err := m.has(1); err != nil {
		return err
	}
	switch m.stack[len(m.stack)-1].(type) {
	case *dict, view:
		return nil
	}
	return refused("the pickle sets attributes of a value that has none")
}

// persistent reads a reference to a storage: ('storage', type, key, device,
// number of elements).
func (m *machine) persistent() error {
	v, err := m.pop()
	if err != nil {
		return err
	}
	args, ok := v.(tuple)
	if !ok || len(args) != 5 || args[0] != any("storage") {
		return refused("the pickle refers to an external object that is not a storage")
	}
	kind, ok := args[1].(global)
	if !ok {
		return refused("a storage without a type")
	}
	dtype, ok := storageType(string(kind))
	if !ok {
		return refused("a storage of unknown type %s", clip(string(kind)))
	}
	key, ok := args[2].(string)
	if n, isNumber := args[2].(int64); isNumber {
		key, ok = strconv.FormatInt(n, 10), true
	}
	if !ok {
		return refused("a storage without a name")
	}
	numel, ok := args[4].(int64)
	if !ok || numel < 0 {
		return refused("a storage of %v elements", args[4])
	}
	return m.push(persistent{dtype, key, numel})
}
