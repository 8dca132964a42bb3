package builder_test

import (
	"archive/tar"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/slipway-k8s/slipway/builder"
	"github.com/slipway-k8s/slipway/distro"
	"github.com/slipway-k8s/slipway/distro/fetch"
	"github.com/slipway-k8s/slipway/internal/testchannel"
)

// archiveChannel is a channel whose component is built from an archive that a
// server on this machine has; asked counts the requests for it.
func archiveChannel(t *testing.T, pinned, served []byte) (c *testchannel.Channel, asked *atomic.Int32, srv *httptest.Server) {
	t.Helper()
	asked = &atomic.Int32{}
	srv = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.URL.Path != "/hello/v1.0.0.tar.gz" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(served)
	}))
	t.Cleanup(srv.Close)
	c = testchannel.New(t)
	c.FromArchive(t, srv.URL+"/hello/{tag}.tar.gz", pinned)
	c.Environ(t)
	t.Setenv("GOPROXY", "off") // all that it needs is in the archive
	return c, asked, srv
}

func TestAComponentIsBuiltFromAPinnedSourceArchive(t *testing.T) {
	// Archives of real repositories hold links, which are passed over.
	archive := testchannel.TarGz(t, testchannel.ArchiveFiles(),
		tar.Header{Typeflag: tar.TypeSymlink, Name: "hello-1.0.0/link", Linkname: "go.mod"})
	c, asked, srv := archiveChannel(t, archive, archive)
	cat, ch := c.Open(t)
	stamp, err := cat.Stamp(ch, testchannel.Component)
	if err != nil {
		t.Fatal(err)
	}
	cache := t.TempDir()
	bin := mustCompile(t, c, cache)
	if want := "hello " + stamp; bin.VersionLine != want {
		t.Errorf("the binary says %q, want %q", bin.VersionLine, want)
	}
	var modules []string
	for _, m := range bin.Modules {
		modules = append(modules, m.Path)
	}
	if got := strings.Join(modules, " "); got != "std example.com/greet example.com/hello" {
		t.Errorf("compiled in: %s", got)
	}
	if asked.Load() != 1 {
		t.Errorf("the archive was asked for %d times, want once", asked.Load())
	}
	b, err := builder.New(t.Context(), cat, ch, builder.Options{CacheDir: cache})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	licences, err := b.Licences(bin.Modules)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range licences {
		names = append(names, f.Path)
	}
	for _, want := range []string{"LICENSES/example.com/greet/LICENSE", "LICENSES/example.com/greet/NOTICE", "LICENSES/example.com/hello/LICENSE", "ATTRIBUTION.txt"} {
		if !slices.Contains(names, want) {
			t.Errorf("the licences lack %s: %v", want, names)
		}
	}
	// The archive stays in the cache: without the server it still builds.
	srv.Close()
	if err := os.RemoveAll(filepath.Join(cache, "binaries")); err != nil {
		t.Fatal(err)
	}
	if again := mustCompile(t, c, cache); again.Sha256 != bin.Sha256 {
		t.Errorf("built again from the cached archive: sha256 %s, want %s", again.Sha256, bin.Sha256)
	}
}

func TestASourceArchiveWithOtherBytesIsRefused(t *testing.T) {
	files := testchannel.ArchiveFiles()
	pinned := testchannel.TarGz(t, files)
	files["hello-1.0.0/LICENSE"] += "changed\n"
	c, _, _ := archiveChannel(t, pinned, testchannel.TarGz(t, files))
	_, ch := c.Open(t)
	_, err := compile(t, c, t.TempDir(), nil)
	wantError(t, err, "channel 1-99: component hello", "source archive", "expected sha256:"+ch.Components["hello"].Sha256, "found sha256:")
	if !errors.Is(err, fetch.ErrChecksum) {
		t.Errorf("the error is no fetch.ErrChecksum: %v", err)
	}
}

