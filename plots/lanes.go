package plots

import "slices"

// lanes divides spans, in the order in which they start, into as few lanes as hold
// them without an overlap of more than hair.
func lanes[T any](spans []T, bounds func(T) (start, end float64), hair float64) [][]T {
	var lanes [][]T
	var free []float64 // from when on, by lane
	for _, s := range spans {
		start, end := bounds(s)
		lane := slices.IndexFunc(free, func(t float64) bool { return t <= start+hair })
		if lane < 0 {
			lane = len(free)
			free, lanes = append(free, 0), append(lanes, nil)
		}
		free[lane] = end
		lanes[lane] = append(lanes[lane], s)
	}
	return lanes
}
