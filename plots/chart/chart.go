// Package chart draws pages of panels: axes with ticks, legends, notes, and
// whatever a panel paints between its axes.
//
// A [Figure] is a page and measures itself, so that a caller can ask for the
// height that it needs at a width. Its [Panel]s have two [Axis] values each and
// paint on a [Frame], which maps values to places and attaches hover texts. A
// [Look] sets series apart by colour and also by hatch, marker and dashes, for
// readers and prints without colours. A [Unit] scales numbers to readable ones.
//
// Values are in the caller's units, float64; lengths on the page are vg.Lengths,
// in points (1/72 inch).
package chart
