package images

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/slipway-k8s/slipway/builder/files"
)

// A layer's digest is in every release: if these change, so do all images of an
// unchanged source. A new version of the compressor is the only good reason.
func TestCompressedBytesArePinned(t *testing.T) {
	want := map[Compression]string{
		Zstd: "86ffaff9d84e347a6f85fbaf0aa94b5c6c31cb790419d23a89b9f4eb25c3dc7d",
		Gzip: "f0ffce31fa2302819a3a902a44a5787a10561468c2c849a50b908dbbde5e0bba",
	}
	// More than a window and a block of each, with runs, repeats and noise.
	input := append(bytes.Repeat([]byte("slipway "), 200_000), noise(1, 3<<20)...)
	input = append(input, make([]byte, 9<<20)...)
	input = append(input, noise(1, 1<<20)...)
	for c, digest := range want {
		sum := sha256.New()
		z, err := c.writer(sum)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := z.Write(input); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(sum.Sum(nil)); got != digest {
			t.Errorf("%s with %s gives %s, pinned is %s", c, CompressorVersion(), got, digest)
		}
	}
}

func TestCompressedBytesDependOnTheContentAlone(t *testing.T) {
	input := noise(2, 3<<20)
	for _, c := range []Compression{Zstd, Gzip} {
		digest := func(chunk, procs int) string {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
			sum := sha256.New()
			z, err := c.writer(sum)
			if err != nil {
				t.Fatal(err)
			}
			for rest := input; len(rest) > 0; {
				n := min(chunk, len(rest))
				if _, err := z.Write(rest[:n]); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			if err := z.Close(); err != nil {
				t.Fatal(err)
			}
			return hex.EncodeToString(sum.Sum(nil))
		}
		want := digest(len(input), 1)
		for _, chunk := range []int{1000, 4096, 32 << 10, 1<<17 + 1} {
			for _, procs := range []int{1, 2, 7} {
				if got := digest(chunk, procs); got != want {
					t.Errorf("%s: written by %d bytes on %d cores: %s, at once on one: %s", c, chunk, procs, got, want)
				}
			}
		}
	}
}

// A test binary has no list of modules, so it is given one.
func TestCompressorVersionIsThatOfTheModuleInUse(t *testing.T) {
	other := &debug.Module{Path: "example.com/other", Version: "v9.0.0"}
	for want, m := range map[string]*debug.Module{
		"github.com/klauspost/compress@v1.2.3": {Path: compressorModule, Version: "v1.2.3"},
		"example.com/fork@v7.0.0": {Path: compressorModule, Version: "v1.2.3",
			Replace: &debug.Module{Path: "example.com/fork", Version: "v7.0.0"}},
		"github.com/klauspost/compress@unknown": other,
	} {
		if got := compressorVersion(&debug.BuildInfo{Deps: []*debug.Module{other, m}}); got != want {
			t.Errorf("%+v: got %q, want %q", m, got, want)
		}
	}
}

func TestLayerSaysTheTruthAboutItsBytes(t *testing.T) {
	for c, media := range map[Compression]types.MediaType{Zstd: types.OCILayerZStd, Gzip: types.OCILayer} {
		entries := []files.File{files.Bytes("b", 0o755, noise(3, 1<<20)), files.Bytes("a/x", 0o644, []byte("x"))}
		l := writeLayer(t, openStore(t), c, entries...)
		var want bytes.Buffer
		if err := files.WriteTar(&want, entries); err != nil {
			t.Fatal(err)
		}
		r, err := l.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		r.Close()
		if err != nil || !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%s: the layer holds another tar than was written (%v)", c, err)
		}
		if mt, _ := l.MediaType(); mt != media {
			t.Errorf("%s: media type %s", c, mt)
		}
		// ggcr's own check of digest and size; it knows no zstd diffIDs.
		if err := validate.Layer(l); err != nil && c == Gzip {
			t.Errorf("%s: %v", c, err)
		}
		sum := sha256.Sum256(want.Bytes())
		if l.record.DiffID.Hex != hex.EncodeToString(sum[:]) {
			t.Errorf("%s: diffID %s, the tar is %x", c, l.record.DiffID, sum)
		}
		blob, err := os.ReadFile(l.store.blobPath(l.record.Digest))
		if sum := sha256.Sum256(blob); err != nil || l.record.Digest.Hex != hex.EncodeToString(sum[:]) || l.record.Size != int64(len(blob)) {
			t.Errorf("%s: digest %s size %d, the blob is %x, %d bytes (%v)", c, l.record.Digest, l.record.Size, sum, len(blob), err)
		}
	}
}

