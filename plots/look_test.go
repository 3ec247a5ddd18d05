package plots

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// With PLOTS_OUT=folder, the pictures of the tests are written there to be looked at.
func TestWriteToLookAt(t *testing.T) {
	dir := os.Getenv("PLOTS_OUT")
	if dir == "" {
		t.Skip("PLOTS_OUT is not set")
	}
	for name, draw := range madePictures() {
		p, err := draw()
		if err != nil {
			t.Fatal(name, err)
		}
		for _, format := range Formats() {
			var b bytes.Buffer
			err := Encode(&b, p, format, Options{WidthIn: 7, DPI: 110})
			if err = errors.Join(err, os.WriteFile(filepath.Join(dir, name+"."+format), b.Bytes(), 0o644)); err != nil {
				t.Fatal(name, err)
			}
		}
	}
}
