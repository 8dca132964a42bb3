package fetch

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// quick has no waits worth mentioning.
var quick = Options{Wait: time.Millisecond}

const content = "the content\n"

func sum(s string) string {
	b := sha256.Sum256([]byte(s))
	return "sha256:" + hex.EncodeToString(b[:])
}

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func serveContent(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(content)) }

// refused fetches into an empty folder and wants an error that is target and
// has every one of the texts, with nothing left in the folder.
func refused(t *testing.T, src string, opts Options, target error, texts ...string) {
	t.Helper()
	dir := t.TempDir()
	err := File(t.Context(), src, filepath.Join(dir, "file"), opts)
	if err == nil {
		t.Fatalf("%s was fetched", src)
	}
	if target != nil && !errors.Is(err, target) {
		t.Errorf("got %v, want an error that is %q", err, target)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("got %q, want %q in it", err, text)
		}
	}
	left, readErr := os.ReadDir(dir)
	if readErr != nil || len(left) > 0 {
		t.Errorf("left behind: %v (%v)", left, readErr)
	}
}

func TestFetchesFromPathAndURL(t *testing.T) {
	dir := t.TempDir()
	// Names that a URL would have to escape.
	file := filepath.Join(dir, "a b%41!(1)#x?y.yaml")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	plain := filepath.Join(dir, "plain.yaml")
	if err := os.WriteFile(plain, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	web := serve(t, serveContent) + "/m.yaml"
	sum512 := sha512.Sum512([]byte(content))
	t.Chdir(dir)
	for _, src := range []string{
		file, plain, "plain.yaml", "./plain.yaml", "file://" + plain, web, web + "?token=x",
		web + "?checksum=" + sum(content), "plain.yaml?checksum=" + sum(content), "file://" + plain + "?checksum=" + sum(content),
		web + "?checksum=sha512:" + hex.EncodeToString(sum512[:]),
	} {
		got, err := Bytes(t.Context(), src, quick)
		if err != nil || string(got) != content {
			t.Errorf("%s: got %q, %v", src, got, err)
		}
	}
}

func TestAFailureLeavesTheOldFile(t *testing.T) {
	dst := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(dst, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	url := serve(t, serveContent)
	if err := File(t.Context(), url+"?checksum="+sum("other"), dst, quick); err == nil {
		t.Error("a wrong checksum was accepted")
	}
	if got, _ := os.ReadFile(dst); string(got) != "old" {
		t.Errorf("the old file is now %q", got)
	}
	if err := File(t.Context(), url+"?checksum="+sum(content), dst, quick); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(dst); string(got) != content {
		t.Errorf("the new file is %q", got)
	}
}

func TestOtherKindsOfSourceAreRefused(t *testing.T) {
	for _, src := range []string{
		"git::https://example.com/x.git", "git::file:///tmp/x", "hg::https://example.com/x", "file::/etc/hosts", "http::https://example.com/x",
		"gcs::https://www.googleapis.com/storage/v1/b/f", "s3::file:///etc/hosts", "ftp://example.com/x", "ssh://git@example.com/x", "gopher://example.com/",
	} {
		refused(t, src, quick, ErrSource, "allowed are a path and URLs")
	}
	for src, text := range map[string]string{
		"":                         "empty",
		"https://example.com/a//b": "double slash",
		"https://example.com/a.tgz?archive=tar.gz": "archive=",
		"https:///x":                  "no host",
		"file://host/x":               "names no host",
		"file:///x?y=z":               "no query",
		"s3://bucket":                 "s3://bucket/key",
		"s3://bucket/key?region=../x": "region",
		"s3://u:p@bucket/key":         "credentials",
	} {
		refused(t, src, quick, ErrSource, text)
	}
}

func TestAChecksumMustBeStrongAndWellFormed(t *testing.T) {
	url := serve(t, serveContent)
	hexSum := strings.TrimPrefix(sum(content), "sha256:")
	for _, query := range []string{
		"?checksum=", "?checksum=" + hexSum, "?checksum=md5:d41d8cd98f00b204e9800998ecf8427e", "?checksum=sha256:", "?checksum=sha256:zz",
		"?checksum=sha512:" + hexSum, "?checksum=file:" + url + "/SHA256SUM", "?checksum=" + sum(content) + "&checksum=" + sum(content),
	} {
		refused(t, url+"/f"+query, quick, ErrSource, "checksum")
	}
	refused(t, "/etc/hosts?checksum=", quick, ErrSource, "checksum")
}

func TestAWrongChecksumNamesBoth(t *testing.T) {
	url := serve(t, serveContent)
	refused(t, url+"/f?checksum="+sum("other"), quick, ErrChecksum, "expected "+sum("other"), "found "+sum(content))
}

func TestTooLargeIsRefused(t *testing.T) {
	small := Options{MaxBytes: int64(len(content)) - 1, Wait: time.Millisecond}
	exact := Options{MaxBytes: int64(len(content)), Wait: time.Millisecond}
	announced := serve(t, serveContent)
	var sent atomic.Int64
	endless := serve(t, func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			n, err := w.Write(make([]byte, 64<<10))
			if err != nil {
				return
			}
			sent.Add(int64(n))
		}
	})
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, src := range []string{announced, file, "file://" + file} {
		refused(t, src, small, ErrTooLarge, "more than 11 bytes")
		if got, err := Bytes(t.Context(), src, exact); err != nil || string(got) != content {
			t.Errorf("%s at exactly the limit: %q, %v", src, got, err)
		}
	}
	refused(t, endless, quick, ErrTooLarge, "more than 16777216 bytes")
	if n := sent.Load(); n > 64<<20 {
		t.Errorf("%d bytes were taken from an endless answer", n)
	}
}

func TestLocalLinksAndFoldersAreRefused(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	refused(t, link, quick, ErrSource, "symbolic link")
	refused(t, "file://"+link, quick, ErrSource, "symbolic link")
	refused(t, dir, quick, ErrSource, "folder")
	refused(t, filepath.Join(dir, "absent"), quick, os.ErrNotExist, "absent")
}

func TestALinkAtTheDestinationIsReplacedNotFollowed(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	if err := os.WriteFile(target, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	if err := File(t.Context(), serve(t, serveContent), link, quick); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(target); string(got) != "precious" {
		t.Errorf("the target of the link was written to: %q", got)
	}
}

func TestNothingIsUnpacked(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write([]byte(content))
	_ = z.Close()
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "" {
			t.Errorf("asked for an encoding: %q", r.Header.Get("Accept-Encoding"))
		}
		if strings.HasPrefix(r.URL.Path, "/encoded") {
			w.Header().Set("Content-Encoding", "gzip")
		}
		_, _ = w.Write(packed.Bytes())
	})
	for _, path := range []string{"/f.gz", "/f.tar.gz", "/f.tgz", "/f.zip", "/encoded"} {
		got, err := Bytes(t.Context(), url+path, quick)
		if err != nil || !bytes.Equal(got, packed.Bytes()) {
			t.Errorf("%s: %v, got %d bytes, want the %d that were served", path, err, len(got), packed.Len())
		}
	}
}

func TestCancellingStopsAndLeavesNothing(t *testing.T) {
	started := make(chan struct{})
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte(content))
		w.(http.Flusher).Flush()
		close(started)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-started; cancel() }()
	dir := t.TempDir()
	if err := File(ctx, url, filepath.Join(dir, "f"), quick); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestASilentServerIsGivenUp(t *testing.T) {
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	refused(t, url, Options{Timeout: 50 * time.Millisecond}, context.DeadlineExceeded, "gave up after 50ms")
}
