package images

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// errPlainHTTP is wrapped by the error of a request that would have gone over
// plain http to another machine.
var errPlainHTTP = errors.New("refusing plain http to another machine")

// responseTimeout is how long a registry may think after it has the whole
// request. Committing a big blob to object storage takes some of them minutes.
const responseTimeout = 5 * time.Minute

// clock is time as the retries see it; tests put their own in.
type clock interface {
	Now() time.Time
	// Sleep returns after d, or when ctx is done with its cause.
	Sleep(ctx context.Context, d time.Duration) error
}

type realClock struct{}

func (realClock) Now() time.Time { return time.Now() }

func (realClock) Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// Transport returns the transport for talking to registries: remote's default
// with a limit on how long a registry may take to answer, plain http only to
// this machine (everywhere with insecure), and Retry-After honoured.
func Transport(insecure bool) http.RoundTripper {
	return guard{newThrottle(defaultTransport(), realClock{}, nil), insecure}
}

func defaultTransport() http.RoundTripper {
	t, ok := remote.DefaultTransport.(*http.Transport)
	if !ok {
		return remote.DefaultTransport
	}
	t = t.Clone()
	t.ResponseHeaderTimeout = responseTimeout
	return t
}

// guard refuses plain http to other machines. go-containerregistry falls back
// to it for private addresses and names in .localhost, with credentials and all.
type guard struct {
	inner    http.RoundTripper
	insecure bool
}

func (g guard) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme == "http" && !g.insecure && !isLoopback(r.URL.Hostname()) {
		closeBody(r)
		return nil, fmt.Errorf("%w: %s", errPlainHTTP, r.URL.Host)
	}
	return g.inner.RoundTrip(r)
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
}

// throttle honours Retry-After: when a host answers 429 or 503 with one, no
// request goes to that host before the time it named, whichever of the parallel
// uploads was told. Sending the refused request again is the caller's part.
type throttle struct {
	inner  http.RoundTripper
	clock  clock
	notice func(string)

	mu    sync.Mutex
	until map[string]time.Time // by host
}

// maxRetryAfter is the longest that one answer can make us wait.
const maxRetryAfter = 2 * time.Minute

func newThrottle(inner http.RoundTripper, c clock, notice func(string)) *throttle {
	if notice == nil {
		notice = func(string) {}
	}
	return &throttle{inner: inner, clock: c, notice: notice, until: map[string]time.Time{}}
}

func (t *throttle) RoundTrip(r *http.Request) (*http.Response, error) {
	host := r.URL.Host
	if wait := t.remaining(host); wait > 0 {
		if err := t.clock.Sleep(r.Context(), wait); err != nil {
			closeBody(r)
			return nil, err
		}
	}
	resp, err := t.inner.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable {
		if after := retryAfter(resp.Header.Get("Retry-After"), t.clock.Now()); after > 0 {
			t.hold(host, after)
		}
	}
	return resp, nil
}

func (t *throttle) remaining(host string) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.until[host].Sub(t.clock.Now())
}

func (t *throttle) hold(host string, d time.Duration) {
	t.mu.Lock()
	until := t.clock.Now().Add(d)
	later := until.After(t.until[host])
	if later {
		t.until[host] = until
	}
	t.mu.Unlock()
	if later {
		t.notice(fmt.Sprintf("%s asks to wait %s", host, d))
	}
}

// retryAfter reads the header (RFC 9110, 10.2.3: seconds or a date): zero if it
// says nothing, at most maxRetryAfter.
func retryAfter(header string, now time.Time) time.Duration {
	var d time.Duration
	if seconds, err := strconv.ParseUint(header, 10, 31); err == nil {
		d = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(header); err == nil {
		d = at.Sub(now)
	}
	return max(0, min(d, maxRetryAfter))
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}
