package images

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

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

func TestPushSurvivesWhatPasses(t *testing.T) {
	for name, c := range map[string]struct {
		match string
		fault func(int, http.ResponseWriter, *http.Request) bool
	}{
		"500 at the handshake":          {"GET /v2/", status(500)},
		"500 on the look for a blob":    {"HEAD /blobs/", status(500)},
		"500 on the start of an upload": {"POST /blobs/uploads/", status(500)},
		"502 on the bytes":              {"PATCH /blobs/uploads/", status(502)},
		"503 on the end of an upload":   {"PUT /blobs/uploads/", status(503)},
		"504 on a manifest":             {"PUT /manifests/sha256:", status(504)},
		"500 on a tag":                  {"PUT /manifests/v1", status(500)},
		"429 without Retry-After":       {"PUT /manifests/", status(429)},
		"cut in the middle of a blob":   {"PATCH /blobs/uploads/", cut},
		"cut at a manifest":             {"PUT /manifests/", cut},
		"cut at the handshake":          {"GET /v2/", cut},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFaulty(t, c.match, c.fault)
			f.Config.ErrorLog = nil
			idx := testIndex(t, openStore(t), amd64, arm64)
			clock := &fakeClock{}
			if err := f.push(t, idx, clock); err != nil {
				t.Fatal(err)
			}
			if f.hits < 3 {
				t.Errorf("the fault was met %d times: the test tests nothing", f.hits)
			}
			if clock.total() < firstBackoff {
				t.Errorf("slept %s between the attempts: no backoff", clock.total())
			}
			f.healthy(t, idx)
		})
	}
}

func TestRetryAfterIsHonouredForTheWholeRegistry(t *testing.T) {
	for _, code := range []int{429, 503} {
		clock := &fakeClock{now: time.Unix(1_000_000, 0)}
		start := clock.now
		var early []string
		f := newFaulty(t, "* /", nil)
		f.fault = func(_ int, w http.ResponseWriter, r *http.Request) bool {
			f.mu.Lock()
			defer f.mu.Unlock()
			if r.Method == "POST" && clock.Now().Before(start.Add(40*time.Second)) {
				w.Header().Set("Retry-After", "40")
				w.WriteHeader(code)
				return true
			}
			if r.Method == "PUT" && clock.Now().Before(start.Add(40*time.Second)) {
				early = append(early, r.URL.Path)
			}
			return false
		}
		idx := testIndex(t, openStore(t), amd64)
		var notices []string
		var mu sync.Mutex
		if err := f.push(t, idx, clock, Jobs(1), WithNotice(func(s string) { mu.Lock(); notices = append(notices, s); mu.Unlock() })); err != nil {
			t.Fatal(err)
		}
		if n := f.count("POST", "/blobs/uploads/"); n > 4 {
			t.Errorf("%d: %d uploads were begun, want 3 and the refused one: it knocked before the time", code, n)
		}
		if len(early) > 0 || clock.total() < 40*time.Second || clock.total() > 42*time.Second {
			t.Errorf("%d: waited %s (%v), wrote early: %v; want 40 s", code, clock.total(), clock.slept, early)
		}
		if all := strings.Join(notices, "\n"); !strings.Contains(all, "asks to wait 40s") {
			t.Errorf("%d: the user was told:\n%s", code, all)
		}
		f.healthy(t, idx)
	}
}

func TestPushGivesUpAndSaysSo(t *testing.T) {
	for code, want := range map[int]string{429: "limits the rate", 500: "has a problem"} {
		f := newFaulty(t, "POST /blobs/uploads/", func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Retry-After", "86400")
			w.WriteHeader(code)
			return true
		})
		clock := &fakeClock{}
		err := f.push(t, testIndex(t, openStore(t), amd64), clock, Jobs(1))
		var pe *PushError
		if !errors.As(err, &pe) || pe.Status != code || pe.Attempts != attempts || !strings.Contains(err.Error(), want) {
			t.Errorf("%d: got %v", code, err)
		}
		if most := attempts * (maxRetryAfter + 16*time.Second); clock.total() > most {
			t.Errorf("%d: waited %s: a day in Retry-After is to be capped", code, clock.total())
		}
	}
}

func TestHopelessIsNotTriedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		match string
		code  int
		body  string
		want  []string
	}{
		"401":             {"POST /blobs/uploads/", 401, `{"errors":[{"code":"UNAUTHORIZED","message":"no"}]}`, []string{"docker login", "test/app"}},
		"403":             {"POST /blobs/uploads/", 403, `{"errors":[{"code":"DENIED","message":"no"}]}`, []string{"may not push to test/app", "DENIED"}},
		"404 at the door": {"GET /v2/", 404, "", []string{"does not answer as a registry"}},
		"404 no repository": {"POST /blobs/uploads/", 404, `{"errors":[{"code":"NAME_UNKNOWN","message":"x"}]}`,
			[]string{"has no repository test/app", "create it there first"}},
		"400": {"PUT /manifests/", 400, `{"errors":[{"code":"MANIFEST_INVALID","message":"bad manifest"}]}`, []string{"bad manifest"}},
		"501": {"POST /blobs/uploads/", 501, "", []string{"501"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFaulty(t, c.match, func(_ int, w http.ResponseWriter, _ *http.Request) bool {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(c.code)
				_, _ = io.WriteString(w, c.body)
				return true
			})
			clock := &fakeClock{}
			err := f.push(t, testIndex(t, openStore(t), amd64), clock, Jobs(1))
			if err == nil {
				t.Fatal("it succeeded")
			}
			host := strings.TrimPrefix(f.URL, "http://")
			for _, want := range append(c.want, host) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error lacks %q: %v", want, err)
				}
			}
			if len(clock.slept) > 0 || f.hits != 1 {
				t.Errorf("slept %v, met it %d times; want one attempt", clock.slept, f.hits)
			}
		})
	}
}

func TestRegistryThatIsDownIsNamed(t *testing.T) {
	f := newFaulty(t, "", nil)
	f.Close()
	err := f.push(t, testIndex(t, openStore(t), amd64), &fakeClock{})
	if err == nil || !strings.Contains(err.Error(), "running?") || !strings.Contains(err.Error(), strings.TrimPrefix(f.URL, "http://")) {
		t.Errorf("got %v", err)
	}
}

func TestWhatIsThereIsNotSentAgain(t *testing.T) {
	f := newFaulty(t, "", nil)
	s := openStore(t)
	idx := testIndex(t, s, amd64, arm64)
	var done, total int64
	progress := WithProgress(func(d, n int64) { done, total = d, n })
	if err := f.push(t, idx, &fakeClock{}, progress); err != nil {
		t.Fatal(err)
	}
	// Two layers of their own, two configs, one base layer for both.
	if n := f.count("POST", "/blobs/uploads/"); n != 5 {
		t.Errorf("%d blobs were sent, want 5", n)
	}
	if done != total || total < 300_000 {
		t.Errorf("progress ended at %d of %d", done, total)
	}
	f.forget()
	done = 0
	if err := f.push(t, idx, &fakeClock{}, progress); err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{"POST", "PATCH", "PUT"} {
		if n := f.count(method, "/"); n != 0 {
			t.Errorf("the second push sent %d %s requests, want none: %v", n, method, f.seen)
		}
	}
	if done != total {
		t.Errorf("progress of the second push ended at %d of %d", done, total)
	}
	f.forget()
	if err := f.push(t, testIndex(t, s, amd64), &fakeClock{}, OverwriteTags()); err != nil {
		t.Fatal(err)
	}
	if n := f.count("POST", "/"); n != 0 {
		t.Errorf("an index of known images sent %d blobs, want none", n)
	}
}

