package debian

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-k8s/slipway/builder/files"
)

func unpackBytes(t testing.TB, deb []byte) (*Unpacked, error) {
	t.Helper()
	return Unpack(write(t, filepath.Join(t.TempDir(), "test.deb"), deb), t.TempDir())
}

// listing shows entries as "mode owner path -> link: content".
func listing(t testing.TB, all []files.File) []string {
	t.Helper()
	var lines []string
	for _, f := range all {
		line := fmt.Sprintf("%v %d:%d %s", f.Mode, f.UID, f.GID, f.Path)
		if f.Link != "" {
			line += " -> " + f.Link
		}
		if f.Open != nil {
			r, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(r)
			r.Close()
			if err != nil {
				t.Fatal(err)
			}
			if int64(len(text)) != f.Size {
				t.Errorf("%s has %d bytes, Size says %d", f.Path, len(text), f.Size)
			}
			line += ": " + string(text)
		}
		lines = append(lines, line)
	}
	return lines
}

func TestPackageIsUnpackedWhateverItsCompression(t *testing.T) {
	setuid := file("./usr/bin/setuid", "s")
	setuid.Mode, setuid.Gid = 0o4755, 50
	hard := entry{Header: tar.Header{Name: "./usr/bin/hard", Typeflag: tar.TypeLink, Linkname: "./usr/bin/setuid"}}
	for _, ending := range []string{".xz", ".zst", ".gz", ""} {
		u, err := unpackBytes(t, debOf(t, "thing", ending,
			dir("./"), dir("./usr/"), dir("./usr/bin/"), setuid, hard, file("./usr/bin/empty", ""), file("./usr/bin/b", "content of b"),
			link("./usr/bin/rel", "../lib/x"), link("./usr/bin/abs", "/etc/x")))
		if err != nil {
			t.Fatalf("%q: %v", ending, err)
		}
		if u.Name != "thing" || string(u.Control) != "Package: thing\nVersion: 1.0\n" || string(u.MD5Sums) != "sums of thing\n" {
			t.Errorf("%q: name %q, control %q, md5sums %q", ending, u.Name, u.Control, u.MD5Sums)
		}
		want := []string{
			"drwxr-xr-x 0:0 usr", "drwxr-xr-x 0:0 usr/bin",
			"urwxr-xr-x 0:50 usr/bin/setuid: s", "urwxr-xr-x 0:50 usr/bin/hard: s",
			"-rw-r--r-- 0:0 usr/bin/empty: ", "-rw-r--r-- 0:0 usr/bin/b: content of b",
			"Lrwxrwxrwx 0:0 usr/bin/rel -> ../lib/x", "Lrwxrwxrwx 0:0 usr/bin/abs -> /etc/x",
		}
		if diff := cmp.Diff(want, listing(t, u.Files)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", ending, diff)
		}
	}
}

func TestEvilPackagesAreRefused(t *testing.T) {
	typed := func(name string, kind byte, target string) entry {
		return entry{Header: tar.Header{Name: name, Typeflag: kind, Mode: 0o644, Linkname: target}}
	}
	for name, tt := range map[string]struct {
		entries []entry
		want    string
	}{
		"absolute path":                 {[]entry{file("/etc/passwd", "x")}, `entry "/etc/passwd": the path is absolute`},
		"path that leads out":           {[]entry{file("./usr/../../etc/passwd", "x")}, "leads out of the package"},
		"path that leads up and stays":  {[]entry{file("./usr/../etc/passwd", "x")}, "leads out of the package"},
		"link that leads out":           {[]entry{link("./usr/x", "../../etc/passwd")}, `the link to "../../etc/passwd" leads out`},
		"link without target":           {[]entry{link("./usr/x", "")}, "leads out"},
		"hard link that leads out":      {[]entry{typed("./x", tar.TypeLink, "../../etc/passwd")}, "leads out of the package"},
		"hard link to an absolute path": {[]entry{typed("./x", tar.TypeLink, "/etc/passwd")}, "the path is absolute"},
		"hard link to nothing":          {[]entry{typed("./x", tar.TypeLink, "./y")}, "which is no file before it"},
		"hard link to a link":           {[]entry{link("./y", "/etc/passwd"), typed("./x", tar.TypeLink, "./y")}, "which is no file before it"},
		"device":                        {[]entry{typed("./dev/sda", tar.TypeBlock, "")}, "only files, directories and links are taken"},
		"pipe":                          {[]entry{typed("./pipe", tar.TypeFifo, "")}, "only files, directories and links are taken"},
		"the same path twice":           {[]entry{file("./x", "1"), file("x", "2")}, "is there twice"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := unpackBytes(t, debOf(t, "evil", ".gz", tt.entries...))
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "test.deb: data.tar.gz: ") {
				t.Errorf("error %v, want one that says %q", err, tt.want)
			}
		})
	}
}

func TestFilesThroughALinkOfThePackageAreRefused(t *testing.T) {
	u, err := unpackBytes(t, debOf(t, "evil", ".gz", link("./usr/x", "/etc"), file("./usr/x/passwd", "x")))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Root([]*Unpacked{u}); err == nil || !strings.Contains(err.Error(), `its parent "usr/x" is not a directory`) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestMalformedPackagesAreRefused(t *testing.T) {
	good := debOf(t, "thing", ".xz", file("./x", strings.Repeat("content ", 999)))
	two, control, data := arFile{"debian-binary", []byte("2.0\n")}, arFile{"control.tar", tarOf(t, file("control", "Package: thing\n"))}, arFile{"data.tar", tarOf(t)}
	for name, deb := range map[string][]byte{
		"empty":                  {},
		"no archive":             []byte("<html>404</html>"),
		"cut off":                good[:len(good)-30],
		"cut in an ar header":    good[:8+60+4+20],
		"only the magic":         good[:8],
		"negative size":          bytes.Replace(good, []byte("4         `"), []byte("-4        `"), 1),
		"a broken stream":        append(bytes.Clone(good[:len(good)-400]), bytes.Repeat([]byte{7}, 400)...),
		"no data":                arOf(t, two, control),
		"the wrong order":        arOf(t, two, data, control),
		"another format":         arOf(t, arFile{"debian-binary", []byte("3.0\n")}, control, data),
		"an unknown compression": arOf(t, two, control, arFile{"data.tar.bz2", data.content}),
		"no control file":        arOf(t, two, arFile{"control.tar", tarOf(t)}, data),
		"a name that is a path":  arOf(t, two, arFile{"control.tar", tarOf(t, file("control", "Package: ../thing\n"))}, data),
	} {
		t.Run(name, func(t *testing.T) {
			if u, err := unpackBytes(t, deb); err == nil {
				t.Errorf("was read as %+v", u)
			} else if !strings.Contains(err.Error(), "test.deb") {
				t.Errorf("the error does not name the file: %v", err)
			}
		})
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(debOf(f, "thing", ".gz", file("./x", "content")))
	f.Add(debOf(f, "thing", ".xz", file("./x", "content"), link("y", "x")))
	f.Add(debOf(f, "thing", "", dir("./usr"), file("./usr/x", "content")))
	f.Fuzz(func(t *testing.T, deb []byte) {
		u, err := unpackBytes(t, deb)
		if err != nil {
			return
		}
		for _, e := range u.Files {
			if !filepath.IsLocal(e.Path) {
				t.Errorf("path %q is not inside", e.Path)
			}
		}
	})
}
