package torchfile

import (
	"strings"
	"testing"
)

// TestModelOf finds the model among what a trainer saves.
func TestModelOf(t *testing.T) {
	at := func(shape ...int64) view { return view{dtype: "float32", shape: shape} }
	of := func(pairs ...any) *dict {
		d := &dict{}
		for i := 0; i < len(pairs); i += 2 {
			d.keys, d.values = append(d.keys, pairs[i]), append(d.values, pairs[i+1])
		}
		return d
	}
	model := of("w", at(2, 3))
	optimizer := of("step", at())
	for _, test := range []struct {
		name string
		file *dict
		want string // of the error; empty if model is found
	}{
		{"nanoGPT", of("model", model, "optimizer", optimizer, "best_val_loss", at(), "iter_num", int64(5)), ""},
		{"module", of("loss", at(1), "module", model), ""},
		{"flat", model, ""},
		{"two models", of("model", model, "state_dict", of("v", at(2))), "(state_dict, model)"},
		{"unnamed model", of("net", model, "ema", of("v", at(2)), "loss", at()), "net, ema"},
	} {
		got, err := test.file.model()
		if test.want == "" && (err != nil || got != model) || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, %v; want %q", test.name, got, err, test.want)
		}
	}
}
