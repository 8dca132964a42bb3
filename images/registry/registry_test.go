package registry_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/sirupsen/logrus"

	"github.com/slipway-k8s/slipway/images/registry"
)

func open(t *testing.T, dir string, opts ...registry.Option) *registry.Registry {
	t.Helper()
	r, err := registry.Open(dir, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func serve(t *testing.T, h http.Handler) *registry.Server {
	t.Helper()
	s, err := registry.Start(t.Context(), "localhost:0", h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func push(t *testing.T, addr, ref string) v1.ImageIndex {
	t.Helper()
	idx, err := random.Index(1000, 2, 2)
	if err != nil {
		t.Fatal(err)
	}
	to, err := name.ParseReference(addr + "/" + ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(to, idx); err != nil {
		t.Fatal(err)
	}
	return idx
}

func TestPushedIndexCanBePulledFromTheFolderLater(t *testing.T) {
	dir := t.TempDir()
	s := serve(t, open(t, dir))
	idx := push(t, s.Addr(), "kubernetes/pause:3.10")
	want, err := idx.Digest()
	if err != nil {
		t.Fatal(err)
	}
	later := serve(t, open(t, dir, registry.ReadOnly()))
	ref, err := name.NewDigest(later.Addr() + "/kubernetes/pause@" + want.String())
	if err != nil {
		t.Fatal(err)
	}
	got, err := remote.Index(ref)
	if err != nil {
		t.Fatal(err)
	}
	m, err := got.IndexManifest()
	if err != nil || len(m.Manifests) != 2 {
		t.Errorf("pulled %+v, %v", m, err)
	}
}

func TestRepositoriesAreListed(t *testing.T) {
	r := open(t, t.TempDir())
	if got, err := r.Repositories(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("an empty registry lists %v, %v", got, err)
	}
	s := serve(t, r)
	push(t, s.Addr(), "etcd-io/etcd:a")
	push(t, s.Addr(), "coredns/coredns:a")
	got, err := r.Repositories(t.Context())
	if want := []string{"coredns/coredns", "etcd-io/etcd"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

// go-containerregistry asks for 1000 a page, and docker for other numbers.
func TestCatalogAndTagsCanBeListedByClients(t *testing.T) {
	s := serve(t, open(t, t.TempDir()))
	push(t, s.Addr(), "a/b:one")
	push(t, s.Addr(), "a/b:two")
	reg, err := name.NewRegistry(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	repos, err := remote.Catalog(t.Context(), reg)
	if err != nil || !slices.Equal(repos, []string{"a/b"}) {
		t.Errorf("catalog %v, %v", repos, err)
	}
	tags, err := remote.List(reg.Repo("a/b"))
	if err != nil || !slices.Equal(tags, []string{"one", "two"}) {
		t.Errorf("tags %v, %v", tags, err)
	}
}

func TestTransportReadsWithoutANetwork(t *testing.T) {
	dir := t.TempDir()
	idx := push(t, serve(t, open(t, dir)).Addr(), "a/b:c")
	ref, err := name.ParseReference("localhost:1/a/b:c")
	if err != nil {
		t.Fatal(err)
	}
	over := remote.WithTransport(open(t, dir, registry.ReadOnly()).Transport())
	head, err := remote.Head(ref, over)
	if err != nil {
		t.Fatal(err)
	}
	if want, _ := idx.Digest(); head.Digest != want {
		t.Errorf("got %s, want %s", head.Digest, want)
	}
	if _, err := remote.Index(ref, over); err != nil {
		t.Error(err)
	}
}

func TestReadOnlyRegistryTakesNoPush(t *testing.T) {
	s := serve(t, open(t, t.TempDir(), registry.ReadOnly()))
	idx, err := random.Index(10, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(s.Addr() + "/a/b:c")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(ref, idx); err == nil {
		t.Error("a read-only registry took a push")
	}
}

func TestReadOnlyDoesNotMakeFolders(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not-there")
	if _, err := registry.Open(dir, registry.ReadOnly()); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v, want an error naming %s", err, dir)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("it was made (%v)", err)
	}
}

func TestUnwritableFolderIsAnErrorNotAPanic(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := registry.Open(file); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("got %v, want an error naming %s", err, file)
	}
}

func TestLeftoverUploadsGoUnlessSomebodyIsAtWork(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir)
	s := serve(t, first)
	resp, err := http.Post(s.URL()+"/v2/a/b/blobs/uploads/", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	uploads := filepath.Join(dir, "docker/registry/v2/repositories/a/b/_uploads")
	if _, err := os.Stat(uploads); err != nil {
		t.Fatal(err)
	}
	open(t, dir).Close()
	if _, err := os.Stat(uploads); err != nil {
		t.Errorf("an upload of a running process was removed: %v", err)
	}
	first.Close()
	open(t, dir)
	if _, err := os.Stat(uploads); !os.IsNotExist(err) {
		t.Errorf("a leftover upload is still there (%v)", err)
	}
}

func TestRegistryDoesNotLogIntoOthersLog(t *testing.T) {
	var b bytes.Buffer
	std := logrus.StandardLogger()
	defer std.SetOutput(std.Out)
	std.SetOutput(&b)
	s := serve(t, open(t, t.TempDir()))
	push(t, s.Addr(), "a/b:c")
	if status := fetch(t, s.URL()+"/v2/none/manifests/x"); status != http.StatusNotFound {
		t.Fatalf("status %d", status)
	}
	if b.Len() > 0 {
		t.Errorf("logged:\n%s", b.String())
	}
	logrus.Warn("somebody else's line")
	if !strings.Contains(b.String(), "somebody else's line") {
		t.Error("another user of logrus was silenced too")
	}
}

func fetch(t *testing.T, url string) int {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

func tree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for path, content := range map[string]string{
		"kubernetes-1-36/r.yaml":            "kind: Release\n",
		"kubernetes-1-36/bin/kubelet":       "ELF",
		"kubernetes-1-36/k.tar.gz":          "gz",
		"kubernetes-1-36/bin/.kubelet.part": "half",
		"registry/secret":                   "storage",
	} {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte("outside"), 0o644); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"link": outside, "dirlink": filepath.Dir(outside), "inside": "registry"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func site(t *testing.T) http.Handler {
	t.Helper()
	s, err := registry.FilesAndRegistry(tree(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func get(h http.Handler, method, path string) *http.Response {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(method, "/", nil)
	r.URL.Path = path // not cleaned on the way, as an attacker would send it
	h.ServeHTTP(w, r)
	return w.Result()
}

func TestSiteServesFilesWithTheirTypes(t *testing.T) {
	h := site(t)
	for path, want := range map[string]string{
		"/kubernetes-1-36/r.yaml":      "application/yaml",
		"/kubernetes-1-36/bin/kubelet": "application/octet-stream",
		"/kubernetes-1-36/k.tar.gz":    "application/gzip",
		"/kubernetes-1-36/":            "text/html; charset=utf-8",
		"/":                            "text/html; charset=utf-8",
	} {
		resp := get(h, "GET", path)
		if got := resp.Header.Get("Content-Type"); resp.StatusCode != 200 || got != want || resp.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s: %d, %q; want %q and no encoding", path, resp.StatusCode, got, want)
		}
	}
	if b, _ := io.ReadAll(get(h, "GET", "/kubernetes-1-36/r.yaml").Body); string(b) != "kind: Release\n" {
		t.Errorf("content %q", b)
	}
	if resp := get(h, "GET", "/v2/"); resp.StatusCode != 200 {
		t.Errorf("/v2/: %d", resp.StatusCode)
	}
}

func TestSiteServesNothingElse(t *testing.T) {
	h := site(t)
	for _, path := range []string{
		"/registry/secret", "/registry/", "/Registry/secret", "/x/../registry/secret", "/./registry/secret", "//registry/secret",
		"/../outside", "/../../etc/passwd", "/link", "/dirlink/outside", "/inside/secret", "/inside/",
		"/kubernetes-1-36/bin/.kubelet.part", "/kubernetes-1-36\\..\\registry\\secret", "/no\x00ne", "/kubernetes-1-36/r.yaml/",
	} {
		if resp := get(h, "GET", path); resp.StatusCode != http.StatusNotFound {
			b, _ := io.ReadAll(resp.Body)
			t.Errorf("%q: %d %q, want 404", path, resp.StatusCode, b)
		}
	}
	for _, method := range []string{"PUT", "POST", "DELETE"} {
		if resp := get(h, method, "/kubernetes-1-36/r.yaml"); resp.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d, want 405", method, resp.StatusCode)
		}
	}
	b, _ := io.ReadAll(get(h, "GET", "/").Body)
	for _, hidden := range []string{"registry", "link", "inside"} {
		if strings.Contains(string(b), hidden) {
			t.Errorf("the list shows %q:\n%s", hidden, b)
		}
	}
}

func TestServeEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var addr string
	err := registry.Serve(ctx, "localhost:0", site(t), func(s *registry.Server) {
		addr = s.Addr()
		if !s.Loopback() {
			t.Errorf("%s is not loopback", addr)
		}
		if status := fetch(t, s.URL()+"/kubernetes-1-36/r.yaml"); status != http.StatusOK {
			t.Errorf("status %d", status)
		}
		cancel()
	})
	if err != nil {
		t.Error(err)
	}
	if _, err := http.Get("http://" + addr); err == nil {
		t.Error("it still listens")
	}
}

func TestTakenAddressSaysWhatToDo(t *testing.T) {
	s := serve(t, http.NotFoundHandler())
	_, err := registry.Start(t.Context(), s.Addr(), http.NotFoundHandler())
	if err == nil || !strings.Contains(err.Error(), "--addr") {
		t.Errorf("got %v", err)
	}
}
