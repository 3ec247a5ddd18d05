package chart

import (
	"math"
	"strconv"
	"time"
)

// Tick is a labelled value on an axis. Without a label it is a minor tick.
type Tick struct {
	Value float64
	Label string
}

// Ticker chooses at most n labelled ticks between two values, in ascending order.
type Ticker func(low, high float64, n int) []Tick

// LinearTicks places ticks at steps of 1, 2 or 5 times a power of ten of the unit,
// all with the same number of decimals. If only one fits but there is room for two,
// it places the outermost two of a finer step: one number is not a scale.
func LinearTicks(u Unit) Ticker {
	return func(low, high float64, n int) []Tick {
		low, high = low/u.Size, high/u.Size
		step := stepFor((high - low) / float64(max(1, n)))
		for steps(low, high, step) > float64(max(1, n)) {
			step = stepFor(step * 1.01)
		}
		if fine := stepFor((high - low) / 3); n >= 2 && steps(low, high, step) < 2 && steps(low, high, fine) >= 2 {
			all := multiples(low, high, fine, u)
			return []Tick{all[0], all[len(all)-1]}
		}
		return multiples(low, high, step, u)
	}
}

// steps counts the multiples of step between two values.
func steps(low, high, step float64) float64 {
	return math.Floor(high/step+1e-9) - math.Ceil(low/step-1e-9) + 1
}

// multiples are ticks at the multiples of step between two values of the unit.
func multiples(low, high, step float64, u Unit) (all []Tick) {
	decimals := max(0, -int(math.Floor(math.Log10(step)+1e-9)))
	for i := math.Ceil(low/step - 1e-9); i*step <= high+step*1e-9; i++ {
		v := i * step
		label := strconv.FormatFloat(v+0, 'f', decimals, 64)
		if math.Abs(high) >= 1e6 || decimals > 6 {
			label = strconv.FormatFloat(v+0, 'g', 4, 64)
		}
		all = append(all, Tick{v * u.Size, label})
	}
	return all
}

// stepFor is the smallest of 1, 2 or 5 times a power of ten that is at least least.
func stepFor(least float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(least)))
	for _, m := range []float64{1, 2, 5, 10} {
		if m*power >= least*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// logTicks places ticks at powers of ten, and at numbers between them where there
// is room. text labels a value, with its own unit. Between them are minor ticks.
func logTicks(text func(float64) string) Ticker {
	return func(low, high float64, n int) []Tick {
		first, last := int(math.Floor(math.Log10(low))), int(math.Ceil(math.Log10(high)))
		in := func(v float64) bool { return v >= low*(1-1e-9) && v <= high*(1+1e-9) }
		for _, labelled := range []struct {
			of    []float64
			every int
		}{{[]float64{1, 2, 3, 4, 5, 6, 7, 8, 9}, 1}, {[]float64{1, 2, 3, 5}, 1}, {[]float64{1, 2, 5}, 1}, {[]float64{1, 3}, 1}, {[]float64{1}, 1}, {[]float64{1}, 2}, {[]float64{1}, 3}, {[]float64{1}, 6}, {[]float64{1}, 12}} {
			var all []Tick
			count := 0
			for e := first; e <= last; e++ {
				for m := 1.0; m < 10; m++ {
					v, err := strconv.ParseFloat(strconv.FormatFloat(m, 'f', -1, 64)+"e"+strconv.Itoa(e), 64)
					if err != nil || !in(v) {
						continue
					}
					label := ""
					for _, l := range labelled.of {
						if l == m && e%labelled.every == 0 {
							label = text(v)
							count++
						}
					}
					if label != "" || labelled.every == 1 || m == 1 {
						all = append(all, Tick{v, label})
					}
				}
			}
			if count <= n {
				return all
			}
		}
		return nil
	}
}

// TimeTicks places ticks at whole seconds, minutes, hours, days, weeks, months or
// years of UTC. Values are in seconds since 1970.
func TimeTicks(low, high float64, n int) []Tick {
	from, to := time.Unix(int64(math.Floor(low)), 0).UTC(), time.Unix(int64(math.Ceil(high)), 0).UTC()
	for _, s := range []struct {
		step   time.Duration
		months int
		layout string
	}{
		{step: time.Second, layout: "15:04:05"}, {step: 5 * time.Second, layout: "15:04:05"}, {step: 15 * time.Second, layout: "15:04:05"}, {step: 30 * time.Second, layout: "15:04:05"},
		{step: time.Minute, layout: "15:04"}, {step: 5 * time.Minute, layout: "15:04"}, {step: 15 * time.Minute, layout: "15:04"}, {step: 30 * time.Minute, layout: "15:04"},
		{step: time.Hour, layout: "01-02 15:04"}, {step: 3 * time.Hour, layout: "01-02 15:04"}, {step: 6 * time.Hour, layout: "01-02 15:04"}, {step: 12 * time.Hour, layout: "01-02 15:04"},
		{step: 24 * time.Hour, layout: "01-02"}, {step: 2 * 24 * time.Hour, layout: "01-02"}, {step: 7 * 24 * time.Hour, layout: "01-02"}, {step: 14 * 24 * time.Hour, layout: "01-02"},
		{months: 1, layout: "2006-01"}, {months: 3, layout: "2006-01"}, {months: 6, layout: "2006-01"},
		{months: 12, layout: "2006"}, {months: 24, layout: "2006"}, {months: 60, layout: "2006"}, {months: 120, layout: "2006"}, {months: 1200, layout: "2006"},
	} {
		if s.step > 0 && to.Sub(from)/s.step > time.Duration(n)+1 {
			continue
		}
		if s.months > 0 && int(to.Sub(from).Hours()/24/30)/s.months > n+1 {
			continue
		}
		var at time.Time
		next := func(t time.Time) time.Time { return t.Add(s.step) }
		if s.step > 0 {
			at = from.Truncate(s.step)
		} else {
			month := (from.Year()*12 + int(from.Month()) - 1) / s.months * s.months
			at = time.Date(month/12, time.Month(month%12+1), 1, 0, 0, 0, 0, time.UTC)
			next = func(t time.Time) time.Time { return t.AddDate(0, s.months, 0) }
		}
		var all []Tick
		for ; !at.After(to) && len(all) <= n; at = next(at) {
			if v := float64(at.Unix()); v >= low && v <= high {
				all = append(all, Tick{v, at.Format(s.layout)})
			}
		}
		if len(all) <= n {
			return all
		}
	}
	return nil
}
