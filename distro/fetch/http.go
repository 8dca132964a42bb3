package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-cleanhttp"
	"github.com/hashicorp/go-retryablehttp"
)

const (
	maxWait      = 30 * time.Second
	maxRedirects = 10
)

// httpClient retries each request (go-getter does not) and decides on every
// redirect. Retries are below redirects, so that a refused redirect is final and
// a retry asks the server that failed.
func httpClient(opts Options) *http.Client {
	transport := cleanhttp.DefaultTransport()
	transport.ResponseHeaderTimeout = 30 * time.Second
	// The bytes are taken as they are: a checksum is that of what the server
	// has, and a small answer cannot unfold into a large file.
	transport.DisableCompression = true
	if opts.roots != nil {
		transport.TLSClientConfig = &tls.Config{RootCAs: opts.roots}
	}
	retry := &retryablehttp.Client{
		HTTPClient: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		RetryMax:     opts.Attempts - 1,
		RetryWaitMin: opts.Wait,
		RetryWaitMax: maxWait,
		CheckRetry:   retryablehttp.DefaultRetryPolicy,
		Backoff:      retryablehttp.DefaultBackoff,
		// The last answer says more than "giving up".
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	return &http.Client{
		Transport:     &retryablehttp.RoundTripper{Client: retry},
		CheckRedirect: checkRedirect,
	}
}

func checkRedirect(req *http.Request, via []*http.Request) error {
	from, to := via[len(via)-1].URL, req.URL
	switch {
	case to.Scheme != "http" && to.Scheme != "https":
		return fmt.Errorf("%w: the server redirects to %s://: redirects are followed to http and https alone", ErrSource, to.Scheme)
	case from.Scheme == "https" && to.Scheme == "http":
		return fmt.Errorf("%w: the server redirects from https to http://%s: an encrypted source must not become a plain one", ErrSource, to.Host)
	case len(via) >= maxRedirects:
		return fmt.Errorf("stopped after %d redirects", maxRedirects)
	}
	// It would carry the query, with a token in it perhaps, to another host.
	req.Header.Del("Referer")
	return nil
}

// brokenOff tells a connection that broke within the content from errors that
// would come again.
func brokenOff(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	var netErr net.Error
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrShortWrite) ||
		errors.Is(err, syscall.ECONNRESET) || errors.As(err, &netErr) && netErr.Timeout()
}

// sizeLimit ends a download that grows too large. It is go-getter's hook for
// progress bars, which sees the content of both HTTP and S3; go-getter's own
// limit is for HTTP alone and cuts the content silently.
type sizeLimit struct {
	max      int64
	exceeded atomic.Bool
}

// TrackProgress is part of getter.ProgressTracker. total is what the server
// announced, 0 or less where it did not.
func (l *sizeLimit) TrackProgress(_ string, _, total int64, body io.ReadCloser) io.ReadCloser {
	if total > l.max {
		l.exceeded.Store(true)
	}
	return &limitedBody{ReadCloser: body, limit: l, left: l.max}
}

type limitedBody struct {
	io.ReadCloser
	limit *sizeLimit
	left  int64
}

func (b *limitedBody) Read(p []byte) (int, error) {
	if b.limit.exceeded.Load() {
		return 0, ErrTooLarge
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		b.limit.exceeded.Store(true)
		return 0, ErrTooLarge
	}
	return n, err
}
