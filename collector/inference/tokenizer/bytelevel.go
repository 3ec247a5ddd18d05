package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// byteChars is GPT-2's alphabet, which maps every byte to a printable character:
// visible characters of Latin-1 to themselves, other bytes to the characters from
// U+0100 on (Radford et al., "Language Models are Unsupervised Multitask
// Learners", 2019, section 2.2).
var byteChars = func() (chars [256]rune) {
	next := rune(0x100)
	for b := range rune(256) {
		switch {
		case '!' <= b && b <= '~', 0xa1 <= b && b <= 0xac, 0xae <= b:
			chars[b] = b
		default:
			chars[b] = next
			next++
		}
	}
	return chars
}()

// charBytes is the inverse of byteChars; other characters map to -1.
var charBytes = func() (bytes [0x144]int16) {
	for i := range bytes {
		bytes[i] = -1
	}
	for b, r := range byteChars {
		bytes[r] = int16(b)
	}
	return bytes
}()

// byteLevel replaces each byte of a text by its character.
func byteLevel(text string) string {
	var out strings.Builder
	out.Grow(len(text) + len(text)/2)
	for i := range len(text) {
		out.WriteRune(byteChars[text[i]])
	}
	return out.String()
}

// appendBytes appends the bytes of a token, or the token itself if not all of its
// characters are in the alphabet.
func appendBytes(to []byte, token string) []byte {
	start := len(to)
	for _, r := range token {
		if int(r) >= len(charBytes) || charBytes[r] < 0 {
			return append(to[:start], token...)
		}
		to = append(to, byte(charBytes[r]))
	}
	return to
}

// validUTF8 replaces each maximal subpart of an ill-formed sequence by U+FFFD
// (The Unicode Standard, section 3.9), as Rust and Python do. Go's functions
// replace single bytes or whole runs.
func validUTF8(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	var out strings.Builder
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			n = subpart(b)
		}
		out.WriteRune(r)
		b = b[n:]
	}
	return out.String()
}

// subpart returns the length of the maximal subpart at b's beginning: the bytes
// that could begin a character.
func subpart(b []byte) int {
	// Only the range of the second byte depends on the first.
	for n := min(len(b), utf8.UTFMax-1); n > 1; n-- {
		if _, size := utf8.DecodeRuneInString(string(b[:n]) + "\x80\x80"); size > n {
			return n
		}
	}
	return 1
}
