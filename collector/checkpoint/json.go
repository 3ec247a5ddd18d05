package checkpoint

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"

	"github.com/sllmq/sllmq/internal/text"
)

// maxNesting bounds the depth of a skipped value.
const maxNesting = 64

// scanner reads JSON (RFC 8259) from front to back. It uses no reflection,
// because indexes are read inside the timed region of a load. Its first error
// sticks: all later calls return zero values, and loops end.
type scanner struct {
	b   []byte
	at  int
	err error
}

// fail records the first error and its position.
func (s *scanner) fail(format string, args ...any) {
	if s.err == nil {
		args = append(args, s.at)
		s.err = corrupt(format+" at byte %d", args...)
	}
}

// peek returns the next byte that is not white space, or 0 at the end.
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

// take consumes c if it is next.
func (s *scanner) take(c byte) bool {
	if s.err != nil || s.peek() != c {
		return false
	}
	s.at++
	return true
}

// expect consumes c, and fails if it is not next.
func (s *scanner) expect(c byte) {
	if s.err == nil && !s.take(c) {
		s.fail("JSON: expected %q", string(c))
	}
}

// object calls member with the name of each member of an object; member must
// consume the value. Duplicate names are an error, since readers disagree about
// which one counts.
func (s *scanner) object(member func(name string)) {
	s.expect('{')
	if s.take('}') {
		return
	}
	seen := make(map[string]struct{})
	for s.err == nil {
		name := s.string()
		if _, twice := seen[name]; twice {
			s.fail("JSON: duplicate name %q", clip(name))
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

// array calls element for each element of an array; element must consume it.
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
		s.fail("JSON: expected a string")
		return ""
	}
	raw, plain := s.rawString()
	if s.err != nil {
		return ""
	}
	if plain {
		return string(raw[1 : len(raw)-1])
	}
	var value string
	if err := json.Unmarshal(raw, &value); err != nil {
		s.fail("JSON: %v", err)
	}
	return value
}

// rawString consumes a string and returns it with its quotes, and whether it
// is plain, that is free of escapes.
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
				s.fail("JSON: string is not UTF-8")
			}
			return raw, plain
		case c == '\\':
			plain = false
			s.at++
		case c < ' ':
			s.fail("JSON: control character in a string")
			return nil, false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	s.fail("JSON: unterminated string")
	return nil, false
}

// natural reads an integer from 0 to 2^63-1.
func (s *scanner) natural() int64 {
	if s.err != nil {
		return 0
	}
	c := s.peek()
	if c == '-' {
		s.fail("JSON: negative number")
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
			s.fail("JSON: number exceeds 63 bits")
			return 0
		}
	}
	digits := s.at - start
	switch {
	case digits == 0:
		s.fail("JSON: expected a number")
	case digits > 1 && c == '0':
		s.fail("JSON: number with a leading zero")
	case s.at < len(s.b) && (s.b[s.at] == '.' || s.b[s.at] == 'e' || s.b[s.at] == 'E'):
		s.fail("JSON: number is not an integer")
	}
	return n
}

// naturals appends an array of integers to list.
func (s *scanner) naturals(list []int64) []int64 {
	s.array(func() { list = append(list, s.natural()) })
	return list
}

// skip consumes any value.
func (s *scanner) skip() { s.skipTo(maxNesting) }

func (s *scanner) skipTo(depth int) {
	if depth == 0 {
		s.fail("JSON: nested deeper than %d", maxNesting)
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
			s.fail("JSON: invalid value")
		}
	}
}

// end returns the first error, or one if anything but white space follows.
func (s *scanner) end() error {
	if s.err == nil && s.peek() != 0 {
		s.fail("JSON: data after its end")
	}
	if s.err == nil && s.at < len(s.b) {
		s.fail("JSON: NUL after its end")
	}
	return s.err
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// clip shortens a name from a file for an error message.
func clip(name string) string { return text.Clip(name, 120) }
