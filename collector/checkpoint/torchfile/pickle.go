package torchfile

import (
	"encoding/binary"
	"errors"
	"math"
	"math/big"
)

// The values of a pickle. Strings, int64, float64, bool and nil stand for
// themselves; integers of more than 64 bits are *big.Int.
type (
	// dict is Python's dict or OrderedDict, in order.
	dict struct {
		keys   []any
		values []any
	}
	list   struct{ items []any }
	tuple  []any
	bytesV []byte
	// global is an allowed name that the pickle imported.
	global string
	// persistent is a reference to a storage.
	persistent struct {
		dtype string // "" for an untyped storage
		key   string
		numel int64
	}
	// view is a tensor: a view of a storage.
	view struct {
		storage       persistent
		dtype         string
		offset        int64 // in elements
		shape, stride []int64
	}
)

// Limits of the machine. A model has some thousand tensors, each with about ten
// values.
const (
	maxStack  = 1 << 20
	maxMemo   = 8 << 20
	maxValues = 16 << 20 // pushed in total: lists keep what they take from the stack
	maxDims   = 64
)

// machine is the part of the pickle machine that a state dict needs. The
// opcodes and their arguments are those of Python's pickletools.
type machine struct {
	in     []byte
	at     int
	stack  []any
	marks  []int
	memo   map[int64]any
	values int // pushed so far
}

var errShort = errors.New("the pickle ends too early")

// unpickle runs a pickle and returns its value.
func unpickle(pickle []byte) (value any, err error) {
	m := &machine{in: pickle, memo: map[int64]any{}}
	for {
		op, err := m.byte()
		if err != nil {
			return nil, err
		}
		if op == '.' {
			if len(m.stack) != 1 || len(m.marks) != 0 {
				return nil, refused("the pickle leaves %d values instead of one", len(m.stack))
			}
			return m.stack[0], nil
		}
		if err := m.step(op); err != nil {
			return nil, err
		}
		if len(m.stack) > maxStack || len(m.marks) > maxStack || len(m.memo) > maxMemo || m.values > maxValues {
			return nil, refused("the pickle has more values than any state dict")
		}
	}
}

// step executes one opcode.
func (m *machine) step(op byte) error {
	switch op {
	case 0x80: // PROTO
		version, err := m.byte()
		if err == nil && (version < 2 || version > 5) {
			err = refused("its pickle protocol is %d; torch uses 2 to 5", version)
		}
		return err
	case 0x95: // FRAME, which only helps to read ahead
		_, err := m.take(8)
		return err
	case '(': // MARK
		m.marks = append(m.marks, len(m.stack))
		return nil
	case '0': // POP
		_, err := m.pop()
		return err
	case 'N':
		return m.push(nil)
	case 0x88:
		return m.push(true)
	case 0x89:
		return m.push(false)
	case '}':
		return m.push(&dict{})
	case ']':
		return m.push(&list{})
	case ')':
		return m.push(tuple{})
	case 'K', 'M', 'J', 0x8a:
		return m.integer(op)
	case 'G': // BINFLOAT
		b, err := m.take(8)
		if err != nil {
			return err
		}
		return m.push(math.Float64frombits(binary.BigEndian.Uint64(b)))
	case 'X', 0x8c, 0x8d, 'U', 'T': // unicode and byte strings of Python 2
		b, err := m.counted(op)
		if err != nil {
			return err
		}
		return m.push(string(b))
	case 'C', 'B', 0x8e:
		b, err := m.counted(op)
		if err != nil {
			return err
		}
		return m.push(bytesV(b))
	case 't': // TUPLE
		items, err := m.toMark()
		if err != nil {
			return err
		}
		return m.push(tuple(items))
	case 0x85, 0x86, 0x87: // TUPLE1 to TUPLE3
		n := int(op-0x85) + 1
		if err := m.has(n); err != nil {
			return err
		}
		items := append(tuple{}, m.stack[len(m.stack)-n:]...)
		m.stack = m.stack[:len(m.stack)-n]
		return m.push(items)
	case 'q', 'r', 'h', 'j', 0x94:
		return m.memory(op)
	case 'a', 'e':
		return m.appendItems(op)
	case 's', 'u':
		return m.setItems(op)
	case 'c', 0x93:
		return m.global(op)
	case 'R':
		return m.reduce()
	case 'b':
		return m.build()
	case 'Q':
		return m.persistent()
	}
	return refused("the pickle has opcode 0x%02x, which is not used by state dicts", op)
}

func (m *machine) byte() (byte, error) {
	b, err := m.take(1)
	if err != nil {
		return 0, err
	}
	return b[0], nil
}

// take returns the next n bytes of the pickle.
func (m *machine) take(n uint64) ([]byte, error) {
	if n > uint64(len(m.in)-m.at) {
		return nil, refused("%w", errShort)
	}
	b := m.in[m.at : m.at+int(n)]
	m.at += int(n)
	return b, nil
}

// unsigned reads a little-endian number of n bytes.
func (m *machine) unsigned(n uint64) (uint64, error) {
	b, err := m.take(n)
	var v uint64
	for i := range b {
		v |= uint64(b[i]) << (8 * i)
	}
	return v, err
}

