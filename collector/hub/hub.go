// Package hub downloads models from Hugging Face's Hub, without Python.
//
// A Client's Find resolves a model's name and revision to a commit, and returns
// the files of its checkpoint with their sizes. It writes nothing. Download
// then brings the missing files to the cache.
//
// The cache is that of Python's huggingface_hub, so each finds what the other
// has downloaded. Its layout below Options.CacheDir, as described at
// https://huggingface.co/docs/huggingface_hub/guides/manage-cache, is:
//
//	models--ORG--NAME/blobs/DIGEST             a file's content
//	models--ORG--NAME/blobs/DIGEST.incomplete  the beginning of one
//	models--ORG--NAME/refs/REVISION            a revision's commit
//	models--ORG--NAME/snapshots/COMMIT/FILE    a relative link to a blob
//	.locks/models--ORG--NAME/DIGEST.lock       locked while a process writes the blob
//
// The package does not trust servers: it bounds names, sizes and lengths before
// it uses them, and no file appears in the cache before its checksum has been
// verified. Checksums come from the same server as the names, so they reveal
// accidents in transit, but not a malicious Hub.
package hub

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/sllmq/sllmq/collector/machine"
)

// Options configure a Client. FromEnvironment returns those that huggingface_hub
// would use.
type Options struct {
	Endpoint string // the Hub's address; "" means https://huggingface.co
	CacheDir string // the cache, the folder that holds models--ORG--NAME; required
	Token    Token  // the zero Token means anonymous access
	Offline  bool   // use the cache alone
	Parallel int    // files to download at once; 0 means 4
	// Client sends the requests; nil means a client with sensible limits. Its
	// redirect policy and cookies are ignored.
	Client *http.Client
}

const (
	defaultEndpoint = "https://huggingface.co"
	defaultParallel = 4
)

// Client downloads models from one Hub to one cache. It is safe for concurrent
// use.
type Client struct {
	endpoint *url.URL
	cacheDir string
	token    Token
	offline  bool
	parallel int
	http     *http.Client

	// Replaced in tests.
	sleep     func(ctx context.Context, d time.Duration) error
	available func(dir string) (int64, error) // free bytes for this user
	stall     time.Duration                   // how long a server may send nothing
	segment   int64                           // bytes per request
}

// New returns a client after checking the options. It sends no requests.
func New(o Options) (*Client, error) {
	if o.Endpoint == "" {
		o.Endpoint = defaultEndpoint
	}
	endpoint, err := url.Parse(strings.TrimRight(o.Endpoint, "/"))
	if err != nil || endpoint.Host == "" || endpoint.User != nil || endpoint.RawQuery != "" || endpoint.Fragment != "" ||
		(endpoint.Scheme != "https" && endpoint.Scheme != "http") {
		// The error omits the address, which may contain a password.
		return nil, errors.New("the Hub's address does not have the form https://HOST: correct HF_ENDPOINT")
	}
	if o.CacheDir == "" {
		return nil, errors.New("the Hub's cache has no folder: set HF_HUB_CACHE")
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
