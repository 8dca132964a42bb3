package publish_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	modzip "golang.org/x/mod/zip"

	"github.com/slipway-k8s/slipway/builder"
	"github.com/slipway-k8s/slipway/distro"
	"github.com/slipway-k8s/slipway/distro/release"
	"github.com/slipway-k8s/slipway/images/publish"
)

// tiny is a distribution of two components that compile in a moment, from a
// module behind a proxy on disk: the whole way from pin to Release, offline.
type tiny struct {
	over  distro.Overrides
	cache string
	out   string
	// manifest is the path of the Release.
	manifest string
}

const (
	tinyModule  = "example.test/tiny"
	tinyVersion = "v1.0.0"
	tinyRelease = "kubernetes-1-99-slipway-1"
)

// master is a published tiny, made by the first test that asks for one.
var master struct {
	once sync.Once
	dir  string
}

func TestMain(m *testing.M) {
	code := m.Run()
	if master.dir != "" {
		makeWritable(filepath.Join(master.dir, "mod"))
		_ = os.RemoveAll(master.dir)
	}
	os.Exit(code)
}

// newTiny returns a published tiny that the test may spoil. Module proxy, module
// cache and Slipway's cache are shared by all tests.
func newTiny(t *testing.T) *tiny {
	t.Helper()
	first := false
	master.once.Do(func() {
		first = true
		dir, err := os.MkdirTemp("", "slipway-tiny-")
		if err != nil {
			t.Fatal(err)
		}
		master.dir = dir
		makeTiny(t, dir)
	})
	useProxy(t, master.dir)
	d := tinyIn(master.dir)
	if first {
		d.publish(t)
	}
	mine := tinyIn(t.TempDir())
	mine.cache = d.cache
	for from, to := range map[string]string{d.out: mine.out, d.over.Channels: mine.over.Channels, d.over.Components: mine.over.Components} {
		if err := os.CopyFS(to, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	return mine
}

func tinyIn(dir string) *tiny {
	out := filepath.Join(dir, "out")
	return &tiny{
		over:  distro.Overrides{Channels: filepath.Join(dir, "channels"), Components: filepath.Join(dir, "components")},
		cache: filepath.Join(dir, "cache"), out: out, manifest: filepath.Join(out, "kubernetes-1-99", tinyRelease+".yaml"),
	}
}

func useProxy(t *testing.T, dir string) {
	t.Setenv("GOPROXY", "file://"+filepath.ToSlash(filepath.Join(dir, "proxy")))
	t.Setenv("GOSUMDB", "off") // the lock's sums count all the same
	t.Setenv("GOMODCACHE", filepath.Join(dir, "mod"))
}

func makeTiny(t *testing.T, dir string) {
	t.Helper()
	sums := tinyProxy(t, filepath.Join(dir, "proxy"))
	debianLock, err := os.ReadFile("../../distro/channels/debian-bookworm.yaml")
	if err != nil {
		t.Fatal(err)
	}
	writeTree(t, dir, map[string]string{
		"channels/1-99/channel.yaml":    tinyChannel(t),
		"channels/debian-bookworm.yaml": string(debianLock),
		"components/tiny.yaml":          tinyRecipe("tiny", 1),
		"components/mini.yaml":          tinyRecipe("mini", 2),
		"channels/1-99/locks/tiny.mod":  tinyLock("tiny"),
		"channels/1-99/locks/tiny.sum":  sums,
		"channels/1-99/locks/mini.mod":  tinyLock("mini"),
		"channels/1-99/locks/mini.sum":  sums,
	})
}

// tinyChannel is for linux on both architectures with the toolchain of the real
// channels, which is the one at hand.
func tinyChannel(t *testing.T) string {
	t.Helper()
	cat, err := distro.Open(distro.Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	ch, err := cat.Channel("")
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`channel: 1-99
vendor: slipway
release: {number: 1, date: "2026-01-02T00:00:00Z"}
go: %s
platforms: [linux/amd64, linux/arm64]
pauseTag: "3.10"
debian: bookworm
support: {standardEnd: "2027-08-02", extendedEnd: "2028-08-02", upstreamEnd: "2027-06-28"}
components:
  tiny: {version: %s}
  mini: {version: %[2]s}
`, ch.Go, tinyVersion)
}

func tinyRecipe(name string, order int) string {
	return strings.ReplaceAll(fmt.Sprintf(`name: NAME
description: A program that says its version
order: %d
folder: NAME
source:
  modules: [%s]
go:
  stamps: {main.version: "{stamp}"}
binaries:
- name: NAME
  package: %[2]s/cmd/NAME
  path: bin/{os}/{arch}/NAME{exe}
  version: {args: [], want: "{stamp}"}
images:
- name: NAME
  repository: example/NAME
  user: "65532"
  files: [{path: /NAME, binary: NAME}]
  entrypoint: [/NAME]
  tar: true
archives:
- name: NAME-{os}-{arch}-{tag}.tar.gz
  description: NAME for {os}/{arch}
  files: [{path: bin/NAME, binary: NAME}]
`, order, tinyModule), "NAME", name)
}

func tinyLock(name string) string {
	return fmt.Sprintf("module slipway.invalid/%s\n\ngo 1.26\n\ngodebug default=go1.26\n\ntool %s/cmd/%[1]s\n\nrequire %[2]s %s\n", name, tinyModule, tinyVersion)
}

// tinyProxy writes a module proxy and returns the go.sum for its one module.
func tinyProxy(t *testing.T, proxy string) string {
	t.Helper()
	src := t.TempDir()
	main := "package main\n\nimport \"os\"\n\nvar version = \"none\"\n\nfunc main() { os.Stdout.WriteString(version + \"\\n\") }\n"
	goMod := "module " + tinyModule + "\n\ngo 1.26\n"
	writeTree(t, src, map[string]string{"go.mod": goMod, "LICENSE": "MIT License\n", "cmd/tiny/main.go": main, "cmd/mini/main.go": main + "\n// Another one.\n"})
	var zip bytes.Buffer
	m := module.Version{Path: tinyModule, Version: tinyVersion}
	if err := modzip.CreateFromDir(&zip, m, src); err != nil {
		t.Fatal(err)
	}
	at := tinyModule + "/@v/" + tinyVersion
	writeTree(t, proxy, map[string]string{
		at + ".info": `{"Version":"` + tinyVersion + `"}`, at + ".mod": goMod, at + ".zip": zip.String(),
		tinyModule + "/@v/list": tinyVersion + "\n",
	})
	ofZip, err := dirhash.HashZip(filepath.Join(proxy, at+".zip"), dirhash.Hash1)
	if err != nil {
		t.Fatal(err)
	}
	ofMod, err := dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) { return os.Open(filepath.Join(src, "go.mod")) })
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s %s %s\n%[1]s %[2]s/go.mod %[4]s\n", tinyModule, tinyVersion, ofZip, ofMod)
}