func TestTakenTagIsNotMoved(t *testing.T) {
	f := newFaulty(t, "", nil)
	s := openStore(t)
	first, second := testIndex(t, s, amd64), testIndex(t, s, amd64, arm64)
	if err := f.push(t, first, &fakeClock{}); err != nil {
		t.Fatal(err)
	}
	f.forget()
	err := f.push(t, second, &fakeClock{})
	var conflict *TagConflictError
	if !errors.As(err, &conflict) || conflict.Have != digestOf(t, first) || conflict.Want != digestOf(t, second) ||
		!strings.Contains(err.Error(), "--overwrite-tags") {
		t.Fatalf("got %v", err)
	}
	if n := f.count("POST", "/") + f.count("PUT", "/"); n != 0 {
		t.Errorf("%d things were sent before the conflict was seen", n)
	}
	f.healthy(t, first)
	if err := f.push(t, second, &fakeClock{}, OverwriteTags()); err != nil {
		t.Fatal(err)
	}
	f.healthy(t, second)
}

// Whatever request is the last that the registry sees, no tag may name
// something that is not there.
func TestInterruptedPushLeavesNoTagWithoutContent(t *testing.T) {
	idx := testIndex(t, openStore(t), amd64)
	whole := newFaulty(t, "", nil)
	if err := whole.push(t, idx, &fakeClock{}, Jobs(1)); err != nil {
		t.Fatal(err)
	}
	tagged := 0
	for last := 1; last < len(whole.seen); last++ {
		ctx, cancel := context.WithCancel(t.Context())
		f := newFaulty(t, "* /", func(n int, _ http.ResponseWriter, _ *http.Request) bool {
			if n <= last {
				return false
			}
			cancel()
			panic(http.ErrAbortHandler)
		})
		err := Push(ctx, f.repo(t), idx, []string{"v1", "v1-slipway"}, withClock(&fakeClock{}), anonymous, Jobs(1))
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("after %d requests: %v, want that it was cancelled", last, err)
		}
		cancel()
		f.mu.Lock()
		f.fault = nil
		f.mu.Unlock()
		for _, tag := range []string{"v1", "v1-slipway"} {
			got, err := remote.Index(f.repo(t).Tag(tag))
			if err != nil {
				continue
			}
			tagged++
			if err := readAll(got); err != nil {
				t.Errorf("after %d requests tag %s is there, its content is not: %v", last, tag, err)
			}
		}
	}
	if tagged == 0 {
		t.Error("no interruption came after a tag: the test tests nothing")
	}
}

func TestRegistryThatLosesTheIndexIsCaught(t *testing.T) {
	f := newFaulty(t, "PUT /manifests/", func(_ int, w http.ResponseWriter, r *http.Request) bool {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusCreated)
		return true
	})
	err := f.push(t, testIndex(t, openStore(t), amd64), &fakeClock{})
	if err == nil || !strings.Contains(err.Error(), "does not have it") {
		t.Errorf("got %v", err)
	}
	if n := f.count("PUT", "/manifests/v1"); n != 0 {
		t.Errorf("a tag was written for an index that is not there")
	}
}

func TestCancelledPushDoesNotWait(t *testing.T) {
	f := newFaulty(t, "POST /blobs/uploads/", func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(500)
		return true
	})
	ctx, cancel := context.WithCancel(t.Context())
	clock := &fakeClock{onSleep: cancel}
	err := Push(ctx, f.repo(t), testIndex(t, openStore(t), amd64), nil, withClock(clock), anonymous, Jobs(1))
	if !errors.Is(err, context.Canceled) || len(clock.slept) != 1 {
		t.Errorf("got %v after %v, want to stop at the first wait", err, clock.slept)
	}
}

