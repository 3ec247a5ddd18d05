package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// client asks the Hub.
type client struct {
	o    Options
	http *http.Client
}

// Limits of patience.
const (
	tries         = 6
	triesToReach  = 3 // a machine without a network is told so soon
	firstPause    = 500 * time.Millisecond
	longestPause  = 2 * time.Minute
	answerTimeout = 60 * time.Second
	maxRedirects  = 10
)

func newClient(o Options) *client {
	if o.Parallel < 1 {
		o.Parallel = 4
	}
	if o.Wait == nil {
		o.Wait = wait
	}
	if o.Free == nil {
		o.Free = freeBytes
	}
	if o.Note == nil {
		o.Note = func(string) {}
	}
	h := http.Client{Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, ResponseHeaderTimeout: answerTimeout, TLSHandshakeTimeout: answerTimeout,
		MaxResponseHeaderBytes: 1 << 20, DisableCompression: true, MaxIdleConnsPerHost: o.Parallel,
	}}
	if o.Client != nil {
		h = *o.Client
	}
	h.CheckRedirect = checkRedirect
	return &client{o: o, http: &h}
}

// checkRedirect keeps the token to the host that it is for.
func checkRedirect(next *http.Request, via []*http.Request) error {
	first := via[0].URL
	switch {
	case len(via) > maxRedirects:
		return errors.New("too many redirects")
	case next.URL.Scheme != "https" && next.URL.Scheme != first.Scheme:
		return errors.New("redirected to an address without encryption")
	case next.URL.Host != first.Host || next.URL.Scheme != first.Scheme:
		next.Header.Del("Authorization")
	}
	return nil
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// transient is an error after which another try may do.
type transient struct {
	err   error
	after time.Duration // what the server asked for; 0: nothing
}

func (t *transient) Error() string { return t.err.Error() }
func (t *transient) Unwrap() error { return t.err }

// again repeats do while its errors are transient, with longer and longer
// pauses. do says whether it got anywhere, which begins the count anew.
func (c *client) again(ctx context.Context, do func() (progressed bool, err error)) error {
	pause := firstPause
	for try := 1; ; try++ {
		progressed, err := do()
		var t *transient
		if err == nil || !errors.As(err, &t) || ctx.Err() != nil {
			return err
		}
		if progressed {
			try, pause = 1, firstPause
		}
		limit := tries
		if errors.Is(err, errUnreachable) {
			limit = triesToReach
		}
		if try >= limit {
			return fmt.Errorf("%w (given up after %d tries)", t.err, try)
		}
		d := pause/2 + rand.N(pause)
		if t.after > 0 {
			d = t.after
		}
		if err := c.o.Wait(ctx, min(d, longestPause)); err != nil {
			return err
		}
		pause = min(2*pause, longestPause)
	}
}

// get asks for an address of the endpoint, from byte begin on.
func (c *client) get(ctx context.Context, repo Repo, path, what string, begin int64) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.o.Endpoint+path, nil)
	if err != nil {
		return nil, fmt.Errorf("fetch %s of %s: %w", what, repo, withoutURL(err))
	}
	request.Header.Set("User-Agent", "sllmq")
	if c.o.Token.secret != "" {
		request.Header.Set("Authorization", "Bearer "+c.o.Token.secret)
	}
	if begin > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", begin))
	}
	r, err := c.http.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, &transient{err: fmt.Errorf("fetch %s of %s: %w: %w", what, repo, errUnreachable, withoutURL(err))}
	}
	switch {
	case r.StatusCode == http.StatusOK, r.StatusCode == http.StatusPartialContent && begin > 0,
		r.StatusCode == http.StatusRequestedRangeNotSatisfiable && begin > 0:
		return r, nil
	case r.StatusCode == http.StatusTooManyRequests, r.StatusCode == http.StatusRequestTimeout, r.StatusCode >= 500:
		err = &transient{err: fmt.Errorf("fetch %s of %s: the Hub answers %s", what, repo, r.Status), after: retryAfter(r)}
	default:
		err = c.refusal(r, repo, what)
	}
	_, _ = io.CopyN(io.Discard, r.Body, 64<<10) // so that the connection is used again
	_ = r.Body.Close()
	return nil, err
}

// retryAfter reads how long a server wants to be left alone: seconds or a date.
func retryAfter(r *http.Response) time.Duration {
	text := r.Header.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err == nil && seconds > 0 {
		return time.Duration(min(seconds, int(longestPause/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}

// escape makes a part of an address of a revision or a file.
func escape(s string) string { return url.PathEscape(s) }