func (d *tiny) catalog(t *testing.T) *distro.Catalog {
	t.Helper()
	cat, err := distro.Open(d.over)
	if err != nil {
		t.Fatal(err)
	}
	return cat
}

// publish builds the whole release.
func (d *tiny) publish(t *testing.T) {
	t.Helper()
	cat := d.catalog(t)
	ch, err := cat.Channel("1-99")
	if err != nil {
		t.Fatal(err)
	}
	plan, err := builder.NewPlan(cat, ch, builder.Selection{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := builder.New(t.Context(), cat, ch, builder.Options{CacheDir: d.cache})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if _, err := publish.Run(t.Context(), b, plan, publish.Options{Out: d.out}); err != nil {
		t.Fatal(err)
	}
}

func (d *tiny) options(t *testing.T) publish.VerifyOptions {
	return publish.VerifyOptions{
		Catalog: d.catalog(t), Builder: builder.Options{CacheDir: d.cache}, Temp: t.TempDir(),
		ReuseGoCache: true, // or the standard library is compiled for each test
	}
}

// rewrite changes a published release and binds the changed record to it, as a
// publisher that is careless or worse might.
func rewrite(t *testing.T, manifest string, change func(*release.Release, *release.Record)) {
	t.Helper()
	rel, err := release.Read(bytes.NewReader(readFile(t, manifest)), manifest)
	if err != nil {
		t.Fatal(err)
	}
	recordFile := strings.TrimSuffix(manifest, ".yaml") + ".record.json"
	rec := &release.Record{}
	if err := json.Unmarshal(readFile(t, recordFile), rec); err != nil {
		t.Fatal(err)
	}
	change(rel, rec)
	var raw, text bytes.Buffer
	if err := release.WriteRecord(&raw, rec); err != nil {
		t.Fatal(err)
	}
	release.Bind(rel, raw.Bytes())
	if err := release.Write(&text, rel); err != nil {
		t.Fatal(err)
	}
	writeTree(t, filepath.Dir(manifest), map[string]string{filepath.Base(recordFile): raw.String(), filepath.Base(manifest): text.String()})
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func writeTree(t *testing.T, dir string, content map[string]string) string {
	t.Helper()
	for name, text := range content {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// makeWritable undoes the go command's protection of its module cache.
func makeWritable(dir string) {
	_ = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_ = os.Chmod(p, 0o755)
		}
		return nil
	})
}
