package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	maxRedirects   = 10
	maxHeaderBytes = 64 << 10
	userAgent      = "sllmq"
)

// withoutRedirects returns a client that does not follow redirects. net/http
// would send the token to a subdomain or another port of the host, and the Hub
// keeps large files at such addresses.
func withoutRedirects(given *http.Client) *http.Client {
	c := http.Client{}
	if given != nil {
		c = *given
	}
	if c.Transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxResponseHeaderBytes = maxHeaderBytes
		t.ResponseHeaderTimeout = 30 * time.Second
		t.DisableCompression = true
		// One connection per file: over HTTP/2 all would share one connection.
		t.Protocols = new(http.Protocols)
		t.Protocols.SetHTTP1(true)
		c.Transport = t
	}
	c.Jar = nil
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

// answer is a response whose body fails with errStalled when the server sends
// nothing for too long. The caller must close it.
type answer struct {
	*http.Response
	url    *url.URL // that answered, after redirects
	stop   context.CancelCauseFunc
	ctx    context.Context
	timer  *time.Timer
	stall  time.Duration
	ours   bool // from the Hub itself, not its storage
	authed bool // to a request with the token
}

var errStalled = errors.New("the server sent nothing for too long")

// Read reads the body.
func (a *answer) Read(b []byte) (int, error) {
	a.timer.Reset(a.stall)
	n, err := a.Body.Read(b)
	if err != nil && !errors.Is(err, io.EOF) && errors.Is(context.Cause(a.ctx), errStalled) {
		err = errStalled
	}
	return n, err
}

func (a *answer) Close() {
	a.timer.Stop()
	a.stop(nil)
	a.Body.Close()
}

// do sends a request and follows redirects. It sends the token only to the Hub's
// own scheme, host and port. A HEAD request stops at the first redirect that
// leaves the Hub, since that answer has the size and checksum.
func (c *Client) do(ctx context.Context, method, address string, header http.Header) (*answer, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("the Hub's address: %w", unwrapURL(err))
	}
	for range maxRedirects {
		a, err := c.once(ctx, method, u, header)
		if err != nil {
			return nil, err
		}
		location := a.Header.Get("Location")
		if a.StatusCode/100 != 3 || location == "" {
			return a, nil
		}
		next, err := u.Parse(location)
		if err != nil || (next.Scheme != "https" && next.Scheme != "http") || next.Host == "" {
			a.Close()
			return nil, fail(ErrBadAnswer, "%s redirects to an invalid address: try again later, or correct HF_ENDPOINT", u.Host)
		}
		if u.Scheme == "https" && next.Scheme == "http" {
			a.Close()
			return nil, fail(ErrBadAnswer, "%s redirects from https to http, which is not safe: correct HF_ENDPOINT", u.Host)
		}
		if method == http.MethodHead && !c.isHub(next) {
			return a, nil
		}
		a.Close()
		u = next
	}
	return nil, fail(ErrBadAnswer, "%s redirects more than %d times: try again later, or correct HF_ENDPOINT", c.endpoint.Host, maxRedirects)
}

// once sends a request without following redirects.
func (c *Client) once(ctx context.Context, method string, u *url.URL, header http.Header) (*answer, error) {
	ctx, stop := context.WithCancelCause(ctx)
	a := &answer{url: u, stop: stop, ctx: ctx, stall: c.stall, ours: c.isHub(u)}
	a.timer = time.AfterFunc(c.stall, func() { stop(errStalled) })
	abandon := func(err error) (*answer, error) {
		a.timer.Stop()
		stop(nil)
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return abandon(fmt.Errorf("request to %s: %w", u.Host, unwrapURL(err)))
	}
	for name, values := range header {
		request.Header[name] = values
	}
	request.Header.Set("User-Agent", userAgent)
	// The length of a compressed body would differ from the file's.
	request.Header.Set("Accept-Encoding", "identity")
	if a.ours && !c.token.IsZero() {
		request.Header.Set("Authorization", "Bearer "+c.token.reveal())
		a.authed = true
	}
	a.Response, err = c.http.Do(request)
	if err != nil {
		if errors.Is(context.Cause(ctx), errStalled) {
			err = errStalled
		}
		return abandon(transportError(u, err))
	}
	return a, nil
}

// isHub reports whether an address has the Hub's scheme, host and port.
func (c *Client) isHub(u *url.URL) bool {
	return u.Scheme == c.endpoint.Scheme && strings.EqualFold(withPort(u), withPort(c.endpoint))
}

func withPort(u *url.URL) string {
	if u.Port() != "" {
		return u.Host
	}
	return u.Host + map[string]string{"http": ":80", "https": ":443"}[u.Scheme]
}

// unwrapURL strips the address that net/http adds to errors. Addresses of the
// Hub's storage are signed and grant access.
func unwrapURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// modelAddress is the address of a revision's commit and list of files.
func (c *Client) modelAddress(r Repo) string {
	return c.endpoint.String() + "/api/models/" + r.ID + "/revision/" + url.PathEscape(r.Revision) + "?blobs=true"
}

// fileAddress is the address of a file's content.
func (c *Client) fileAddress(r Repo, commit, name string) string {
	parts := strings.Split(name, "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return c.endpoint.String() + "/" + r.ID + "/resolve/" + commit + "/" + strings.Join(parts, "/")
}

// small requests a body of at most limit bytes, with retries.
func (c *Client) small(ctx context.Context, address string, limit int64, t target) ([]byte, error) {
	var body []byte
	err := c.retry(ctx, func() (bool, error) {
		a, err := c.do(ctx, http.MethodGet, address, nil)
		if err != nil {
			return false, err
		}
		defer a.Close()
		if a.StatusCode != http.StatusOK {
			return false, c.statusError(a, t)
		}
		if err := checkEncoding(a); err != nil {
			return false, err
		}
		if a.ContentLength > limit {
			return false, tooLarge(a, t, limit)
		}
		body, err = io.ReadAll(io.LimitReader(a, limit+1))
		if err != nil {
			return false, transportError(a.url, err)
		}
		if int64(len(body)) > limit {
			return false, tooLarge(a, t, limit)
		}
		return true, nil
	})
	return body, err
}

func tooLarge(a *answer, t target, limit int64) error {
	return fail(ErrBadAnswer, "%s: %s answered with more than %d bytes: correct HF_ENDPOINT, or choose another model", t, a.url.Host, limit)
}

// checkEncoding returns an error if the body is compressed.
func checkEncoding(a *answer) error {
	if e := a.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		return fail(ErrBadAnswer, "%s compressed its answer (%q) unasked: correct HF_ENDPOINT or the proxy", a.url.Host, clip(e))
	}
	return nil
}
