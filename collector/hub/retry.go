package hub

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	maxTries  = 6
	firstWait = 500 * time.Millisecond
	maxWait   = 30 * time.Second
	// maxRetryAfter is the length of the window in which the Hub counts requests,
	// so it has no reason to request a longer wait.
	maxRetryAfter = 5 * time.Minute
)

// transient is an error that the next attempt may not have.
type transient struct {
	error
	after time.Duration // the wait that the server requested, or 0
}

func (t transient) Unwrap() error { return t.error }

// transportError is an error of the connection. It does not contain the address.
func transportError(u *url.URL, err error) error {
	err = unwrapURL(err)
	unreachable := &kindError{ErrUnreachable, err, fmt.Sprintf("cannot reach %s: %v: check the network, or set HF_HUB_OFFLINE=1 to use the cache", u.Host, err)}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return unreachable
	}
	return transient{error: unreachable}
}

// retry calls op until it succeeds, fails with an error that is not transient,
// or fails maxTries times in a row without progress, which op reports.
func (c *Client) retry(ctx context.Context, op func() (further bool, err error)) error {
	for tries := 1; ; tries++ {
		further, err := op()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		again, ok := errors.AsType[transient](err)
		if !ok {
			return err
		}
		if further {
			tries = 1
		}
		if tries >= maxTries {
			return again.error
		}
		wait := min(again.after, maxRetryAfter)
		if wait <= 0 {
			wait = min(firstWait<<(tries-1), maxWait)
			wait = wait/2 + rand.N(wait/2)
		} else {
			// Spread clients that were refused at the same time.
			wait += rand.N(firstWait)
		}
		if err := c.sleep(ctx, wait); err != nil {
			return err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// requestedWait returns the wait that the server requests: Retry-After in
// seconds or as a date, or the end of the window in the Hub's RateLimit header
// (…;r=0;t=SECONDS).
func requestedWait(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if v == "" {
		for field := range strings.SplitSeq(h.Get("RateLimit"), ";") {
			if t, ok := strings.CutPrefix(strings.TrimSpace(field), "t="); ok {
				v = t
			}
		}
	}
	if seconds, err := strconv.ParseUint(v, 10, 64); err == nil {
		return time.Duration(min(seconds, uint64(maxRetryAfter/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(v); err == nil {
		return at.Sub(now)
	}
	return 0
}
