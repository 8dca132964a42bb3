//go:build unix

package main

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/slipway-k8s/slipway/images/registry"
	"github.com/slipway-k8s/slipway/internal/testchannel/testtree"
)

// faultyRegistry is the embedded registry behind a handler that misbehaves.
type faultyRegistry struct {
	*httptest.Server
	dir string
}

// newFaultyRegistry lets fault answer requests; n counts those that match
// method and part of the path, from 1. What fault does not answer (false) the
// registry does.
func newFaultyRegistry(t *testing.T, method, part string, fault func(n int, w http.ResponseWriter, r *http.Request) bool) *faultyRegistry {
	t.Helper()
	f := &faultyRegistry{dir: t.TempDir()}
	reg, err := registry.Open(f.dir)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	hits := 0
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if (method == "" || r.Method == method) && strings.Contains(r.URL.Path, part) {
			mu.Lock()
			hits++
			n := hits
			mu.Unlock()
			if fault(n, w, r) {
				return
			}
		}
		reg.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { f.Close(); reg.Close() })
	return f
}

func (f *faultyRegistry) address() string { return strings.TrimPrefix(f.URL, "http://") + "/mirror" }

func always(code int) func(int, http.ResponseWriter, *http.Request) bool {
	return func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(code)
		return true
	}
}

// cutFirst breaks the connection in the middle of the first so many bodies.
func cutFirst(count int) func(int, http.ResponseWriter, *http.Request) bool {
	return func(n int, _ http.ResponseWriter, r *http.Request) bool {
		if n > count {
			return false
		}
		_, _ = io.CopyN(io.Discard, r.Body, 4000)
		panic(http.ErrAbortHandler)
	}
}

// TestARegistryThatFailsGivesAClearErrorOrSuccessAndNeverALie has all faults
// waited out at once: some take half a minute of retries.
func TestARegistryThatFailsGivesAClearErrorOrSuccessAndNeverALie(t *testing.T) {
	t.Parallel()
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := nobody.Addr().String()
	nobody.Close()

	compiled := newWorld(t, newChannel(t))
	compiled.mustRun() // so that the runs below only package and push

	cases := []struct {
		name  string
		reg   *faultyRegistry // nil: nobody listens
		works bool
		want  []string
	}{
		{"nobody listens", nil, false, []string{"connection refused", "is the registry at " + closed + " running?"}},
		{"401", newFaultyRegistry(t, "", "/v2/", always(401)), false, []string{"401", "docker login"}},
		{"403 for uploads", newFaultyRegistry(t, "POST", "/blobs/uploads/", always(403)), false, []string{"403", "may not push to mirror/test/hello"}},
		{"404", newFaultyRegistry(t, "", "/v2/", always(404)), false, []string{"404", "check the address"}},
		{"403 for a tag", newFaultyRegistry(t, "PUT", "/manifests/v1.0.0", always(403)), false, []string{"403", "writing tag v1.0.0"}},
		{"500 always", newFaultyRegistry(t, "", "/v2/", always(500)), false, []string{"500", "see its log"}},
		{"500 for manifests", newFaultyRegistry(t, "PUT", "/manifests/", always(500)), false, []string{"500", "sending manifest"}},
		{"blobs cut always", newFaultyRegistry(t, "PATCH", "", cutFirst(1000)), false, []string{"sending blob", "check the connection"}},
		{"a blob cut once", newFaultyRegistry(t, "PATCH", "", cutFirst(1)), true, []string{"trying again"}},
		{"429 once", newFaultyRegistry(t, "POST", "", func(n int, w http.ResponseWriter, _ *http.Request) bool {
			if n > 1 {
				return false
			}
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(429)
			return true
		}), true, []string{"asks to wait 1s"}},
		{"503 twice", newFaultyRegistry(t, "PUT", "/manifests/", func(n int, w http.ResponseWriter, _ *http.Request) bool {
			if n > 2 {
				return false
			}
			w.WriteHeader(503)
			return true
		}), true, []string{"trying again"}},
	}
	outcomes := make([]outcome, len(cases))
	worlds := make([]*world, len(cases))
	var wg sync.WaitGroup
	for i, c := range cases {
		w := *compiled
		w.t, w.out = t, filepath.Join(compiled.dir, "out-"+strings.ReplaceAll(c.name, " ", "-"))
		worlds[i] = &w
		address := closed
		if c.reg != nil {
			address = c.reg.address()
		}
		wg.Go(func() { outcomes[i] = w.run("--registry", address) })
	}
	wg.Wait()
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := worlds[i]
			w.t = t
			if !c.works {
				wantFailure(t, outcomes[i], 1, append(c.want, "channel 1-99: component hello: image hello: push to ")...)
				w.noManifest()
				return
			}
			wantFailure(t, outcomes[i], 0, c.want...)
			if len(testtree.Truthful(t, w.out, c.reg.dir)) != 1 {
				t.Error("no Release after success")
			}
		})
	}
}

