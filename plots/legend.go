package plots

import "github.com/sllmq/sllmq/plots/chart"

// legend has a key for each arm, in the look of its place.
func legend(arms []string, key func(label string, l chart.Look) chart.Key) []chart.Key {
	keys := make([]chart.Key, len(arms))
	for i, arm := range arms {
		keys[i] = key(arm, chart.LookOf(i))
	}
	return keys
}
