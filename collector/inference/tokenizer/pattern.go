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

// finder looks for the pattern: with a function of its own for the
// expressions that are known, else with package regexp.
func (p *pattern) finder() (matcher, error) {
	switch {
	case p != nil && p.String != nil && *p.String != "" && len(*p.String) <= maxPattern:
		return literal(*p.String), nil
	case p == nil || p.Regex == nil:
		return nil, errors.New("no pattern, an empty one, or one that is too long")
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

// Steps that searching a text may take: so many runes read, for each byte of
// the text and in all. An expression that takes more reads the same part of
// the text over and over.
const (
	stepsPerByte = 64
	stepsFree    = 1 << 16
)

// expression is a pattern of the Oniguruma library that package regexp can
// search for in time linear in what it reads.
type expression struct {
	source string
	re     *regexp.Regexp
	// trailing is set where the pattern ends in trailingSpace: the last
	// alternative of re then takes all white space, in a group, and gives
	// the last character back if something follows.
	trailing bool
}

func newExpression(source string) (matcher, error) {
	e := expression{source: source}
	if len(source) > 4*maxPattern {
		return nil, errors.New("the expression is too long")
	}
	rest, trailing := strings.CutSuffix(source, trailingSpace)
	e.trailing = trailing
	text, err := translate(rest)
	if err == nil {
		e.re, err = regexp.Compile(text)
	}
	if err == nil && trailing {
		e.re, err = regexp.Compile("(?:" + text + ")|([" + spaceClass + "]+)")
	}
	var wrong *syntax.Error
	if errors.As(err, &wrong) {
		err = errors.New(wrong.Code.String()) // the rest of it quotes the expression
	}
	if err != nil {
		return nil, fmt.Errorf("the expression %s is not supported: %w", quote(source), err)
	}
	return e.find, nil
}

// find is a matcher.
func (e expression) find(text string, found func(from, to int)) error {
	steps := stepsFree + stepsPerByte*len(text)
	for at := 0; at < len(text); {
		r := counter{text: text[at:]}
		loc := e.re.FindReaderSubmatchIndex(&r)
		if steps -= r.steps; steps < 0 {
			return fmt.Errorf("splitting it with %s takes too long: use a shorter text", quote(e.source))
		}
		if loc == nil {
			return nil
		}
		from, to := at+loc[0], at+loc[1]
		if from == to {
			return fmt.Errorf("the expression %s matches nothing at all, which is not supported", quote(e.source))
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

// counter gives a text rune by rune and counts them.
type counter struct {
	text  string
	at    int
	steps int
}

// ReadRune is io.RuneReader's.
func (c *counter) ReadRune() (rune, int, error) {
	if c.at == len(c.text) {
		return 0, 0, io.EOF
	}
	r, n := utf8.DecodeRuneInString(c.text[c.at:])
	c.at += n
	c.steps++
	return r, n, nil
}
