package plots

import (
	"math"
	"strconv"
)

// unit scales numbers for people.
type unit struct {
	name string
	size float64 // of one, in the data's own unit
}

// timeUnit fits times in seconds of which the longest is given.
func timeUnit(longest float64) unit {
	return fitting(longest, []unit{{"s", 1}, {"ms", 1e-3}, {"µs", 1e-6}, {"ns", 1e-9}})
}

func byteUnit(most float64) unit {
	if most == 0 {
		most = 1e9
	}
	return fitting(most, []unit{{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1}})
}

func rateUnit(most float64) unit {
	u := byteUnit(most)
	u.name += "/s"
	return u
}

// fitting is the largest unit of which there is one; for nothing, the largest.
func fitting(most float64, units []unit) unit {
	if most == 0 {
		return units[0]
	}
	for _, u := range units {
		if most >= u.size {
			return u
		}
	}
	return units[len(units)-1]
}

// format is v in the unit with about three digits that count.
func (u unit) format(v float64) string { return digits(v / u.size) }

// with is v in the unit, the unit's name behind it.
func (u unit) with(v float64) string { return u.format(v) + " " + u.name }

func (u unit) label(what string) string { return what + " (" + u.name + ")" }

func timeText(s float64) string { return timeUnit(s).with(s) }
func rateText(v float64) string { return rateUnit(v).with(v) }

// timeTick and bytesTick write round numbers, with no zeros behind them.
func timeTick(s float64) string  { return timeUnit(s * 1.001).short(s) }
func bytesTick(v float64) string { return byteUnit(v * 1.001).short(v) }

func (u unit) short(v float64) string {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(v/u.size, 'g', 4, 64), 64)
	if err != nil || rounded >= 1e6 || rounded < 1e-6 {
		return strconv.FormatFloat(v/u.size, 'g', 4, 64) + " " + u.name
	}
	return strconv.FormatFloat(rounded, 'f', -1, 64) + " " + u.name
}

// digits writes v with three significant digits, as people do.
func digits(v float64) string {
	size := math.Abs(v)
	switch {
	case v == 0:
		return "0"
	case size >= 1e6 || size < 1e-4:
		return strconv.FormatFloat(v, 'g', 3, 64)
	case size >= 99.95:
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'f', 2-int(math.Floor(math.Log10(size*1.0005))), 64)
}

// ratio writes how many times.
func ratio(v float64) string {
	switch {
	case v >= 1e6 || v < 0.095:
		return strconv.FormatFloat(v, 'g', 2, 64) + "×"
	case v >= 99.5:
		return strconv.FormatFloat(v, 'f', 0, 64) + "×"
	case v >= 9.995:
		return strconv.FormatFloat(v, 'f', 1, 64) + "×"
	}
	return strconv.FormatFloat(v, 'f', 2, 64) + "×"
}

func itoa(n int) string { return strconv.Itoa(n) }

// number is v in full, for csv.
func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

func optional(v *float64) string {
	if v == nil {
		return ""
	}
	return number(*v)
}

// binary writes a size as people who choose I/O sizes do: 256K, 1M.
func binary(n int64) string {
	for _, u := range []struct {
		name string
		size int64
	}{{"G", 1 << 30}, {"M", 1 << 20}, {"K", 1 << 10}} {
		if n >= u.size {
			return strconv.FormatFloat(math.Round(float64(n)/float64(u.size)*100)/100, 'f', -1, 64) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return itoa(n) + " " + many
}
