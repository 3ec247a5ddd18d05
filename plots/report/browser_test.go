//go:build browser

package report

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// TestABrowserFindsNoFault opens reports in headless Chromium, on a desk and on
// a phone, light and dark: no word on its console, no request but for the file
// itself, nothing wider than the screen, the pictures made for the screen and no
// others, and a printed page. REPORT_OUT names a folder for the screenshots and
// the print, to be looked at; REPORT_HTML a report of one's own.
func TestABrowserFindsNoFault(t *testing.T) {
	files := map[string]string{}
	for _, models := range []int{0, 1, 3, 30} {
		file := filepath.Join(t.TempDir(), "report.html")
		if err := os.WriteFile(file, []byte(written(t, models, nil)), 0o644); err != nil {
			t.Fatal(err)
		}
		files[fmt.Sprintf("%d-models", models)] = file
	}
	if own := os.Getenv("REPORT_HTML"); own != "" {
		files["own"] = own
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox) // the sandbox refuses root, as which containers run
	allocator, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	defer cancel()
	for name, file := range files {
		for _, screen := range []struct {
			name          string
			width, height int64
			scheme        string
		}{{"desk-light", 1280, 900, "light"}, {"desk-dark", 1280, 900, "dark"}, {"phone-light", 390, 844, "light"}, {"phone-dark", 390, 844, "dark"}} {
			t.Run(name+"/"+screen.name, func(t *testing.T) {
				ctx, cancel := chromedp.NewContext(allocator)
				defer cancel()
				watch, err := watching(ctx)
				if err != nil {
					t.Fatal(err)
				}
				// A page may ask for nothing and so never be heard of again.
				ctx, stop := context.WithTimeout(ctx, 3*time.Minute)
				defer stop()
				steps := asked{t, ctx}
				call(steps, network.Enable, network.EnableParams{})
				call(steps, log.Enable, cdp.Empty{})
				call(steps, runtime.Enable, cdp.Empty{})
				call(steps, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: screen.width, Height: screen.height, DeviceScaleFactor: 1, Mobile: screen.width < 500})
				call(steps, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: screen.scheme}}})
				do(steps, chromedp.Navigate("file://"+file))
				broad := do(steps, chromedp.Evaluate[bool](`document.documentElement.scrollWidth > window.innerWidth`))
				wide := do(steps, chromedp.Evaluate[bool](`[...document.querySelectorAll(".wide svg")].some(e => e.checkVisibility())`))
				narrow := do(steps, chromedp.Evaluate[bool](`[...document.querySelectorAll(".narrow svg")].some(e => e.checkVisibility())`))
				background := do(steps, chromedp.Evaluate[string](`getComputedStyle(document.body).backgroundColor`))
				shot := do(steps, chromedp.FullScreenshot(100))
				print := call(steps, cdppage.PrintToPDF, cdppage.PrintToPDFParams{}).Data
				for _, fault := range watch.faults("file://" + file) {
					t.Error(fault)
				}
				if broad {
					t.Error("wider than the screen")
				}
				phone, empty := screen.width < 500, strings.HasPrefix(name, "0")
				if wide != (!phone && !empty) || narrow != (phone && !empty) {
					t.Errorf("the wide pictures show: %v, the narrow ones: %v", wide, narrow)
				}
				if dark := background != "rgb(255, 255, 255)"; dark != (screen.scheme == "dark") {
					t.Errorf("the page is %s", background)
				}
				if len(print) < 1000 {
					t.Errorf("a print of %d bytes", len(print))
				}
				if out := os.Getenv("REPORT_OUT"); out != "" {
					for ending, content := range map[string][]byte{".png": shot, ".pdf": print} {
						if err := os.WriteFile(filepath.Join(out, name+"-"+screen.name+ending), content, 0o644); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
	}
}

// TestTheWatchSeesFaults holds the watch itself to a page with every fault.
func TestTheWatchSeesFaults(t *testing.T) {
	file := filepath.Join(t.TempDir(), "faulty.html")
	if err := os.WriteFile(file, []byte(`<img src="http://127.0.0.1:9/x.png"><script>console.error("said"); undefined.thrown</script>`), 0o644); err != nil {
		t.Fatal(err)
	}
	allocator, cancel := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox)...)
	defer cancel()
	ctx, cancel := chromedp.NewContext(allocator)
	defer cancel()
	watch, err := watching(ctx)
	if err != nil {
		t.Fatal(err)
	}
	steps := asked{t, ctx}
	call(steps, network.Enable, network.EnableParams{})
	call(steps, log.Enable, cdp.Empty{})
	call(steps, runtime.Enable, cdp.Empty{})
	do(steps, chromedp.Navigate("file://"+file))
	do(steps, chromedp.FullScreenshot(50))
	said := strings.Join(watch.faults("file://"+file), "\n")
	for _, fault := range []string{"a request for http://127.0.0.1:9/x.png", "console: error", "exception: "} {
		if !strings.Contains(said, fault) {
			t.Errorf("%q was not seen: %s", fault, said)
		}
	}
}

// watch keeps what the browser asked for and complained of.
type watch struct {
	mu       sync.Mutex
	requests []string
	said     []string
}

func watching(ctx context.Context) (*watch, error) {
	w := &watch{}
	return w, chromedp.Listen(ctx, func(event any) {
		w.mu.Lock()
		defer w.mu.Unlock()
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			w.requests = append(w.requests, e.Request.URL)
		case *runtime.EventConsoleAPICalled:
			w.said = append(w.said, fmt.Sprint("console: ", e.Type, e.Args))
		case *runtime.EventExceptionThrown:
			w.said = append(w.said, "exception: "+e.ExceptionDetails.Text)
		case *log.EventEntryAdded:
			w.said = append(w.said, fmt.Sprintf("log: %s: %s", e.Entry.Level, e.Entry.Text))
		}
	})
}

// asked is who asks the browser, and is told when it can't.
type asked struct {
	t   *testing.T
	ctx context.Context
}

func do[T any](a asked, action chromedp.Action[T]) T {
	a.t.Helper()
	v, err := chromedp.Run(a.ctx, action)
	if err != nil {
		a.t.Fatal(err)
	}
	return v
}

func call[P, R any](a asked, command cdp.Command[P, R], params P) R {
	a.t.Helper()
	v, err := chromedp.Call(a.ctx, command, params)
	if err != nil {
		a.t.Fatal(command.Method, err)
	}
	return v
}

// faults are all but one request, for the page.
func (w *watch) faults(page string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := w.said
	asked := 0
	for _, url := range w.requests {
		if url == page {
			asked++
		} else if !strings.HasPrefix(url, "data:") {
			list = append(list, "a request for "+url)
		}
	}
	if asked != 1 {
		list = append(list, fmt.Sprintf("the page was asked for %d times", asked))
	}
	return list
}
