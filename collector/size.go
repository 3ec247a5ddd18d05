package collector

import (
	"fmt"
	"math"
	"strconv"
)

// units of sizes, powers of 1024, as the sllm-store command reads them. The
// longest suffix that fits wins, so B is last.
var units = []struct {
	suffix string
	bytes  int64
}{{"TB", 1 << 40}, {"GB", 1 << 30}, {"MB", 1 << 20}, {"KB", 1 << 10}, {"B", 1}}

// ParseSize reads a size in bytes: a positive whole number followed at once by
// B, KB, MB, GB or TB, powers of 1024.
func ParseSize(s string) (int64, error) {
	for _, u := range units {
		if len(s) <= len(u.suffix) || s[len(s)-len(u.suffix):] != u.suffix {
			continue
		}
		digits := s[:len(s)-len(u.suffix)]
		for _, c := range []byte(digits) {
			if c < '0' || c > '9' {
				return 0, sizeError(s)
			}
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n > math.MaxInt64/u.bytes {
			return 0, fmt.Errorf("size %q is more than 64 bits hold", s)
		}
		if n == 0 {
			return 0, sizeError(s)
		}
		return n * u.bytes, nil
	}
	return 0, sizeError(s)
}

func sizeError(s string) error {
	return fmt.Errorf("size %q is not a positive whole number followed by B, KB, MB, GB or TB (as in 32GB)", s)
}

// FormatSize writes bytes so that ParseSize reads the same: in the largest
// unit that divides it.
func FormatSize(bytes int64) string {
	for _, u := range units {
		if bytes >= u.bytes && bytes%u.bytes == 0 {
			return strconv.FormatInt(bytes/u.bytes, 10) + u.suffix
		}
	}
	return strconv.FormatInt(bytes, 10) + "B"
}

// ApproxSize writes bytes for people, to two places: 2.45 GiB. The unit is
// spelt out as binary, since rates are in GB, of 10^9, as storage is sold.
func ApproxSize(bytes int64) string {
	for _, u := range units {
		if bytes >= u.bytes && u.bytes > 1 {
			return strconv.FormatFloat(float64(bytes)/float64(u.bytes), 'f', 2, 64) + " " + u.suffix[:1] + "iB"
		}
	}
	return strconv.FormatInt(bytes, 10) + " B"
}
