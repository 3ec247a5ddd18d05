package chart

import (
	"math"
	"strconv"
)

// Unit is a unit to show values in.
type Unit struct {
	Name string
	Size float64 // of one, in the unit of the values
}

// TimeUnit is the unit, from ns to s, for times of up to longest seconds.
func TimeUnit(longest float64) Unit {
	return fitting(longest, []Unit{{"s", 1}, {"ms", 1e-3}, {"µs", 1e-6}, {"ns", 1e-9}})
}

// ByteUnit is the unit, from B to TB (powers of 1000), for sizes of up to most
// bytes.
func ByteUnit(most float64) Unit {
	if most == 0 {
		most = 1e9
	}
	return fitting(most, []Unit{{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1}})
}

// RateUnit is the unit, from B/s to TB/s, for rates of up to most bytes per second.
func RateUnit(most float64) Unit {
	u := ByteUnit(most)
	u.Name += "/s"
	return u
}

// fitting is the largest unit in which most is at least 1; for 0, the first one.
func fitting(most float64, units []Unit) Unit {
	if most == 0 {
		return units[0]
	}
	for _, u := range units {
		if most >= u.Size {
			return u
		}
	}
	return units[len(units)-1]
}

// Format writes v in the unit, with three significant digits and without its name.
func (u Unit) Format(v float64) string { return Digits(v / u.Size) }

// Text writes v in the unit, followed by the unit's name.
func (u Unit) Text(v float64) string { return u.Format(v) + " " + u.Name }

func (u Unit) label(what string) string { return what + " (" + u.Name + ")" }

// TimeText writes a time in seconds in a fitting unit.
func TimeText(s float64) string { return TimeUnit(s).Text(s) }

// RateText writes a rate in bytes per second in a fitting unit.
func RateText(v float64) string { return RateUnit(v).Text(v) }

// TimeTick labels a round time in seconds: TimeText without trailing zeros.
func TimeTick(s float64) string { return TimeUnit(s * 1.001).short(s) }

// BytesTick labels a round size in bytes.
func BytesTick(v float64) string { return ByteUnit(v * 1.001).short(v) }

func (u Unit) short(v float64) string {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(v/u.Size, 'g', 4, 64), 64)
	if err != nil || rounded >= 1e6 || rounded < 1e-6 {
		return strconv.FormatFloat(v/u.Size, 'g', 4, 64) + " " + u.Name
	}
	return strconv.FormatFloat(rounded, 'f', -1, 64) + " " + u.Name
}

// Digits writes v with three significant digits, and avoids exponents where it can.
func Digits(v float64) string {
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