// counted reads a string or bytes preceded by their length.
func (m *machine) counted(op byte) ([]byte, error) {
	width := uint64(4)
	switch op {
	case 0x8c, 'U', 'C':
		width = 1
	case 0x8d, 0x8e:
		width = 8
	}
	n, err := m.unsigned(width)
	if err != nil {
		return nil, err
	}
	return m.take(n)
}

func (m *machine) integer(op byte) error {
	switch op {
	case 'K':
		v, err := m.unsigned(1)
		if err != nil {
			return err
		}
		return m.push(int64(v))
	case 'M':
		v, err := m.unsigned(2)
		if err != nil {
			return err
		}
		return m.push(int64(v))
	case 'J':
		v, err := m.unsigned(4)
		if err != nil {
			return err
		}
		return m.push(int64(int32(v)))
	}
	n, err := m.unsigned(1) // LONG1, two's complement
	if err != nil {
		return err
	}
	b, err := m.take(n)
	if err != nil {
		return err
	}
	v := new(big.Int)
	for i := len(b) - 1; i >= 0; i-- {
		v.Lsh(v, 8).Or(v, big.NewInt(int64(b[i])))
	}
	if n > 0 && b[n-1]&0x80 != 0 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*n)))
	}
	if v.IsInt64() {
		return m.push(v.Int64())
	}
	return m.push(v)
}

func (m *machine) push(v any) error {
	m.stack = append(m.stack, v)
	m.values++
	return nil
}

// has checks that n values are on the stack above the last mark.
func (m *machine) has(n int) error {
	floor := 0
	if len(m.marks) > 0 {
		floor = m.marks[len(m.marks)-1]
	}
	if len(m.stack)-floor < n {
		return refused("the pickle takes a missing value")
	}
	return nil
}

func (m *machine) pop() (any, error) {
	if err := m.has(1); err != nil {
		return nil, err
	}
	v := m.stack[len(m.stack)-1]
	m.stack = m.stack[:len(m.stack)-1]
	return v, nil
}

// toMark pops the last mark and all values above it.
func (m *machine) toMark() ([]any, error) {
	if len(m.marks) == 0 {
		return nil, refused("the pickle takes a missing mark")
	}
	at := m.marks[len(m.marks)-1]
	m.marks = m.marks[:len(m.marks)-1]
	items := append([]any{}, m.stack[at:]...)
	m.stack = m.stack[:at]
	return items, nil
}

// memory stores the top value in the memo, or pushes a value from it.
func (m *machine) memory(op byte) error {
	key := int64(len(m.memo))
	if op != 0x94 {
		width := uint64(1)
		if op == 'r' || op == 'j' {
			width = 4
		}
		v, err := m.unsigned(width)
		if err != nil {
			return err
		}
		key = int64(v)
	}
	if op == 'h' || op == 'j' {
		v, ok := m.memo[key]
		if !ok {
			return refused("the pickle reads value %d of its memo before writing it", key)
		}
		return m.push(v)
	}
	if err := m.has(1); err != nil {
		return err
	}
	m.memo[key] = m.stack[len(m.stack)-1]
	return nil
}

func (m *machine) appendItems(op byte) error {
	var items []any
	var err error
	if op == 'e' {
		items, err = m.toMark()
	} else {
		var v any
		v, err = m.pop()
		items = []any{v}
	}
	if err != nil {
		return err
	}
	if err := m.has(1); err != nil {
		return err
	}
	l, ok := m.stack[len(m.stack)-1].(*list)
	if !ok {
		return refused("the pickle appends to a value that is not a list")
	}
	l.items = append(l.items, items...)
	return nil
}

func (m *machine) setItems(op byte) error {
	var items []any
	var err error
	if op == 'u' {
		items, err = m.toMark()
	} else if err = m.has(2); err == nil {
		items = append(items, m.stack[len(m.stack)-2:]...)
		m.stack = m.stack[:len(m.stack)-2]
	}
	if err != nil {
		return err
	}
	if err := m.has(1); err != nil {
		return err
	}
	d, ok := m.stack[len(m.stack)-1].(*dict)
	if !ok || len(items)%2 != 0 {
		return refused("the pickle sets items of a value that is not a dict")
	}
	for i := 0; i < len(items); i += 2 {
		d.keys, d.values = append(d.keys, items[i]), append(d.values, items[i+1])
	}
	return nil
}

// global imports a name, if it is allowed.
func (m *machine) global(op byte) error {
	var module, name string
	if op == 'c' {
		var err error
		if module, err = m.line(); err != nil {
			return err
		}
		if name, err = m.line(); err != nil {
			return err
		}
	} else {
		n, err := m.pop()
		if err != nil {
			return err
		}
		mod, err := m.pop()
		if err != nil {
			return err
		}
		var ok, ok2 bool
		name, ok = n.(string)
		module, ok2 = mod.(string)
		if !ok || !ok2 {
			return refused("the pickle imports a name that is not a string")
		}
	}
	full := module + "." + name
	if !allowed(full) {
		return refused("the pickle imports %s, which state dicts do not need and which could run any code: nothing was run", clip(full))
	}
	return m.push(global(full))
}

// line reads up to a line feed.
func (m *machine) line() (string, error) {
	for i := m.at; i < len(m.in); i++ {
		if m.in[i] == '\n' {
			s := string(m.in[m.at:i])
			m.at = i + 1
			return s, nil
		}
	}
	return "", refused("%w", errShort)
}
