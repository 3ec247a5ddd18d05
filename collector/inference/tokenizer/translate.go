package tokenizer

import (
	"errors"
	"fmt"
	"strings"
)

// spaceClass is Unicode's White_Space, as the content of a class.
const spaceClass = `\t-\r \x{85}\p{Z}`

// translate converts an expression from the syntax of Oniguruma to that of
// package regexp. In Oniguruma, \s and \d are Unicode classes. translate refuses
// whatever else the two interpret differently.
func translate(source string) (string, error) {
	var out strings.Builder
	inClass := false
	for at := 0; at < len(source); {
		rest := source[at:]
		n := 1
		switch c := source[at]; {
		case c == '\\':
			to, err := translateEscape(rest, inClass)
			if err != nil {
				return "", err
			}
			out.WriteString(to)
			n = 2
			if strings.HasPrefix(rest, `\p{`) || strings.HasPrefix(rest, `\P{`) {
				end := strings.IndexByte(rest, '}')
				if end < 0 {
					return "", errors.New("an unterminated class")
				}
				out.WriteString(rest[2 : end+1])
				n = end + 1
			}
		case inClass && (c == '[' || strings.HasPrefix(rest, "&&")):
			return "", errors.New("a nested class")
		case c == '[':
			inClass = true
			if strings.HasPrefix(rest, "[^") {
				n = 2
			}
			if strings.HasPrefix(rest[n:], "]") {
				return "", errors.New("an empty class")
			}
			out.WriteString(rest[:n])
		case c == ']':
			if !inClass {
				return "", errors.New("an unmatched ]")
			}
			inClass = false
			out.WriteByte(c)
		case inClass:
			out.WriteByte(c)
		case strings.HasPrefix(rest, "(?"):
			if !strings.HasPrefix(rest, "(?:") && !strings.HasPrefix(rest, "(?i:") {
				return "", fmt.Errorf("a group beginning with %s", quote(rest[:min(4, len(rest))]))
			}
			n = strings.IndexByte(rest, ':') + 1
			out.WriteString(rest[:n])
		case c == '(':
			out.WriteString("(?:") // submatches are not used
		case c == '^', c == '$':
			return "", fmt.Errorf("the anchor %c", c)
		case strings.HasPrefix(rest, "{,"):
			return "", errors.New("a repetition without a lower bound")
		default:
			out.WriteByte(c)
		}
		at += n
	}
	return out.String(), nil
}

// translateEscape translates a backslash and the character after it. The caller
// translates what follows \p.
func translateEscape(rest string, inClass bool) (string, error) {
	if len(rest) < 2 {
		return "", errors.New("a trailing backslash")
	}
	switch c := rest[1]; {
	case c == 's' && inClass:
		return spaceClass, nil
	case c == 's':
		return "[" + spaceClass + "]", nil
	case c == 'S' && !inClass:
		return "[^" + spaceClass + "]", nil
	case c == 'd':
		return `\p{Nd}`, nil
	case c == 'p', c == 'P', c == 'r', c == 'n', c == 't':
		return rest[:2], nil
	case '!' <= c && c <= '/', ':' <= c && c <= '@', '[' <= c && c <= '`', '{' <= c && c <= '~':
		return rest[:2], nil
	}
	return "", fmt.Errorf("the escape %s", quote(rest[:2]))
}
