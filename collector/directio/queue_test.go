package directio_test

import (
	"testing"

	"github.com/sllmq/sllmq/collector/directio"
)

func TestRequestBytes(t *testing.T) {
	for _, total := range []int64{0, 1, 5 << 20, 250_000_000, 2_631_561_680, 1 << 40} {
		for _, queue := range []int{0, 1, directio.Queue, 64} {
			n := directio.RequestBytes(total, queue)
			if n%directio.Align != 0 || n < 1<<20 || n > 16<<20 {
				t.Errorf("%d bytes at depth %d: requests of %d", total, queue, n)
			}
			if n > 1<<20 && total/n < int64(4*queue) {
				t.Errorf("%d bytes at depth %d: requests of %d leave too few turns", total, queue, n)
			}
		}
	}
}
