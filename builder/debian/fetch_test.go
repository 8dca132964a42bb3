package debian

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const testPath = "pool/main/t/thing/thing_1.0+deb12u1_amd64.deb"

// thing is a pinned package with that content.
func thing(content []byte) Package {
	return Package{Name: "thing", Version: "1.0+deb12u1", Architecture: "amd64", Archive: Main, Path: testPath, SHA256: digest(content), Size: int64(len(content))}
}

func fetcher(t *testing.T, mirrors ...*mirrorServer) *Fetcher {
	f := &Fetcher{Cache: filepath.Join(t.TempDir(), "cache")}
	for _, m := range mirrors {
		f.Mirrors = append(f.Mirrors, Mirror{Main, m.URL + "/debian", "the test"})
	}
	return f
}

// with serves content as the package's file.
func with(t *testing.T, content []byte) *mirrorServer {
	m := newMirror(t)
	m.files["/debian/"+testPath] = content
	return m
}

func wantFetched(t *testing.T, f *Fetcher, content []byte) {
	t.Helper()
	path, err := f.Fetch(context.Background(), thing(content))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(content) {
		t.Errorf("fetched %q, want %q", got, content)
	}
	entries, err := os.ReadDir(f.Cache)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != digest(content)+".deb" {
			t.Errorf("the cache holds %s besides the package", e.Name())
		}
	}
}

func TestFirstMirrorIsAskedAloneAndOnce(t *testing.T) {
	content := []byte("the package")
	first, second := with(t, content), with(t, content)
	f := fetcher(t, first, second)
	wantFetched(t, f, content)
	wantFetched(t, f, content)
	if first.requests() != 1 || second.requests() != 0 {
		t.Errorf("the mirrors got %d and %d requests, want 1 and 0", first.requests(), second.requests())
	}
}

func TestUselessMirrorsArePassedOver(t *testing.T) {
	content := []byte("the package, as it is pinned")
	gone := newMirror(t)
	gone.Close()
	denied := newMirror(t)
	denied.answer = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }
	broken := newMirror(t)
	broken.answer = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "28")
		_, _ = w.Write(content[:9])
	}
	failing := newMirror(t)
	failing.answer = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }
	for name, useless := range map[string]*mirrorServer{
		"404":                        newMirror(t),
		"403":                        denied,
		"500":                        failing,
		"no connection":              gone,
		"other bytes, same length":   with(t, []byte(strings.ToUpper(string(content)))),
		"other bytes, longer":        with(t, append([]byte("more "), content...)),
		"other bytes, shorter":       with(t, content[:5]),
		"connection cut in the file": broken,
	} {
		t.Run(name, func(t *testing.T) { wantFetched(t, fetcher(t, useless, with(t, content)), content) })
	}
}

func TestErrorTellsWhatEachMirrorGave(t *testing.T) {
	content := []byte("the package")
	lacks, other := newMirror(t), with(t, []byte("THE PACKAGE"))
	f := fetcher(t, lacks, other)
	_, err := f.Fetch(context.Background(), thing(content))
	if err == nil || errors.Is(err, ErrSuperseded) {
		t.Fatalf("error %v, want one that is not ErrSuperseded: a mirror had the file, with other bytes", err)
	}
	for _, want := range []string{
		"thing 1.0+deb12u1 (amd64)", "the test",
		lacks.URL + "/debian/" + testPath, "404",
		other.URL + "/debian/" + testPath, "has sha256 " + digest([]byte("THE PACKAGE")) + ", want " + digest(content),
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q:\n%v", want, err)
		}
	}
	if left, _ := os.ReadDir(f.Cache); len(left) != 0 {
		t.Errorf("the cache holds %v after a failure", left)
	}
}

func TestSupersededVersionNamesTheRefreshCommand(t *testing.T) {
	away := newMirror(t)
	away.Close()
	for name, mirrors := range map[string][]*mirrorServer{
		"all lack it":                       {newMirror(t), newMirror(t)},
		"one lacks it, one cannot be asked": {newMirror(t), away},
	} {
		_, err := fetcher(t, mirrors...).Fetch(context.Background(), thing([]byte("x")))
		if !errors.Is(err, ErrSuperseded) || !strings.Contains(err.Error(), RefreshCommand) {
			t.Errorf("%s: %v, want ErrSuperseded with %q", name, err, RefreshCommand)
		}
	}
	if _, err := fetcher(t, away).Fetch(context.Background(), thing([]byte("x"))); err == nil || errors.Is(err, ErrSuperseded) {
		t.Errorf("no mirror answers: %v, want an error that is not ErrSuperseded", err)
	}
}

func TestDamagedCacheIsFetchedAgain(t *testing.T) {
	content := []byte("the package")
	for name, there := range map[string]string{"cut off": "the pac", "empty": "", "changed": "the-package"} {
		t.Run(name, func(t *testing.T) {
			m := with(t, content)
			f := fetcher(t, m)
			write(t, filepath.Join(f.Cache, digest(content)+".deb"), []byte(there))
			wantFetched(t, f, content)
			if m.requests() != 1 {
				t.Errorf("the mirror got %d requests, want 1", m.requests())
			}
		})
	}
}

func TestKilledFetchLeavesNothingThatIsUsed(t *testing.T) {
	content := []byte("the package")
	f := fetcher(t, with(t, content))
	// What a killed run leaves: its part, under its own name.
	part := write(t, filepath.Join(f.Cache, "part-123"), content[:4])
	path, err := f.Fetch(context.Background(), thing(content))
	if err != nil || path == part {
		t.Fatalf("%s, %v", path, err)
	}
	if err := checkFile(path, digest(content), int64(len(content))); err != nil {
		t.Error(err)
	}
}

func TestManyAtOnceGetTheSameFile(t *testing.T) {
	content := []byte(strings.Repeat("the package ", 10000))
	f := fetcher(t, with(t, content))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			path, err := f.Fetch(context.Background(), thing(content))
			if err == nil {
				err = checkFile(path, digest(content), int64(len(content)))
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	wantFetched(t, f, content)
}

func TestOwnFailuresAreNotBlamedOnMirrors(t *testing.T) {
	content := []byte("the package")
	m := with(t, content)
	f := fetcher(t, m)
	f.Cache = write(t, filepath.Join(t.TempDir(), "file"), nil) // no folder can be made there
	if _, err := f.Fetch(context.Background(), thing(content)); err == nil || m.requests() != 0 {
		t.Errorf("error %v after %d requests, want one before any request", err, m.requests())
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := fetcher(t, m).Fetch(ctx, thing(content)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	evil := thing(content)
	evil.Path = "pool/../../secret.deb"
	if _, err := fetcher(t, m).Fetch(context.Background(), evil); err == nil || !strings.Contains(err.Error(), "pool/../../secret.deb") {
		t.Errorf("a path out of the pool: %v", err)
	}
}
