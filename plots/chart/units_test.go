package chart

import "testing"

func TestUnitsAndDigits(t *testing.T) {
	for got, want := range map[string]string{
		TimeText(0): "0 s", TimeText(0.0042): "4.20 ms", TimeText(61.234): "61.2 s", TimeText(3.2e-8): "32.0 ns", TimeText(0.9996): "1000 ms",
		RateText(7.4e9): "7.40 GB/s", RateText(0): "0 GB/s", TimeTick(1): "1 s", TimeTick(2e-5): "20 µs", BytesTick(5e8): "500 MB",
		Digits(0.99999): "1.00", Digits(1e-9): "1e-09",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
