package images

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/slipway-k8s/slipway/builder/files"
	"github.com/slipway-k8s/slipway/distro"
)

var (
	amd64 = distro.Platform{OS: "linux", Arch: "amd64"}
	arm64 = distro.Platform{OS: "linux", Arch: "arm64"}
)

// noise is n bytes that compress to about half, the same for the same seed.
func noise(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 0))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32() & 0x0f)
	}
	return b
}

func openStore(t testing.TB) *Store {
	t.Helper()
	s, err := OpenStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func writeLayer(t testing.TB, s *Store, c Compression, entries ...files.File) *Layer {
	t.Helper()
	l, err := s.WriteLayer(entries, c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// testImage is an image with a base layer and a layer of its own.
func testImage(t testing.TB, s *Store, p distro.Platform, size int) v1.Image {
	t.Helper()
	img, err := Image(Spec{
		Platform: p,
		Layers: []v1.Layer{
			writeLayer(t, s, Zstd, BaseFiles()...),
			writeLayer(t, s, Zstd, files.Bytes("app", 0o755, noise(uint64(len(p.Arch))+uint64(p.Arch[1]), size))),
		},
		Entrypoint: []string{"/app"}, User: NonrootUser, ExposedPorts: []string{"53/udp", "53/tcp"},
		Labels: map[string]string{"b": "2", "a": "1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func testIndex(t testing.TB, s *Store, platforms ...distro.Platform) v1.ImageIndex {
	t.Helper()
	var all []v1.Image
	for _, p := range platforms {
		all = append(all, testImage(t, s, p, 300_000))
	}
	idx, err := Index(Annotations{Title: "test", Version: "v1"}.Map(), all...)
	if err != nil {
		t.Fatal(err)
	}
	return idx
}

func digestOf(t testing.TB, d interface{ Digest() (v1.Hash, error) }) v1.Hash {
	t.Helper()
	h, err := d.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// fakeClock is a clock that a Sleep moves, at once.
type fakeClock struct {
	mu    sync.Mutex
	now   time.Time
	slept []time.Duration
	// onSleep, if set, is called before each Sleep.
	onSleep func()
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) Sleep(ctx context.Context, d time.Duration) error {
	if c.onSleep != nil {
		c.onSleep()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	c.slept = append(c.slept, d)
	return context.Cause(ctx)
}

func (c *fakeClock) total() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	var sum time.Duration
	for _, d := range c.slept {
		sum += d
	}
	return sum
}
