package tokenizer

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// finder returns a matcher for the pattern: a function of scan.go for known
// expressions, else one that uses package regexp.
func (p *pattern) finder() (matcher, error) {
	switch {
	case p != nil && p.String != nil && *p.String != "" && len(*p.String) <= maxPattern:
		return literal(*p.String), nil
	case p == nil || p.Regex == nil:
		return nil, errors.New("the pattern is missing, empty or too long")
	}
	switch *p.Regex {
	case gpt2Pattern:
		return scan(nextGPT2), nil
	case llama3Pattern:
		return scan(nextCL100K(llama3MaxDigits)), nil
	case qwen2Pattern:
		return scan(nextCL100K(qwen2MaxDigits)), nil
	}
	return newExpression(*p.Regex)
}

// Limits of the runes that a search may read: stepsFree plus stepsPerByte per
// byte of text. An expression that reads more reads the same text repeatedly.
const (
	stepsPerByte = 64
	stepsFree    = 1 << 16
)

// expression is a pattern of the Oniguruma library, translated for package
// regexp, whose searches take linear time.
type expression struct {
	source string
	re     *regexp.Regexp
	// trailing is set if the pattern ends in trailingSpace. The last alternative
	// of re then matches all white space, as a group, and find excludes the last
	// character if text follows.
	trailing bool
}

func newExpression(source string) (matcher, error) {
	e := expression{source: source}
	if len(source) > 4*maxPattern {
		return nil, errors.New("the expression is too long")
	}
	rest, trailing := strings.CutSuffix(source, trailingSpace)
	e.trailing = trailing
	translated, err := translate(rest)
	if err == nil {
		e.re, err = regexp.Compile(translated)
	}
	if err == nil && trailing {
		e.re, err = regexp.Compile("(?:" + translated + ")|([" + spaceClass + "]+)")
	}
	if invalid, ok := errors.AsType[*syntax.Error](err); ok {
		err = errors.New(invalid.Code.String()) // without the expression, which is quoted below
	}
	if err != nil {
		return nil, fmt.Errorf("the expression %s is not supported: %w", quote(source), err)
	}
	return e.find, nil
}

// find implements matcher.
func (e expression) find(text string, found func(from, to int)) error {
	steps := stepsFree + stepsPerByte*len(text)
	for at := 0; at < len(text); {
		r := counter{text: text[at:]}
		loc := e.re.FindReaderSubmatchIndex(&r)
		if steps -= r.steps; steps < 0 {
			return fmt.Errorf("splitting the text with %s takes too long: use a shorter text", quote(e.source))
		}
		if loc == nil {
			return nil
		}
		from, to := at+loc[0], at+loc[1]
		if from == to {
			return fmt.Errorf("the expression %s matches an empty text, which is not supported", quote(e.source))
		}
		if e.trailing && loc[2] >= 0 && to < len(text) {
			if _, last := utf8.DecodeLastRuneInString(text[from:to]); last < to-from {
				to -= last
			}
		}
		found(from, to)
		at = to
	}
	return nil
}

// counter is an io.RuneReader that counts runes.
type counter struct {
	text  string
	at    int
	steps int
}

// ReadRune implements io.RuneReader.
func (c *counter) ReadRune() (rune, int, error) {
	if c.at == len(c.text) {
		return 0, 0, io.EOF
	}
	r, n := utf8.DecodeRuneInString(c.text[c.at:])
	c.at += n
	c.steps++
	return r, n, nil
}
