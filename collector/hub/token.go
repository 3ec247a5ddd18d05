package hub

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// Token is a person's access to the Hub. However it is printed, logged or
// encoded, it does not show: a function holds it, since fmt reads strings even
// out of unexported fields, past every method.
type Token struct {
	reveal func() string
}

const hidden = "[token]"

// NewToken takes a token as people paste it, with space around it. An empty
// one is the zero Token.
func NewToken(s string) Token {
	s = strings.TrimSpace(s)
	if s == "" {
		return Token{}
	}
	return Token{reveal: func() string { return s }}
}

// IsZero says that there is no token.
func (t Token) IsZero() bool { return t.reveal == nil }

func (t Token) String() string {
	if t.IsZero() {
		return ""
	}
	return hidden
}

func (t Token) GoString() string             { return t.String() }
func (t Token) Format(s fmt.State, _ rune)   { _, _ = io.WriteString(s, t.String()) }
func (t Token) LogValue() slog.Value         { return slog.StringValue(t.String()) }
func (t Token) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// check refuses what cannot stand in a header.
func (t Token) check() error {
	if t.IsZero() {
		return nil
	}
	s := t.reveal()
	bad := strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
	if bad || len(s) > maxTokenBytes {
		return errors.New("the Hub's token is not one: paste it anew into HF_TOKEN or the token file")
	}
	return nil
}

// maxTokenBytes is far more than any token has.
const maxTokenBytes = 4096
