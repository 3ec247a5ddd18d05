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

// TestBrowserFindsNoFault opens reports in headless Chromium, at the sizes of a desktop
// and of a phone, light and dark. The console stays empty, the file itself is the only
// request, nothing is wider than the screen, only the pictures for this screen show,
// and the page prints. Screenshots and prints are written to the folder REPORT_OUT, if
// set. REPORT_HTML names one more report to open.
func TestBrowserFindsNoFault(t *testing.T) {
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
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox) // containers run as root, which the sandbox refuses
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
				// A page that never loads sends no event to wait for.
				ctx, stop := context.WithTimeout(ctx, 3*time.Minute)
				defer stop()
				s := steps{t, ctx}
				call(s, network.Enable, network.EnableParams{})
				call(s, log.Enable, cdp.Empty{})
				call(s, runtime.Enable, cdp.Empty{})
				call(s, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: screen.width, Height: screen.height, DeviceScaleFactor: 1, Mobile: screen.width < 500})
				call(s, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: screen.scheme}}})
				do(s, chromedp.Navigate("file://"+file))
				broad := do(s, chromedp.Evaluate[bool](`document.documentElement.scrollWidth > window.innerWidth`))
				wide := do(s, chromedp.Evaluate[bool](`[...document.querySelectorAll(".wide svg")].some(e => e.checkVisibility())`))
				narrow := do(s, chromedp.Evaluate[bool](`[...document.querySelectorAll(".narrow svg")].some(e => e.checkVisibility())`))
				background := do(s, chromedp.Evaluate[string](`getComputedStyle(document.body).backgroundColor`))
				shot := do(s, chromedp.FullScreenshot(100))
				print := call(s, cdppage.PrintToPDF, cdppage.PrintToPDFParams{}).Data
				for _, fault := range watch.faults("file://" + file) {
					t.Error(fault)
				}
				if broad {
					t.Error("the page is wider than the screen")
				}
				phone, empty := screen.width < 500, strings.HasPrefix(name, "0")
				if wide != (!phone && !empty) || narrow != (phone && !empty) {
					t.Errorf("wide pictures show: %v, narrow ones: %v", wide, narrow)
				}
				if dark := background != "rgb(255, 255, 255)"; dark != (screen.scheme == "dark") {
					t.Errorf("the background is %s", background)
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

// TestWatchSeesFaults checks the watch itself with a page that has every fault.
func TestWatchSeesFaults(t *testing.T) {
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
	s := steps{t, ctx}
	call(s, network.Enable, network.EnableParams{})
	call(s, log.Enable, cdp.Empty{})
	call(s, runtime.Enable, cdp.Empty{})
	do(s, chromedp.Navigate("file://"+file))
	do(s, chromedp.FullScreenshot(50))
	faults := strings.Join(watch.faults("file://"+file), "\n")
	for _, fault := range []string{"a request for http://127.0.0.1:9/x.png", "console: error", "exception: "} {
		if !strings.Contains(faults, fault) {
			t.Errorf("no %q in %s", fault, faults)
		}
	}
}

// watch records a browser's requests and complaints.
type watch struct {
	mu       sync.Mutex
	requests []string
	messages []string
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
			w.messages = append(w.messages, fmt.Sprint("console: ", e.Type, e.Args))
		case *runtime.EventExceptionThrown:
			w.messages = append(w.messages, "exception: "+e.ExceptionDetails.Text)
		case *log.EventEntryAdded:
			w.messages = append(w.messages, fmt.Sprintf("log: %s: %s", e.Entry.Level, e.Entry.Text))
		}
	})
}

// steps run in a browser and fail the test if one fails.
type steps struct {
	t   *testing.T
	ctx context.Context
}

func do[T any](s steps, action chromedp.Action[T]) T {
	s.t.Helper()
	v, err := chromedp.Run(s.ctx, action)
	if err != nil {
		s.t.Fatal(err)
	}
	return v
}

func call[P, R any](s steps, command cdp.Command[P, R], params P) R {
	s.t.Helper()
	v, err := chromedp.Call(s.ctx, command, params)
	if err != nil {
		s.t.Fatal(command.Method, err)
	}
	return v
}

// faults are all messages, and all requests except one for the page.
func (w *watch) faults(page string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := w.messages
	asked := 0
	for _, url := range w.requests {
		if url == page {
			asked++
		} else if !strings.HasPrefix(url, "data:") {
			list = append(list, "a request for "+url)
		}
	}
	if asked != 1 {
		list = append(list, fmt.Sprintf("%d requests for the page", asked))
	}
	return list
}
