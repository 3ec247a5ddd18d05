package plots

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// PLOTS_OUT=folder has the pictures of the tests written there, to look at.
func TestWriteToLookAt(t *testing.T) {
	dir := os.Getenv("PLOTS_OUT")
	if dir == "" {
		t.Skip("PLOTS_OUT names no folder")
	}
	for name, make := range madePictures() {
		p, err := make()
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
