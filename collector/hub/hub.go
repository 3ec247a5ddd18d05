// Package hub gets models from Hugging Face's Hub, without Python.
//
// Find says what a checkpoint of a model needs, file by file with sizes, and
// writes nothing; Download brings it into the cache that Python's
// huggingface_hub uses, so that either finds what the other has fetched.
// https://huggingface.co/docs/huggingface_hub/guides/manage-cache describes
// that cache.
//
// Nothing that a server says is trusted: names, sizes and lengths are bounded
// before they are used, and a file comes into place only when its checksum
// fits. Checksums and names come from the same server, so they find what broke
// on the way, and not a Hub that lies.
package hub

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/sllmq/sllmq/collector/machine"
)

// Options are where models come from and go to. Get them from
// FromEnvironment, or fill them in.
type Options struct {
	Endpoint string // the Hub's address; "": https://huggingface.co
	CacheDir string // huggingface_hub's cache, which holds models--ORG--NAME; required
	Token    Token  // whose access to use; zero: nobody's
	Offline  bool   // use what is cached and no network
	Parallel int    // how many files to fetch at once; 0: 4
	// Client makes the requests; nil: one with sensible limits. Its redirect
	// policy and cookies are not used.
	Client *http.Client
}

const (
	defaultEndpoint = "https://huggingface.co"
	defaultParallel = 4
)

// Client gets models from one Hub into one cache. It may be used by several
// goroutines at once.
type Client struct {
	endpoint *url.URL
	cacheDir string
	token    Token
	offline  bool
	parallel int
	http     *http.Client

	// What tests replace.
	sleep     func(ctx context.Context, d time.Duration) error
	available func(dir string) (int64, error) // bytes free for this user
	stall     time.Duration                   // how long a server may say nothing
	segment   int64                           // bytes to ask for in one request
}

// New checks the options; it does no request.
func New(o Options) (*Client, error) {
	if o.Endpoint == "" {
		o.Endpoint = defaultEndpoint
	}
	endpoint, err := url.Parse(strings.TrimRight(o.Endpoint, "/"))
	if err != nil || endpoint.Host == "" || endpoint.User != nil || endpoint.RawQuery != "" || endpoint.Fragment != "" ||
		(endpoint.Scheme != "https" && endpoint.Scheme != "http") {
		// The address may hold a password, so it is not repeated.
		return nil, fmt.Errorf("the Hub's address is not of the form https://HOST: correct HF_ENDPOINT")
	}
	if o.CacheDir == "" {
		return nil, fmt.Errorf("no folder for the Hub's cache: set HF_HUB_CACHE")
	}
	cacheDir, err := filepath.Abs(o.CacheDir)
	if err != nil {
		return nil, fmt.Errorf("find the Hub's cache %s: %w", o.CacheDir, err)
	}
	if err := o.Token.check(); err != nil {
		return nil, err
	}
	if o.Parallel <= 0 {
		o.Parallel = defaultParallel
	}
	return &Client{
		endpoint:  endpoint,
		cacheDir:  cacheDir,
		token:     o.Token,
		offline:   o.Offline,
		parallel:  o.Parallel,
		http:      withoutRedirects(o.Client),
		sleep:     sleep,
		available: machine.FreeSpace,
		stall:     time.Minute,
		segment:   32 << 30,
	}, nil
}