func TestACachedSourceArchiveThatChangedIsFetchedAgain(t *testing.T) {
	archive := testchannel.TarGz(t, testchannel.ArchiveFiles())
	c, asked, _ := archiveChannel(t, archive, archive)
	cache := t.TempDir()
	first := mustCompile(t, c, cache)
	cached, err := filepath.Glob(filepath.Join(cache, "sources", "*"))
	if err != nil || len(cached) != 1 {
		t.Fatalf("cached archives: %v (%v)", cached, err)
	}
	if err := errors.Join(flip(cached[0]), os.RemoveAll(filepath.Join(cache, "binaries"))); err != nil {
		t.Fatal(err)
	}
	if again := mustCompile(t, c, cache); again.Sha256 != first.Sha256 || asked.Load() != 2 {
		t.Errorf("sha256 %s after %d requests, want %s after 2", again.Sha256, asked.Load(), first.Sha256)
	}
}

func TestAnEvilSourceArchiveStopsTheBuild(t *testing.T) {
	good := testchannel.ArchiveFiles()
	with := func(name string) map[string]string {
		m := maps.Clone(good)
		m[name] = "evil"
		return m
	}
	for what, archive := range map[string][]byte{
		"a path upwards":   testchannel.TarGz(t, with("../evil")),
		"an absolute path": testchannel.TarGz(t, with("/evil")),
		"a link outside":   testchannel.TarGz(t, good, tar.Header{Typeflag: tar.TypeSymlink, Name: "hello-1.0.0/evil", Linkname: "/etc"}),
		"two folders":      testchannel.TarGz(t, with("evil/evil")),
		"no archive":       []byte("<html>this is an error page with status 200</html>"),
	} {
		t.Run(what, func(t *testing.T) {
			c, _, _ := archiveChannel(t, archive, archive)
			cache := t.TempDir()
			_, err := compile(t, c, cache, nil)
			wantError(t, err, "channel 1-99: component hello", "unpack", "not a source archive")
			if !errors.Is(err, fetch.ErrArchive) {
				t.Errorf("the error is no fetch.ErrArchive: %v", err)
			}
			_ = filepath.WalkDir(cache, func(p string, d os.DirEntry, err error) error {
				if err != nil || strings.Contains(d.Name(), "evil") {
					t.Errorf("written: %s (%v)", p, err)
				}
				return nil
			})
		})
	}
}

func TestAnUnreachableSourceArchiveNamesItsAddress(t *testing.T) {
	archive := testchannel.TarGz(t, testchannel.ArchiveFiles())
	c, _, srv := archiveChannel(t, archive, archive)
	srv.Close()
	_, err := compile(t, c, t.TempDir(), nil)
	wantError(t, err, "channel 1-99: component hello", "source archive", srv.URL+"/hello/v1.0.0.tar.gz", "connection refused")
}

func TestAMissingSourceArchiveSaysSo(t *testing.T) {
	archive := testchannel.TarGz(t, testchannel.ArchiveFiles())
	c, _, srv := archiveChannel(t, archive, archive)
	c.EditRecipe(t, "/hello/{tag}.tar.gz", "/elsewhere/{tag}.tar.gz")
	_, err := compile(t, c, t.TempDir(), nil)
	wantError(t, err, srv.URL+"/elsewhere/v1.0.0.tar.gz", "404 Not Found", "check the address")
}

func TestComponentsFromSourceArchivesAreBuiltOnRequestAlone(t *testing.T) {
	cat, err := distro.Open(distro.Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	names, err := cat.ChannelNames()
	if err != nil {
		t.Fatal(err)
	}
	for _, channel := range names {
		ch, err := cat.Channel(channel)
		if err != nil {
			t.Fatal(err)
		}
		planned := func(sel builder.Selection) (list []string) {
			t.Helper()
			p, err := builder.NewPlan(cat, ch, sel)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range p.Recipes {
				list = append(list, r.Name)
			}
			return list
		}
		usually, asked := planned(builder.Selection{}), planned(builder.Selection{Groups: []string{"csi-node"}})
		for _, name := range []string{"livenessprobe", "node-driver-registrar"} {
			r, err := cat.Recipe(name)
			if err != nil {
				t.Fatal(err)
			}
			if r.Group != "csi-node" || r.Reason == "" || r.Source.Archive == "" {
				t.Errorf("%s: group %q, reason %q, archive %q", name, r.Group, r.Reason, r.Source.Archive)
			}
			if slices.Contains(usually, name) {
				t.Errorf("channel %s: %s is built although nobody asked for it", channel, name)
			}
			if !slices.Contains(asked, name) {
				t.Errorf("channel %s: %s is not built although its group was asked for: %v", channel, name, asked)
			}
		}
	}
}
