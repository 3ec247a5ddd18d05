package shell

import "strings"

// Split cuts a text after each semicolon that ends a statement, and so not in
// quotes and comments. What is behind the last one is rest; empty statements
// are left out.
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

// Blank says that a text has nothing but spaces and comments in it.
func Blank(text string) bool {
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		if !strings.HasPrefix(text, "--") && !strings.HasPrefix(text, "/*") {
			return false
		}
		text = text[skip(text, 0):]
	}
	return true
}

// skip goes past what begins at i and a semicolon is no end in: a comment, a
// quoted text or name, or else one byte.
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

// past is behind the next mark from i on, or at the end.
func past(text string, i int, mark string) int {
	if at := strings.Index(text[i:], mark); at >= 0 {
		return i + at + len(mark)
	}
	return len(text)
}

// pastComment is behind a comment and those within it.
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

// pastQuote is behind the quote that ends what the one at i begins. A doubled
// one is one of the text, which the loop sees as an end and a beginning.
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

// dollarTag is $$ or $name$ at the beginning of a text, which begins a quote.
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
