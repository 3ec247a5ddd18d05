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
	// maxRetryAfter is the length of the window that the Hub counts requests
	// in: no wait that it asks for in earnest is longer.
	maxRetryAfter = 5 * time.Minute
)

// transient is an error that the next try may not have.
type transient struct {
	error
	after time.Duration // the wait that the server asks for; 0: none
}

func (t transient) Unwrap() error { return t.error }

// transportError is an error of the connection, told without the address.
func transportError(u *url.URL, err error) error {
	err = unwrapURL(err)
	told := &kindError{ErrUnreachable, err, fmt.Sprintf("%s cannot be reached: %v: check the network, or set HF_HUB_OFFLINE=1 to use what is cached", u.Host, err)}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return told
	}
	return transient{error: told}
}

// retry does op until it succeeds, fails for good, or has failed too often
// with nothing gained. op says whether it got further than before.
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
			// Whoever was refused at the same time must not return at the same.
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

// askedWait is how long the server wants to be left alone: Retry-After in
// seconds or as a date, or what the Hub's RateLimit header says until its
// window ends (…;r=0;t=SECONDS).
func askedWait(h http.Header, now time.Time) time.Duration {
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
