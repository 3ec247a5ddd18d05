package stats

// TukeyCutoff is Tukey's own cutoff.
const TukeyCutoff = 1.5

// OutliersTukey returns the indices of the values more than cutoff interquartile
// ranges outside the quartiles (Tukey, "Exploratory Data
// Analysis", 1977). Quartiles are those of DuckDB's quantile_cont.
func OutliersTukey(xs []float64, cutoff float64) ([]int, error) {
	if err := finite(xs); err != nil {
		return nil, err
	}
	values := sorted(xs)
	lo, hi := quantile(values, 0.25), quantile(values, 0.75)
	fence := cutoff * (hi - lo)
	var out []int
	for i, x := range xs {
		if x < lo-fence || x > hi+fence {
			out = append(out, i)
		}
	}
	return out, nil
}
