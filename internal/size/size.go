// Package size reads and writes sizes in bytes.
package size

import (
	"fmt"
	"math"
	"strconv"
)

// units are powers of 1024, as the sllm-store command reads them. B comes last
// because the other suffixes end in it.
var units = []struct {
	suffix string
	bytes  int64
}{{"TB", 1 << 40}, {"GB", 1 << 30}, {"MB", 1 << 20}, {"KB", 1 << 10}, {"B", 1}}

// Parse reads a size in bytes: a positive whole number immediately followed by
// B, KB, MB, GB or TB, which are powers of 1024.
func Parse(s string) (int64, error) {
	for _, u := range units {
		if len(s) <= len(u.suffix) || s[len(s)-len(u.suffix):] != u.suffix {
			continue
		}
		digits := s[:len(s)-len(u.suffix)]
		for _, c := range []byte(digits) {
			if c < '0' || c > '9' {
				return 0, syntaxError(s)
			}
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n > math.MaxInt64/u.bytes {
			return 0, fmt.Errorf("size %q does not fit in 64 bits", s)
		}
		if n == 0 {
			return 0, syntaxError(s)
		}
		return n * u.bytes, nil
	}
	return 0, syntaxError(s)
}

func syntaxError(s string) error {
	return fmt.Errorf("size %q is not a positive whole number followed by B, KB, MB, GB or TB (as in 32GB)", s)
}

// Exact formats a size so that Parse reads it back: in the largest unit that
// divides it.
func Exact(bytes int64) string {
	for _, u := range units {
		if bytes >= u.bytes && bytes%u.bytes == 0 {
			return strconv.FormatInt(bytes/u.bytes, 10) + u.suffix
		}
	}
	return strconv.FormatInt(bytes, 10) + "B"
}

// Binary formats a size for people with two decimals, in powers of 1024:
// 2.45 GiB. It is for memory, files and pools.
func Binary(bytes int64) string {
	for _, u := range units {
		if bytes >= u.bytes && u.bytes > 1 {
			return strconv.FormatFloat(float64(bytes)/float64(u.bytes), 'f', 2, 64) + " " + u.suffix[:1] + "iB"
		}
	}
	return strconv.FormatInt(bytes, 10) + " B"
}

// Decimal formats a size for people with three significant digits, in powers
// of 1000, as storage and bandwidth are sold: 2.63 GB.
func Decimal(bytes int64) string {
	for _, u := range []struct {
		name  string
		bytes float64
	}{{"PB", 1e15}, {"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}} {
		if float64(bytes) >= u.bytes {
			return strconv.FormatFloat(float64(bytes)/u.bytes, 'g', 3, 64) + " " + u.name
		}
	}
	return strconv.FormatInt(bytes, 10) + " B"
}
