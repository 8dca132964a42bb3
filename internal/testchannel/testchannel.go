// Package testchannel makes a small channel for tests: one component out of two
// tiny Go modules, a module proxy in a folder that serves them, and locks that
// pin them. Everything but the compiler is real and works offline.
package testchannel

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/distro"
	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	"golang.org/x/mod/zip"
)

// Channel is a channel in folders of its own.
type Channel struct {
	// Channels and Components are folders to override the built-in ones with.
	Channels, Components string
	// Proxy is the folder of the module proxy, ProxyURL the same for GOPROXY.
	Proxy, ProxyURL string
}

// Name of the channel, of its component and of the dependency it compiles in.
const (
	Name      = "1-99"
	Component = "hello"
	Main      = "example.com/hello"
	Dep       = "example.com/greet"
	Version   = "v1.0.0"
)

var mainFiles = map[string]string{
	"go.mod":  "module example.com/hello\n\ngo 1.24\n\nrequire example.com/greet v1.0.0\n",
	"LICENSE": "MIT License\n\nhello's licence\n",
	"main.go": "package main\n\nimport (\n\t\"fmt\"\n\n\t\"example.com/greet\"\n)\n\nvar version = \"unset\"\n\nfunc main() { fmt.Println(greet.Word, version) }\n",
}

var depFiles = map[string]string{
	"go.mod":   "module example.com/greet\n\ngo 1.24\n",
	"LICENSE":  "Apache License\n\ngreet's licence\n",
	"NOTICE":   "greet's notice\n",
	"greet.go": "package greet\n\n// Word is a greeting.\nconst Word = \"hello\"\n",
}

const recipe = `name: hello
description: a test component
order: 1
folder: hello
source:
  modules: [example.com/hello]
  url: https://example.com/hello
go:
  stamps: {main.version: "{stamp}"}
binaries:
- name: hello
  package: example.com/hello
  path: "bin/{os}/{arch}/hello{exe}"
  version: {args: [], want: "hello {stamp}"}
images:
- name: hello
  repository: test/hello
  description: hello container image
  user: "65532:65532"
  files:
  - {path: /hello, binary: hello}
  entrypoint: [/hello]
  tar: true
archives:
- name: hello-{os}-{arch}-{tag}.tar.gz
  description: hello tarball for {os}/{arch}
  files:
  - {path: hello, binary: hello}
`

const debianLock = `suite: bookworm
snapshot: 20261101T000000Z
architectures: [amd64, arm64]
sets:
- {name: unused, roots: [unused], closure: {amd64: [unused], arm64: [unused]}}
packages:
- name: unused
  version: "1"
  architecture: all
  archive: debian
  path: pool/main/u/unused/unused_1_all.deb
  sha256: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
  size: 1
`

// New makes the channel in a temporary folder, pinned to the toolchain that
// runs the tests.
func New(t testing.TB) *Channel {
	t.Helper()
	return NewIn(t, t.TempDir())
}

// NewIn is New in a given folder, such as one that other users can read.
func NewIn(t testing.TB, dir string) *Channel {
	t.Helper()
	c := &Channel{
		Channels: filepath.Join(dir, "channels"), Components: filepath.Join(dir, "components"), Proxy: filepath.Join(dir, "proxy"),
	}
	c.ProxyURL = "file://" + filepath.ToSlash(c.Proxy)
	var sums bytes.Buffer
	for _, m := range []struct {
		path  string
		files map[string]string
	}{{Dep, depFiles}, {Main, mainFiles}} {
		serve(t, c.Proxy, module.Version{Path: m.path, Version: Version}, m.files, &sums)
	}
	lock := fmt.Sprintf("module slipway.invalid/hello\n\ngo 1.24\n\ngodebug default=go1.24\n\ntool %s\n\nrequire (\n\t%s %s // indirect\n\t%s %s // indirect\n)\n", Main, Dep, Version, Main, Version)
	Write(t, filepath.Join(c.Components, "hello.yaml"), recipe)
	Write(t, filepath.Join(c.Channels, "debian-bookworm.yaml"), debianLock)
	Write(t, filepath.Join(c.Channels, Name, "locks", "hello.mod"), lock)
	Write(t, filepath.Join(c.Channels, Name, "locks", "hello.sum"), sums.String())
	c.SetGo(t, runtime.Version())
	return c
}

