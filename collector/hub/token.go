package hub

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// Token is an access token of the Hub. It stays secret however it is printed,
// logged or encoded. A function holds it, because fmt prints even the strings of
// unexported fields, bypassing all methods.
type Token struct {
	reveal func() string
}

const hidden = "[token]"

// NewToken returns the token in s, without surrounding white space. An empty s
// gives the zero Token.
func NewToken(s string) Token {
	s = strings.TrimSpace(s)
	if s == "" {
		return Token{}
	}
	return Token{reveal: func() string { return s }}
}

// IsZero reports whether there is no token.
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

// check returns an error if the token cannot be sent in a header.
func (t Token) check() error {
	if t.IsZero() {
		return nil
	}
	s := t.reveal()
	bad := strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
	if bad || len(s) > maxTokenBytes {
		return errors.New("the Hub's token is not valid: paste it again into HF_TOKEN or the token file")
	}
	return nil
}

// maxTokenBytes is far more than the length of any token.
const maxTokenBytes = 4096