func TestChangedBlobIsNeverUsed(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, path string){
		"truncated": func(t *testing.T, path string) {
			if err := os.Truncate(path, 10); err != nil {
				t.Fatal(err)
			}
		},
		"same size, other bytes": func(t *testing.T, path string) {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			b[len(b)/2] ^= 1
			if err := os.WriteFile(path, b, 0o644); err != nil {
				t.Fatal(err)
			}
			// Not left to the resolution of the file system's clock.
			if err := os.Chtimes(path, time.Time{}, time.Unix(1, 0)); err != nil {
				t.Fatal(err)
			}
		},
		"gone": func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t)
			made := 0
			entries := func() ([]files.File, error) {
				made++
				return []files.File{files.Bytes("x", 0o644, noise(4, 1000))}, nil
			}
			l, err := s.CachedLayer("key", Zstd, entries)
			if err != nil {
				t.Fatal(err)
			}
			path := s.blobPath(l.record.Digest)
			spoil(t, path)
			if r, err := l.Compressed(); !errors.Is(err, ErrNotStored) {
				t.Errorf("Compressed() = %v, %v; want ErrNotStored", r, err)
			}
			if _, err := os.Stat(path); !os.IsNotExist(err) {
				t.Errorf("the changed blob is still there (%v)", err)
			}
			again, err := s.CachedLayer("key", Zstd, entries)
			if err != nil || again.record != l.record || made != 2 {
				t.Errorf("made anew: %v, %+v, made %d times; want %+v, twice", err, again, made, l.record)
			}
		})
	}
}

func TestTouchedBlobIsHashedOnceAndUsed(t *testing.T) {
	s := openStore(t)
	l := writeLayer(t, s, Zstd, files.Bytes("x", 0o644, noise(5, 1000)))
	path := s.blobPath(l.record.Digest)
	if err := os.Chtimes(path, time.Time{}, time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	r, err := l.Compressed()
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	r.Close()
	if err != nil || int64(len(b)) != l.record.Size {
		t.Errorf("read %d bytes of %d (%v): not rewound after hashing?", len(b), l.record.Size, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if memo, err := os.ReadFile(s.memoPath(l.record.Digest)); err != nil || string(memo) != memoOf(info) {
		t.Errorf("memo %q (%v), want %q: it would be hashed each time", memo, err, memoOf(info))
	}
}

func TestCachedLayerIsNotMadeTwice(t *testing.T) {
	s := openStore(t)
	made := 0
	get := func(key string, c Compression) {
		t.Helper()
		if _, err := s.CachedLayer(key, c, func() ([]files.File, error) {
			made++
			return []files.File{files.Bytes("x", 0o644, []byte(key))}, nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		get("a", Zstd)
	}
	if made != 1 {
		t.Errorf("made %d times for one key, want once", made)
	}
	get("a", Gzip)
	get("b", Zstd)
	if made != 3 {
		t.Errorf("made %d times, want 3: another compression and another key are other layers", made)
	}
}

func TestFailedLayerLeavesNothing(t *testing.T) {
	s := openStore(t)
	short := files.Bytes("x", 0o644, []byte("abc"))
	short.Size = 5
	if l, err := s.WriteLayer([]files.File{short}, Zstd); err == nil {
		t.Fatalf("got %+v of a file that is shorter than announced", l)
	}
	for _, dir := range []string{"tmp", "blobs/sha256", "verified"} {
		if left, err := os.ReadDir(filepath.Join(s.dir, dir)); err != nil || len(left) > 0 {
			t.Errorf("%s holds %v (%v)", dir, left, err)
		}
	}
}

func TestTwoStoresOnOneFolderAgree(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	records := make([]LayerRecord, 8)
	errs := make([]error, len(records))
	for i := range records {
		wg.Go(func() {
			s, err := OpenStore(dir)
			if err != nil {
				errs[i] = err
				return
			}
			l, err := s.WriteLayer([]files.File{files.Bytes("x", 0o644, noise(6, 1<<20))}, Zstd)
			if errs[i] = err; err != nil {
				return
			}
			records[i] = l.record
			var r io.ReadCloser
			if r, errs[i] = l.Compressed(); errs[i] == nil {
				_, errs[i] = io.Copy(io.Discard, r)
				r.Close()
			}
		})
	}
	wg.Wait()
	for i := range records {
		if errs[i] != nil || records[i] != records[0] {
			t.Errorf("writer %d: %+v, %v; the first: %+v", i, records[i], errs[i], records[0])
		}
	}
}

func TestOldLeftoversAreRemovedAndYoungOnesAreNot(t *testing.T) {
	s := openStore(t)
	old, young := filepath.Join(s.dir, "tmp", "old"), filepath.Join(s.dir, "tmp", "young")
	for _, f := range []string{old, young} {
		if err := os.WriteFile(f, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	past := time.Now().Add(-2 * staleAfter)
	if err := os.Chtimes(old, past, past); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenStore(s.dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old); !os.IsNotExist(err) {
		t.Errorf("a leftover of two days is still there (%v)", err)
	}
	if _, err := os.Stat(young); err != nil {
		t.Errorf("a file that may be in use is gone: %v", err)
	}
}

func TestRecordWithoutSoundDigestsIsRefused(t *testing.T) {
	s := openStore(t)
	l := writeLayer(t, s, Zstd, files.Bytes("x", 0o644, nil))
	for _, spoil := range []func(*LayerRecord){
		func(r *LayerRecord) { r.DiffID = v1.Hash{} },
		func(r *LayerRecord) { r.Compression = "lz4" },
		func(r *LayerRecord) { r.Digest.Hex = strings.Repeat("0", 64) },
	} {
		r := l.record
		spoil(&r)
		if got, err := s.Layer(r); err == nil {
			t.Errorf("Layer(%+v) = %+v, want an error", r, got)
		}
	}
}