func TestChangedLayerIsNotPushed(t *testing.T) {
	s := openStore(t)
	idx := testIndex(t, s, amd64)
	m, err := idx.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	img, err := idx.Image(m.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.discard(digestOf(t, layers[1]), "test"); !errors.Is(err, ErrNotStored) {
		t.Fatal(err)
	}
	f := newFaulty(t, "", nil)
	if err := f.push(t, idx, &fakeClock{}); !errors.Is(err, ErrNotStored) {
		t.Errorf("got %v, want ErrNotStored", err)
	}
	if n := f.count("PUT", "/manifests/"); n != 0 {
		t.Errorf("%d manifests were written", n)
	}
}

const password = "hunter2-secret/+x"

type fixedKeychain struct{}

func (fixedKeychain) Resolve(authn.Resource) (authn.Authenticator, error) {
	return &authn.Basic{Username: "user", Password: password}, nil
}

// Registries are known to echo what they were sent.
func TestNoSecretInErrorsAndNotices(t *testing.T) {
	const token = "bearer-token-0123456789"
	encoded := base64.StdEncoding.EncodeToString([]byte("user:" + password))
	for _, scheme := range []string{"Basic", "Bearer"} {
		var text bytes.Buffer
		var mu sync.Mutex
		f := newFaulty(t, "* /", nil)
		f.fault = func(_ int, w http.ResponseWriter, r *http.Request) bool {
			sent := r.Header.Get("Authorization")
			switch {
			case r.URL.Path == "/token":
				_ = json.NewEncoder(w).Encode(map[string]string{"token": token})
			case sent == "":
				w.Header().Set("WWW-Authenticate", fmt.Sprintf(`%s realm="%s/token",service="x"`, scheme, f.URL))
				w.WriteHeader(401)
			case r.Method == "POST":
				w.WriteHeader(500)
				fmt.Fprintf(w, "you sent %s %s %s %s", sent, password, url.QueryEscape(password), token)
			default:
				return false
			}
			return true
		}
		err := f.push(t, testIndex(t, openStore(t), amd64), &fakeClock{}, Jobs(1), WithKeychain(fixedKeychain{}),
			WithNotice(func(s string) { mu.Lock(); fmt.Fprintln(&text, s); mu.Unlock() }))
		if err == nil {
			t.Fatal("it succeeded")
		}
		fmt.Fprintln(&text, err)
		if !strings.Contains(text.String(), "you sent") {
			t.Errorf("%s: the echo is not in the text, so the test tests nothing: %s", scheme, text.String())
		}
		secrets := []string{password, url.QueryEscape(password), encoded}
		if scheme == "Bearer" {
			secrets = append(secrets, token)
		}
		for _, secret := range secrets {
			if strings.Contains(text.String(), secret) {
				t.Errorf("%s: %q is in the text:\n%s", scheme, secret, text.String())
			}
		}
	}
}

func TestTokenServersAnswerAndUploadStateStayOut(t *testing.T) {
	s := &secrets{}
	for _, err := range []error{
		errors.New("no token in bearer response:\n{\"refresh_token\":\"very-secret\"}"),
		&url.Error{Op: "Patch", URL: "https://h/v2/a/blobs/uploads/1?_state=very-secret&X-Amz-Signature=very-secret", Err: io.EOF},
	} {
		if got := s.text(fmt.Errorf("wrapped: %w", err)); strings.Contains(got, "very-secret") {
			t.Errorf("got %q", got)
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestPlainHTTPOnlyToThisMachine(t *testing.T) {
	idx := testIndex(t, openStore(t), amd64)
	for _, host := range []string{"10.1.2.3:5000", "registry.localhost:5000"} {
		repo, err := name.NewRepository(host + "/a/b")
		if err != nil {
			t.Fatal(err)
		}
		var plain int
		var mu sync.Mutex
		network := roundTrip(func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			if r.URL.Scheme == "http" {
				plain++
			}
			return nil, errors.New("no such network")
		})
		err = Push(t.Context(), repo, idx, nil, withClock(&fakeClock{}), WithKeychain(fixedKeychain{}), WithTransport(network))
		if err == nil || plain != 0 || !strings.Contains(err.Error(), "--insecure") {
			t.Errorf("%s: %d plain requests, %v; want none and the flag", host, plain, err)
		}
		_ = Push(t.Context(), repo, idx, nil, withClock(&fakeClock{}), WithKeychain(fixedKeychain{}), WithTransport(network), Insecure())
		if plain == 0 {
			t.Errorf("%s: plain http was asked for and not tried", host)
		}
	}
}

func TestBadTagIsRefusedBeforeAnythingIsSent(t *testing.T) {
	f := newFaulty(t, "", nil)
	err := Push(t.Context(), f.repo(t), testIndex(t, openStore(t), amd64), []string{"v1+slipway"}, anonymous)
	if err == nil || !strings.Contains(err.Error(), "v1+slipway") || len(f.seen) != 0 {
		t.Errorf("got %v, %d requests", err, len(f.seen))
	}
}
