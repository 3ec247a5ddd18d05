package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// decoder rewrites tokens on their way to a text. It never makes them longer,
// except for bytes that become U+FFFD.
type decoder func(tokens []string) []string

// newDecoders returns the steps of tokenizer.json's decoder.
func newDecoders(raw json.RawMessage) ([]decoder, error) {
	components, err := readComponents(raw, "decoders")
	if err != nil {
		return nil, fmt.Errorf("decoder: %w", err)
	}
	var list []decoder
	for _, c := range components {
		d, err := oneDecoder(c)
		if err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	return list, nil
}

func oneDecoder(c component) (decoder, error) {
	switch c.Type {
	case "ByteLevel":
		return decodeByteLevel, nil
	case "ByteFallback":
		return decodeByteFallback, nil
	case "Fuse":
		return func(tokens []string) []string { return []string{strings.Join(tokens, "")} }, nil
	case "Metaspace":
		space, scheme, err := c.metaspace()
		if err != nil {
			return nil, fmt.Errorf("decoder Metaspace: %w", err)
		}
		return decodeMetaspace(space, scheme), nil
	case "Replace":
		from, to, err := c.replacement()
		if err != nil {
			return nil, fmt.Errorf("decoder Replace: %w", err)
		}
		if len(to) > len(from) {
			return nil, fmt.Errorf("decoder Replace: %s by the longer %s is not supported", quote(from), quote(to))
		}
		return eachToken(func(token string) string { return strings.ReplaceAll(token, from, to) }), nil
	case "Strip":
		if utf8.RuneCountInString(c.Content) != 1 || c.Start < 0 || c.Stop < 0 {
			return nil, errors.New("decoder Strip: content must be one character, start and stop not negative")
		}
		return eachToken(func(token string) string { return stripToken(token, c.Content, c.Start, c.Stop) }), nil
	}
	return nil, unsupported("decoder", c.Type)
}

// eachToken returns a decoder that rewrites each token.
func eachToken(change func(string) string) decoder {
	return func(tokens []string) []string {
		for i, token := range tokens {
			tokens[i] = change(token)
		}
		return tokens
	}
}

// decodeByteLevel converts the characters of GPT-2's alphabet to bytes.
func decodeByteLevel(tokens []string) []string {
	var b []byte
	for _, token := range tokens {
		b = appendBytes(b, token)
	}
	return []string{validUTF8(b)}
}

// decodeByteFallback converts runs of tokens like <0x0A> to characters, or each
// token to U+FFFD if the run is not UTF-8.
func decodeByteFallback(tokens []string) []string {
	var out []string
	var run []byte
	flush := func() {
		switch {
		case len(run) == 0:
		case utf8.Valid(run):
			out = append(out, string(run))
		default:
			for range run {
				out = append(out, string(utf8.RuneError))
			}
		}
		run = run[:0]
	}
	for _, token := range tokens {
		if b, ok := fallbackByte(token); ok {
			run = append(run, b)
			continue
		}
		flush()
		out = append(out, token)
	}
	flush()
	return out
}

// fallbackByte returns the byte of a token like <0x0A>.
func fallbackByte(token string) (byte, bool) {
	if len(token) != len("<0x0A>") || token[:3] != "<0x" || token[5] != '>' {
		return 0, false
	}
	b, err := strconv.ParseUint(token[3:5], 16, 8)
	return byte(b), err == nil
}

// decodeMetaspace replaces the character that stands for a space. In the first
// token it removes that character, if encoding inserts one.
func decodeMetaspace(space string, scheme prependScheme) decoder {
	return func(tokens []string) []string {
		for i, token := range tokens {
			to := " "
			if i == 0 && scheme != prependNever {
				to = ""
			}
			tokens[i] = strings.ReplaceAll(token, space, to)
		}
		return tokens
	}
}

// stripToken removes a character from a token's beginning and end, at most start
// and stop times.
func stripToken(token, char string, start, stop int) string {
	for ; start > 0 && strings.HasPrefix(token, char); start-- {
		token = token[len(char):]
	}
	for ; stop > 0 && strings.HasSuffix(token, char); stop-- {
		token = token[:len(token)-len(char)]
	}
	return token
}
