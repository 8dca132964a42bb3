package testchannel

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"testing"
)

// ArchiveFiles are the component's source as a source archive has it: one
// folder, with what it depends on in a vendor folder.
func ArchiveFiles() map[string]string {
	top := "hello-1.0.0/"
	return map[string]string{
		top + "go.mod":                            mainFiles["go.mod"],
		top + "LICENSE":                           mainFiles["LICENSE"],
		top + "cmd/hello/main.go":                 mainFiles["main.go"],
		top + "vendor/modules.txt":                "# example.com/greet v1.0.0\n## explicit; go 1.24\nexample.com/greet\n",
		top + "vendor/example.com/greet/greet.go": depFiles["greet.go"],
		top + "vendor/example.com/greet/LICENSE":  depFiles["LICENSE"],
		top + "vendor/example.com/greet/NOTICE":   depFiles["NOTICE"],
	}
}

// TarGz packs files, and after them any further entries without content.
func TarGz(t testing.TB, files map[string]string, more ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	write := func(h *tar.Header, content string) {
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		write(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(files[name]))}, files[name])
	}
	for _, h := range more {
		write(&h, "")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// FromArchive makes the component one whose source is the archive at url.
func (c *Channel) FromArchive(t testing.TB, url string, archive []byte) {
	t.Helper()
	c.EditRecipe(t, "  modules: [example.com/hello]\n", "  archive: "+url+"\n  archiveModule: example.com/hello\n")
	c.EditRecipe(t, "  package: example.com/hello\n", "  package: ./cmd/hello\n")
	c.Pin(t, archive)
}

// Pin pins the archive's checksum.
func (c *Channel) Pin(t testing.TB, archive []byte) {
	t.Helper()
	sum := sha256.Sum256(archive)
	c.EditChannel(t, "hello: {version: v1.0.0,", "hello: {version: v1.0.0, sha256: "+hex.EncodeToString(sum[:])+",")
}
