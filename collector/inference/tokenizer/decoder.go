package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// decoder rewrites the tokens that are to become a text. None makes them
// longer, save for bytes that become U+FFFD.
type decoder func(tokens []string) []string

// newDecoders builds what tokenizer.json's decoder asks for.
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
		old, with, err := c.literal()
		if err != nil {
			return nil, fmt.Errorf("decoder Replace: %w", err)
		}
		if len(with) > len(old) {
			return nil, fmt.Errorf("decoder Replace: %s by the longer %s is not supported", quote(old), quote(with))
		}
		return eachToken(func(token string) string { return strings.ReplaceAll(token, old, with) }), nil
	case "Strip":
		if utf8.RuneCountInString(c.Content) != 1 || c.Start < 0 || c.Stop < 0 {
			return nil, errors.New("decoder Strip: want one character, and how often it is taken away")
		}
		return eachToken(func(token string) string { return stripToken(token, c.Content, c.Start, c.Stop) }), nil
	}
	return nil, unsupported("decoder", c.Type)
}

// eachToken is a decoder that looks at one token at a time.
func eachToken(change func(string) string) decoder {
	return func(tokens []string) []string {
		for i, token := range tokens {
			tokens[i] = change(token)
		}
		return tokens
	}
}

// decodeByteLevel turns the characters of GPT-2's alphabet into bytes.
func decodeByteLevel(tokens []string) []string {
	var b []byte
	for _, token := range tokens {
		b = appendBytes(b, token)
	}
	return []string{validUTF8(b)}
}

// decodeByteFallback turns runs of tokens such as <0x0A> into characters, or
// each of them into U+FFFD if the run is no UTF-8.
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

// fallbackByte is the byte that a token such as <0x0A> stands for.
func fallbackByte(token string) (byte, bool) {
	if len(token) != len("<0x0A>") || token[:3] != "<0x" || token[5] != '>' {
		return 0, false
	}
	b, err := strconv.ParseUint(token[3:5], 16, 8)
	return byte(b), err == nil
}

// decodeMetaspace turns the mark for a space into a space, and takes it away
// from the first token if one is put there when encoding.
func decodeMetaspace(space string, scheme prependScheme) decoder {
	return func(tokens []string) []string {
		for i, token := range tokens {
			with := " "
			if i == 0 && scheme != prependNever {
				with = ""
			}
			tokens[i] = strings.ReplaceAll(token, space, with)
		}
		return tokens
	}
}

// stripToken takes a character away from a token's begin and end, so many
// times at most.
func stripToken(token, char string, start, stop int) string {
	for ; start > 0 && strings.HasPrefix(token, char); start-- {
		token = token[len(char):]
	}
	for ; stop > 0 && strings.HasSuffix(token, char); stop-- {
		token = token[:len(token)-len(char)]
	}
	return token
}