func TestOnceTheRegistryIsWellTheBuildWorks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newChannel(t))
	ill := true
	reg := newFaultyRegistry(t, "POST", "/blobs/uploads/", func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		if ill {
			w.WriteHeader(403)
		}
		return ill
	})
	w.registryDir = reg.dir
	wantFailure(t, w.run("--registry", reg.address()), 1, "403")
	w.noManifest()
	ill = false
	w.mustRun("--registry", reg.address())
}

func TestAnOlderReleaseIsWithdrawnBeforeAFileThatItNamesIsReplaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newChannel(t))
	w.mustRun()
	w.channel.EditRecipe(t, `stamps: {main.version: "{stamp}"}`, `stamps: {main.version: "{stamp}", main.other: newer}`)
	o := w.run("--registry", newFaultyRegistry(t, "", "/v2/", always(403)).address())
	wantFailure(t, o, 1, "403")
	w.noManifest()
	w.mustRun()
}

func TestAnOlderReleaseIsWithdrawnBeforeATagThatItNamesMoves(t *testing.T) {
	t.Parallel()
	c := newChannel(t)
	// No file is replaced before the image is pushed.
	c.EditRecipe(t, `  path: "bin/{os}/{arch}/hello{exe}"`+"\n", "")
	w := newWorld(t, c)
	writes := 0
	reg := newFaultyRegistry(t, "PUT", "/manifests/v1.0.0", func(n int, w http.ResponseWriter, _ *http.Request) bool {
		if writes = n; n != 4 { // two tags of each build
			return false
		}
		w.WriteHeader(403)
		return true
	})
	w.registryDir = reg.dir
	w.mustRun("--registry", reg.address(), "--overwrite-tags")
	c.EditRecipe(t, "description: hello container image", "description: another image")
	wantFailure(t, w.run("--registry", reg.address(), "--overwrite-tags"), 1, "403")
	if writes != 4 {
		t.Fatalf("%d tags were written, want the second build to fail at its second", writes)
	}
	w.noManifest()
	w.mustRun("--registry", reg.address(), "--overwrite-tags")
}

func TestATagThatNamesAnotherImageIsNotMoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newChannel(t))
	reg := newFaultyRegistry(t, "no method", "", nil)
	w.registryDir = reg.dir
	w.mustRun("--registry", reg.address())
	w.channel.EditRecipe(t, "description: hello container image", "description: another image")
	wantFailure(t, w.run("--registry", reg.address()), 1, "the tag is taken by sha256:", "--overwrite-tags", "cut a new release")
	w.noManifest()
}

func TestAnOutputFolderThatCannotBeOneSaysWhatToDo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newChannel(t))
	if err := os.WriteFile(w.out, []byte("a file\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	wantFailure(t, w.run(), 1, w.out, "not a directory", "--out")
	if b, err := os.ReadFile(w.out); err != nil || string(b) != "a file\n" {
		t.Errorf("the file in the way now holds %q (%v)", b, err)
	}
}

func TestACacheFolderThatCannotBeOneSaysWhatToDo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newChannel(t))
	file := filepath.Join(w.dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	w.cache = filepath.Join(file, "cache")
	wantFailure(t, w.run(), 1, file, "not a directory", "--cache")
	w.noManifest()
}

func TestAFolderInTheWayOfAFileStopsTheBuild(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newChannel(t))
	w.mustRun()
	found, err := filepath.Glob(filepath.Join(w.out, "kubernetes-1-99/releases/*/artifacts/hello/v1.0.0/*.tar.gz"))
	if err != nil || len(found) != 1 {
		t.Fatalf("tarballs: %v (%v)", found, err)
	}
	if err := os.Remove(found[0]); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(found[0], "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	wantFailure(t, w.run(), 1, filepath.Base(found[0]))
	w.noManifest()
	if err := os.RemoveAll(found[0]); err != nil {
		t.Fatal(err)
	}
	w.mustRun()
}
