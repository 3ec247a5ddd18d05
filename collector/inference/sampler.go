package inference

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// sampler chooses a token from logits: the likeliest, or if the temperature is
// positive, a random one from the smallest set of tokens whose total probability
// is at least topP (Holtzman et al., "The Curious Case of Neural Text
// Degeneration", 2020). The random generator is PCG (O'Neill, 2014), seeded with
// (Seed, 0).
type sampler struct {
	temperature float64
	topP        float64
	random      *rand.Rand
	order       []int32   // tokens, sorted by weight if topP < 1
	weights     []float64 // unnormalized probabilities, by token
}

func newSampler(o Settings) *sampler {
	return &sampler{temperature: o.Temperature, topP: o.TopP, random: rand.New(rand.NewPCG(o.Seed, 0))}
}

func (s *sampler) choose(logits []float32) int32 {
	best := argmax(logits)
	if s.temperature == 0 {
		return int32(best)
	}
	if s.weights == nil {
		s.weights, s.order = make([]float64, len(logits)), make([]int32, len(logits))
	}
	total := 0.0
	for i, l := range logits {
		s.weights[i] = math.Exp((float64(l) - float64(logits[best])) / s.temperature)
		total += s.weights[i]
		s.order[i] = int32(i)
	}
	if s.topP < 1 {
		slices.SortStableFunc(s.order, func(a, b int32) int { return cmp.Compare(s.weights[b], s.weights[a]) })
		kept := 0.0
		for n, token := range s.order {
			if kept += s.weights[token]; kept >= s.topP*total {
				s.order, total = s.order[:n+1], kept
				break
			}
		}
	}
	at := s.random.Float64() * total
	token := s.order[len(s.order)-1]
	for _, t := range s.order {
		if at -= s.weights[t]; at < 0 {
			token = t
			break
		}
	}
	s.order = s.order[:cap(s.order)]
	return token
}

// argmax returns the index of the largest value, the first of equal ones.
func argmax(v []float32) int {
	best := 0
	for i := range v {
		if v[i] > v[best] {
			best = i
		}
	}
	return best
}
