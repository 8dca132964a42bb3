package debian

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/blakesmith/ar"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

func digest(b []byte) string { h := sha256.Sum256(b); return hex.EncodeToString(h[:]) }

// entry is a tar entry of a package made for a test.
type entry struct {
	tar.Header
	text string
}

func file(name, text string) entry {
	return entry{tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(text))}, text}
}

func dir(name string) entry {
	return entry{Header: tar.Header{Name: name, Typeflag: tar.TypeDir, Mode: 0o755}}
}

func link(name, target string) entry {
	return entry{Header: tar.Header{Name: name, Typeflag: tar.TypeSymlink, Mode: 0o777, Linkname: target}}
}

func tarOf(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var buf bytes.Buffer
	tw := tar.NewWriter(&buf)
	for _, e := range entries {
		if err := tw.WriteHeader(&e.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(tw, e.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// compress packs b as the ending (".xz", ".zst", ".gz", "") says.
func compress(t testing.TB, ending string, b []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	var w io.WriteCloser
	var err error
	switch ending {
	case ".xz":
		w, err = xz.NewWriter(&buf)
	case ".zst":
		w, err = zstd.NewWriter(&buf)
	case ".gz":
		w = gzip.NewWriter(&buf)
	default:
		return b
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

type arFile struct {
	name    string
	content []byte
}

// arOf is written by a library that is not ours, so that reader and writer
// cannot share a mistake.
func arOf(t testing.TB, members ...arFile) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := ar.NewWriter(&buf)
	if err := w.WriteGlobalHeader(); err != nil {
		t.Fatal(err)
	}
	for _, m := range members {
		if err := w.WriteHeader(&ar.Header{Name: m.name, Mode: 0o100644, Size: int64(len(m.content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(m.content); err != nil {
			t.Fatal(err)
		}
	}
	return buf.Bytes()
}

// debOf makes a package whose data archive is compressed as ending says.
func debOf(t testing.TB, name, ending string, entries ...entry) []byte {
	t.Helper()
	control := tarOf(t, file("./control", "Package: "+name+"\nVersion: 1.0\n"), file("./md5sums", "sums of "+name+"\n"), file("./postinst", "#!/bin/sh\nexit 1\n"))
	return arOf(t,
		arFile{"debian-binary", []byte("2.0\n")},
		arFile{"control.tar.gz", compress(t, ".gz", control)},
		arFile{"data.tar" + ending, compress(t, ending, tarOf(t, entries...))})
}

func write(t testing.TB, name string, content []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// mirrorServer serves files by path and counts the requests for each.
type mirrorServer struct {
	*httptest.Server
	mu    sync.Mutex
	files map[string][]byte
	asked map[string]int
	// answer, when set, replaces the plain answer.
	answer http.HandlerFunc
}

func newMirror(t testing.TB) *mirrorServer {
	m := &mirrorServer{files: map[string][]byte{}, asked: map[string]int{}}
	m.Server = httptest.NewServer(m)
	t.Cleanup(m.Close)
	return m
}

func (m *mirrorServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	m.asked[r.URL.Path]++
	content, ok := m.files[r.URL.Path]
	m.mu.Unlock()
	switch {
	case m.answer != nil:
		m.answer(w, r)
	case !ok:
		http.NotFound(w, r)
	default:
		_, _ = w.Write(content) // a client that went away is its own business
	}
}

func (m *mirrorServer) requests() (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, some := range m.asked {
		n += some
	}
	return n
}
