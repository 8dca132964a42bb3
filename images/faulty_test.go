package images

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/slipway-k8s/slipway/images/registry"
)

// faulty is the embedded registry behind a handler that misbehaves.
type faulty struct {
	*httptest.Server
	registry http.Handler

	mu   sync.Mutex
	seen []string // "METHOD /path" of each request that came in
	// fault answers the n-th request (from 1) that matches and returns true, or
	// returns false to let the registry answer.
	fault func(n int, w http.ResponseWriter, r *http.Request) bool
	match string // "METHOD part-of-path"
	hits  int
}

func newFaulty(t *testing.T, match string, fault func(n int, w http.ResponseWriter, r *http.Request) bool) *faulty {
	t.Helper()
	reg, err := registry.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	f := &faulty{registry: reg, match: match, fault: fault}
	f.Server = httptest.NewServer(f)
	t.Cleanup(func() { f.Close(); reg.Close() })
	return f
}

func (f *faulty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.seen = append(f.seen, r.Method+" "+r.URL.Path)
	method, part, _ := strings.Cut(f.match, " ")
	n := 0
	if f.fault != nil && (method == "*" || method == r.Method) && strings.Contains(r.URL.Path, part) {
		f.hits++
		n = f.hits
	}
	f.mu.Unlock()
	if n > 0 && f.fault(n, w, r) {
		return
	}
	f.registry.ServeHTTP(w, r)
}

func (f *faulty) count(method, part string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, s := range f.seen {
		m, path, _ := strings.Cut(s, " ")
		if m == method && strings.Contains(path, part) {
			n++
		}
	}
	return n
}

func (f *faulty) forget() { f.mu.Lock(); f.seen = nil; f.mu.Unlock() }

func (f *faulty) repo(t *testing.T) name.Repository {
	t.Helper()
	repo, err := name.NewRepository(strings.TrimPrefix(f.URL, "http://") + "/test/app")
	if err != nil {
		t.Fatal(err)
	}
	return repo
}

func withClock(c clock) PushOption { return func(o *pushOptions) { o.clock = c } }

var anonymous = WithKeychain(authn.NewMultiKeychain())

func (f *faulty) push(t *testing.T, idx v1.ImageIndex, clock *fakeClock, opts ...PushOption) error {
	t.Helper()
	opts = append([]PushOption{withClock(clock), anonymous}, opts...)
	return Push(t.Context(), f.repo(t), idx, []string{"v1", "v1-slipway"}, opts...)
}

// healthy fails the test unless both tags name the whole index.
func (f *faulty) healthy(t *testing.T, idx v1.ImageIndex) {
	t.Helper()
	f.mu.Lock()
	f.fault = nil
	f.mu.Unlock()
	for _, tag := range []string{"v1", "v1-slipway"} {
		got, err := remote.Index(f.repo(t).Tag(tag))
		if err != nil {
			t.Fatalf("tag %s: %v", tag, err)
		}
		if digestOf(t, got) != digestOf(t, idx) {
			t.Errorf("tag %s is %s, pushed was %s", tag, digestOf(t, got), digestOf(t, idx))
		}
		if err := readAll(got); err != nil {
			t.Errorf("tag %s: %v", tag, err)
		}
	}
}

// readAll reads all that the index names and compares digests. ggcr's validate
// cannot: it takes every remote layer for gzip.
func readAll(idx v1.ImageIndex) error {
	c, err := gather(idx)
	if err != nil {
		return err
	}
	for _, b := range c.blobs {
		want, err := b.Digest()
		if err != nil {
			return err
		}
		r, err := b.Compressed()
		if err != nil {
			return err
		}
		sum := newDigester(io.Discard)
		_, err = io.Copy(sum, r)
		r.Close()
		if err != nil || sum.digest() != want {
			return fmt.Errorf("blob %s is %s (%v)", want, sum.digest(), err)
		}
	}
	return nil
}

func status(code int, header ...string) func(int, http.ResponseWriter, *http.Request) bool {
	return func(n int, w http.ResponseWriter, _ *http.Request) bool {
		if n > 2 {
			return false
		}
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		return true
	}
}

// cut breaks the connection after some of the body was read.
func cut(n int, w http.ResponseWriter, r *http.Request) bool {
	if n > 2 {
		return false
	}
	_, _ = io.CopyN(io.Discard, r.Body, 10_000)
	panic(http.ErrAbortHandler)
}