// SetGo pins another toolchain.
func (c *Channel) SetGo(t testing.TB, version string) {
	t.Helper()
	Write(t, filepath.Join(c.Channels, Name, "channel.yaml"), fmt.Sprintf(`channel: 1-99
vendor: slipway
release: {number: 1, date: "2026-11-22T00:00:00Z"}
go: %s
platforms: [linux/amd64, linux/arm64]
pauseTag: "3.10"
debian: bookworm
support: {standardEnd: "2030-01-01", extendedEnd: "2031-01-01", upstreamEnd: "2029-12-01"}
components:
  hello: {version: v1.0.0, commit: 0123456789abcdef0123456789abcdef01234567}
`, version))
}

// EditRecipe replaces text in the component's recipe.
func (c *Channel) EditRecipe(t testing.TB, from, to string) {
	t.Helper()
	edit(t, filepath.Join(c.Components, Component+".yaml"), from, to)
}

// EditChannel replaces text in the channel's pins.
func (c *Channel) EditChannel(t testing.TB, from, to string) {
	t.Helper()
	edit(t, filepath.Join(c.Channels, Name, "channel.yaml"), from, to)
}

func edit(t testing.TB, file, from, to string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), from) {
		t.Fatalf("%s does not hold %q", file, from)
	}
	Write(t, file, strings.ReplaceAll(string(b), from, to))
}

// Open reads the catalogue and the channel.
func (c *Channel) Open(t testing.TB) (*distro.Catalog, *distro.Channel) {
	t.Helper()
	cat, err := distro.Open(distro.Overrides{Channels: c.Channels, Components: c.Components})
	if err != nil {
		t.Fatal(err)
	}
	ch, err := cat.Channel(Name)
	if err != nil {
		t.Fatal(err)
	}
	return cat, ch
}

// Environ sets the environment to this proxy and a module cache of its own,
// whose path it returns. The build cache stays: it is the compiler's.
func (c *Channel) Environ(t testing.TB) (modCache string) {
	t.Helper()
	modCache = filepath.Join(t.TempDir(), "mod")
	t.Setenv("GOPROXY", c.ProxyURL)
	t.Setenv("GOMODCACHE", modCache)
	t.Setenv("GOFLAGS", "-modcacherw") // else t.TempDir cannot remove it
	t.Cleanup(func() { MakeWritable(modCache) })
	return modCache
}

// MakeWritable lets a module cache be changed and removed.
func MakeWritable(dir string) {
	_ = filepath.Walk(dir, func(p string, info os.FileInfo, err error) error {
		if err == nil {
			_ = os.Chmod(p, info.Mode()|0o200)
		}
		return nil
	})
}

// Write writes a file and the folders above it.
func Write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// serve puts a module into the proxy's folder and its checksums into sums.
func serve(t testing.TB, proxy string, m module.Version, files map[string]string, sums io.Writer) {
	t.Helper()
	src := t.TempDir()
	for name, content := range files {
		Write(t, filepath.Join(src, name), content)
	}
	var b bytes.Buffer
	if err := zip.CreateFromDir(&b, m, src); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(proxy, filepath.FromSlash(m.Path), "@v")
	Write(t, filepath.Join(dir, m.Version+".zip"), b.String())
	Write(t, filepath.Join(dir, m.Version+".mod"), files["go.mod"])
	Write(t, filepath.Join(dir, m.Version+".info"), fmt.Sprintf(`{"Version":%q}`, m.Version))
	Write(t, filepath.Join(dir, "list"), m.Version+"\n")
	h, err := dirhash.HashZip(filepath.Join(dir, m.Version+".zip"), dirhash.Hash1)
	if err != nil {
		t.Fatal(err)
	}
	hm, err := dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(files["go.mod"])), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(sums, "%s %s %s\n%s %s/go.mod %s\n", m.Path, m.Version, h, m.Path, m.Version, hm)
}
