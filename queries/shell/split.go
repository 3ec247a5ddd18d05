package shell

import "strings"

// Split splits a text at the semicolons that end statements, which are those
// outside quotes and comments. The text after the last one is rest. Empty
// statements are left out.
func Split(text string) (statements []string, rest string) {
	begun := 0
	for i := 0; i < len(text); {
		if text[i] == ';' {
			if statement := text[begun:i]; !Blank(statement) {
				statements = append(statements, strings.TrimSpace(statement))
			}
			i++
			begun = i
			continue
		}
		i = skip(text, i)
	}
	return statements, text[begun:]
}

// Blank reports whether a text consists of spaces and comments.
func Blank(text string) bool {
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		if !strings.HasPrefix(text, "--") && !strings.HasPrefix(text, "/*") {
			return false
		}
		text = text[skip(text, 0):]
	}
	return true
}

// skip returns the index after the comment, quoted text or quoted name that begins
// at i, or else i+1.
func skip(text string, i int) int {
	rest := text[i:]
	switch {
	case strings.HasPrefix(rest, "--"):
		return past(text, i, "\n")
	case strings.HasPrefix(rest, "/*"):
		return pastComment(text, i)
	case (rest[0] == 'e' || rest[0] == 'E') && strings.HasPrefix(rest[1:], "'") && (i == 0 || !inName(text[i-1])):
		return pastQuote(text, i+1, true)
	case rest[0] == '\'', rest[0] == '"':
		return pastQuote(text, i, false)
	case rest[0] == '$' && (i == 0 || !inName(text[i-1])):
		if tag := dollarTag(rest); tag != "" {
			return past(text, i+len(tag), tag)
		}
	}
	return i + 1
}

// past returns the index after the next mark from i on, or the end.
func past(text string, i int, mark string) int {
	if at := strings.Index(text[i:], mark); at >= 0 {
		return i + at + len(mark)
	}
	return len(text)
}

// pastComment returns the index after a comment and those nested in it.
func pastComment(text string, i int) int {
	for depth := 0; i < len(text); {
		switch {
		case strings.HasPrefix(text[i:], "/*"):
			depth++
			i += 2
		case strings.HasPrefix(text[i:], "*/"):
			i += 2
			if depth--; depth == 0 {
				return i
			}
		default:
			i++
		}
	}
	return i
}

// pastQuote returns the index after the quote that closes the one at i. A doubled
// quote is part of the text; the caller sees an end and a new beginning.
func pastQuote(text string, i int, escapes bool) int {
	quote := text[i]
	for i++; i < len(text); i++ {
		switch {
		case escapes && text[i] == '\\':
			i++
		case text[i] == quote:
			return i + 1
		}
	}
	return len(text)
}

// dollarTag returns the $$ or $name$ that begins a quote at the start of a text.
func dollarTag(text string) string {
	for i := 1; i < len(text); i++ {
		if text[i] == '$' {
			return text[:i+1]
		}
		if !inName(text[i]) || i == 1 && text[i] >= '0' && text[i] <= '9' {
			break
		}
	}
	return ""
}

func inName(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}
