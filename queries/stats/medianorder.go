package stats

import "math"

// MedianNeed returns the size of the smallest sample that has an interval of its
// median with a confidence: all of n values are on one side of the true median
// with the probability 2^(1-n).
func MedianNeed(confidence float64) (int, error) {
	if err := level("confidence", confidence); err != nil {
		return 0, err
	}
	n := 2
	for math.Exp2(float64(-n)) > (1-confidence)/2 {
		n++
	}
	return n, nil
}

// medianOrder returns the largest k for which the k-th smallest and the k-th
// largest of n values enclose the median with at least this confidence, and
// their actual confidence; k is 0 if there is none. Each value is below the
// median with probability 1/2, so the confidence is a sum of binomial
// probabilities (Thompson, "On confidence ranges for the median and other
// expectation distributions", 1936).
//
// Up to 30 values benchmath has the same interval, except that it may be shorter
// by one value on the right. Above that it approximates, and its confidence is off
// by up to 0.002.
func medianOrder(n int, confidence float64) (k int, real float64) {
	// 30 standard deviations below the middle there is nothing to add.
	k = max(0, n/2-int(15*math.Sqrt(float64(n))))
	chance := math.Exp(logChoose(n, k) - float64(n)*math.Ln2) // of k heads
	tail := 0.0                                               // of fewer than k
	for tail+chance <= (1-confidence)/2 && k < n/2 {
		tail += chance
		chance *= float64(n-k) / float64(k+1)
		k++
	}
	if tail == 0 {
		return 0, 1
	}
	return k, 1 - 2*tail
}

// logChoose returns the logarithm of the number of ways to choose k of n.
func logChoose(n, k int) float64 {
	gamma := func(x int) float64 {
		v, _ := math.Lgamma(float64(x))
		return v
	}
	return gamma(n+1) - gamma(k+1) - gamma(n-k+1)
}
