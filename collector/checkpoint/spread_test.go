package checkpoint

import (
	"fmt"
	"testing"
)

// layered returns the index of a model with embeddings, layers and a head, which
// may be tied to the embeddings.
func layered(layers int, tiedHead bool) *Checkpoint {
	c := &Checkpoint{Dir: "layered", Files: []File{{Name: "f", Size: 1 << 30}}}
	var at int64
	add := func(name string, size int64) {
		c.Tensors = append(c.Tensors, Tensor{Name: name, Offset: at, Size: size})
		at += size
	}
	add("model.embed_tokens.weight", 300)
	if tiedHead {
		at -= 300
		add("lm_head.weight", 300)
	}
	for i := range layers {
		add(fmt.Sprintf("model.layers.%d.self_attn.q_proj.weight", i), 60)
		add(fmt.Sprintf("model.layers.%d.mlp.up_proj.weight", i), 40)
	}
	add("model.norm.weight", 10)
	if !tiedHead {
		add("lm_head.weight", 300)
	}
	return c
}

func TestSpreadKeepsModulesTogetherAndInOrder(t *testing.T) {
	for _, tiedHead := range []bool{false, true} {
		c := layered(32, tiedHead)
		for devices := 1; devices <= 5; devices++ {
			room := make([]int64, devices)
			for i := range room {
				room[i] = 1 << 20
			}
			on, err := c.Spread(room)
			if err != nil {
				t.Fatal(err)
			}
			taken := make([]int64, devices)
			last, by := 0, map[string]int{}
			for i, x := range c.Tensors {
				if i > 0 && tied(c.Tensors[i-1], x) {
					if on[i] != on[i-1] {
						t.Errorf("tied tensors are on %d and %d", on[i-1], on[i])
					}
					continue
				}
				taken[on[i]] += x.Size
				if d, ok := by[moduleOf(x.Name)]; ok && d != on[i] {
					t.Errorf("%s is on %d and %d", moduleOf(x.Name), d, on[i])
				}
				by[moduleOf(x.Name)] = on[i]
				if on[i] < last {
					t.Errorf("%s is on %d, after %d", x.Name, on[i], last)
				}
				last = on[i]
			}
			for i, n := range taken {
				if share := int64(3600 / devices); n < share/2 || n > share*2 {
					t.Errorf("%d devices, tied %t: %d has %d bytes", devices, tiedHead, i, n)
				}
			}
		}
	}
}

func TestSpreadRespectsRoom(t *testing.T) {
	c := layered(10, false)
	on, err := c.Spread([]int64{450, 10_000})
	if err != nil || on[0] != 0 || on[1] != 0 || on[3] != 1 || on[len(on)-1] != 1 {
		t.Errorf("%v, %v", on, err)
	}
	if _, err := c.Spread([]int64{450, 900}); err == nil {
		t.Error("spread over devices that are too small")
	}
	if _, err := c.Spread([]int64{10, 10_000}); err != nil {
		t.Errorf("first device without room for the first module: %v", err)
	}
}
