package stats

import "math"

// MedianNeed is the smallest sample that has an interval of its median at a
// confidence: of n values, all are on one side of the true median with the
// probability 2^(1-n).
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

// medianOrder is the largest k for which the k-th smallest and the k-th
// largest of n values hold the median at least with the confidence asked for,
// and the confidence that they really have; 0 if no k does. Each value falls
// under the median like a fair coin, so the confidence is a sum of binomial
// probabilities (Thompson, "On confidence ranges for the median and other
// expectation distributions", 1936).
//
// benchmath's interval is this one up to 30 values, save that it may be
// shorter by one value on the right; over that it approximates, and what it
// says of its confidence is off by up to 0.002.
func medianOrder(n int, confidence float64) (k int, real float64) {
	// 30 standard deviations under the middle nothing is left to add.
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

// logChoose is the logarithm of the number of ways to choose k of n.
func logChoose(n, k int) float64 {
	gamma := func(x int) float64 {
		v, _ := math.Lgamma(float64(x))
		return v
	}
	return gamma(n+1) - gamma(k+1) - gamma(n-k+1)
}
