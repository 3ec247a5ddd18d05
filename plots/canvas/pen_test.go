package canvas

import (
	"testing"

	"gonum.org/v1/plot/vg"
)

// The curves of an arc lie on its circle.
func TestArcsAreRound(t *testing.T) {
	var path vg.Path
	path.Arc(vg.Point{X: 3, Y: 4}, 2, 0.3, 6.283185307179586)
	all := curves(path[0])
	if len(all) != 4 {
		t.Fatalf("%d curves", len(all))
	}
	for _, c := range all {
		for i := range 11 {
			s := vg.Length(i) / 10
			u := 1 - s
			x := u*u*u*c[0].X + 3*u*u*s*c[1].X + 3*u*s*s*c[2].X + s*s*s*c[3].X - 3
			y := u*u*u*c[0].Y + 3*u*u*s*c[1].Y + 3*u*s*s*c[2].Y + s*s*s*c[3].Y - 4
			if r := x*x + y*y; r < 3.995 || r > 4.005 {
				t.Errorf("a point at a squared distance of %g, want 4", r)
			}
		}
	}
}
