package plots

import (
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
			if err := Write(filepath.Join(dir, name+"."+format), p, Options{WidthIn: 7, DPI: 110}); err != nil {
				t.Fatal(name, err)
			}
		}
	}
}
