package images

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

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
			t.Parallel()
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
	var tagged atomic.Int32
	t.Run("after", func(t *testing.T) {
		for last := 1; last < len(whole.seen); last++ {
			t.Run(fmt.Sprintf("%d requests", last), func(t *testing.T) {
				t.Parallel()
				tagged.Add(interrupt(t, idx, last))
			})
		}
	})
	if tagged.Load() == 0 {
		t.Error("no interruption came after a tag: the test tests nothing")
	}
}

// interrupt pushes until the registry has seen so many requests, and returns
// how many tags there are then, each of which must be whole.
func interrupt(t *testing.T, idx v1.ImageIndex, last int) (tagged int32) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f := newFaulty(t, "* /", func(n int, _ http.ResponseWriter, _ *http.Request) bool {
		if n <= last {
			return false
		}
		cancel()
		panic(http.ErrAbortHandler)
	})
	err := Push(ctx, f.repo(t), idx, []string{"v1", "v1-slipway"}, withClock(&fakeClock{}), anonymous, Jobs(1))
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want that it was cancelled", err)
	}
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
			t.Errorf("tag %s is there, its content is not: %v", tag, err)
		}
	}
	return tagged
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
