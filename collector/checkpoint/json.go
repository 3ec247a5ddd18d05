package checkpoint

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// maxNesting bounds how deep a value that nobody asked for may go.
const maxNesting = 64

// scanner reads JSON (RFC 8259) from front to back without reflection, since
// an index is read inside the timed region of a load. Its first error sticks:
// everything asked of it afterwards is empty, and loops over it end.
type scanner struct {
	b   []byte
	at  int
	err error
}

// fail keeps the first error, with the byte where it was seen.
func (s *scanner) fail(format string, args ...any) {
	if s.err == nil {
		args = append(args, s.at)
		s.err = corrupt(format+" at byte %d", args...)
	}
}

// peek is the next byte that is no white space, or 0 at the end.
func (s *scanner) peek() byte {
	for ; s.at < len(s.b); s.at++ {
		switch c := s.b[s.at]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// take steps over c if it is next.
func (s *scanner) take(c byte) bool {
	if s.err != nil || s.peek() != c {
		return false
	}
	s.at++
	return true
}

// expect steps over c, which has to be next.
func (s *scanner) expect(c byte) {
	if s.err == nil && !s.take(c) {
		s.fail("JSON: no %q", string(c))
	}
}

// object calls member at the value of each of the object's members. A name
// that comes twice is refused, for readers disagree on which one counts.
func (s *scanner) object(member func(name string)) {
	s.expect('{')
	if s.take('}') {
		return
	}
	seen := make(map[string]struct{})
	for s.err == nil {
		name := s.string()
		if _, twice := seen[name]; twice {
			s.fail("JSON: %q is there twice", clip(name))
		}
		seen[name] = struct{}{}
		s.expect(':')
		if s.err != nil {
			return
		}
		member(name)
		if !s.take(',') {
			s.expect('}')
			return
		}
	}
}

// array calls element at each of the array's elements.
func (s *scanner) array(element func()) {
	s.expect('[')
	if s.take(']') {
		return
	}
	for s.err == nil {
		element()
		if !s.take(',') {
			s.expect(']')
			return
		}
	}
}

// string reads a string.
func (s *scanner) string() string {
	if s.err != nil {
		return ""
	}
	if s.peek() != '"' {
		s.fail("JSON: no string")
		return ""
	}
	raw, plain := s.rawString()
	if s.err != nil {
		return ""
	}
	if plain {
		return string(raw[1 : len(raw)-1])
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		s.fail("JSON: %v", err)
	}
	return text
}

// rawString steps over a string and gives it with its quotes, and whether it
// stands for itself, with nothing escaped in it.
func (s *scanner) rawString() (raw []byte, plain bool) {
	start := s.at
	plain = true
	ascii := true
	for s.at++; s.at < len(s.b); s.at++ {
		switch c := s.b[s.at]; {
		case c == '"':
			s.at++
			raw = s.b[start:s.at]
			if !ascii && !utf8.Valid(raw) {
				s.fail("JSON: a string that is not UTF-8")
			}
			return raw, plain
		case c == '\\':
			plain = false
			s.at++
		case c < ' ':
			s.fail("JSON: a control character in a string")
			return nil, false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	s.fail("JSON: a string without an end")
	return nil, false
}

// natural reads a whole number from 0 to 2^63-1.
func (s *scanner) natural() int64 {
	if s.err != nil {
		return 0
	}
	c := s.peek()
	if c == '-' {
		s.fail("JSON: a negative number")
		return 0
	}
	start := s.at
	var n int64
	for ; s.at < len(s.b) && isDigit(s.b[s.at]); s.at++ {
		var ok bool
		if n, ok = mul(n, 10); ok {
			n, ok = add(n, int64(s.b[s.at]-'0'))
		}
		if !ok {
			s.fail("JSON: a number over 2^63")
			return 0
		}
	}
	digits := s.at - start
	switch {
	case digits == 0:
		s.fail("JSON: no number")
	case digits > 1 && c == '0':
		s.fail("JSON: a number with a leading zero")
	case s.at < len(s.b) && (s.b[s.at] == '.' || s.b[s.at] == 'e' || s.b[s.at] == 'E'):
		s.fail("JSON: a number that is not whole")
	}
	return n
}

// naturals appends an array of whole numbers to list.
func (s *scanner) naturals(list []int64) []int64 {
	s.array(func() { list = append(list, s.natural()) })
	return list
}

// skip steps over any value.
func (s *scanner) skip() { s.skipTo(maxNesting) }

func (s *scanner) skipTo(depth int) {
	if depth == 0 {
		s.fail("JSON: nested more than %d deep", maxNesting)
		return
	}
	switch s.peek() {
	case '{':
		s.object(func(string) { s.skipTo(depth - 1) })
	case '[':
		s.array(func() { s.skipTo(depth - 1) })
	case '"':
		s.string()
	default:
		start := s.at
		for s.at < len(s.b) && bytes.IndexByte([]byte(",]} \t\n\r"), s.b[s.at]) < 0 {
			s.at++
		}
		if !json.Valid(s.b[start:s.at]) {
			s.fail("JSON: no value")
		}
	}
}

// end refuses anything but white space after the value.
func (s *scanner) end() error {
	if s.err == nil && s.peek() != 0 {
		s.fail("JSON: something after its end")
	}
	if s.err == nil && s.at < len(s.b) {
		s.fail("JSON: a NUL after its end")
	}
	return s.err
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// clip shortens a name from a file, so that an error stays one line.
func clip(name string) string {
	const most = 120
	if len(name) <= most {
		return name
	}
	return name[:most] + "…"
}
