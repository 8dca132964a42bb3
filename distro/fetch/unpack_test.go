package fetch

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tarGz writes entries as a tar.gz file and returns its path. Regular files
// hold their own name.
func tarGz(t *testing.T, entries ...tar.Header) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, h := range entries {
		if h.Typeflag != tar.TypeXGlobalHeader {
			h.Mode = 0o755
		}
		if h.Typeflag == tar.TypeReg {
			h.Size = int64(len(h.Name))
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := w.Write([]byte(h.Name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "source.tar.gz")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func file(name string) tar.Header { return tar.Header{Typeflag: tar.TypeReg, Name: name} }
func dir(name string) tar.Header  { return tar.Header{Typeflag: tar.TypeDir, Name: name} }
func link(name, to string) tar.Header {
	return tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: to}
}

func TestASourceArchiveIsUnpackedWithoutItsLinks(t *testing.T) {
	archive := tarGz(t,
		tar.Header{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"comment": "commit"}},
		dir("app-1/"), file("app-1/go.mod"), file("app-1/cmd/app/main.go"), // cmd/ has no entry of its own
		link("app-1/cloudbuild.yaml", "release-tools/cloudbuild.yaml"), link("app-1/cmd/up", ".."))
	root, err := Unpack(archive, filepath.Join(t.TempDir(), "new", "dst"))
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Base(root) != "app-1" {
		t.Errorf("unpacked into %s, want the archive's own folder app-1", root)
	}
	for _, name := range []string{"go.mod", "cmd/app/main.go"} {
		b, err := os.ReadFile(filepath.Join(root, name))
		if err != nil || string(b) != "app-1/"+name {
			t.Errorf("%s holds %q (%v)", name, b, err)
		}
	}
	for _, name := range []string{"cloudbuild.yaml", "cmd/up"} {
		if _, err := os.Lstat(filepath.Join(root, name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the link %s was unpacked (%v)", name, err)
		}
	}
}

func TestAnEvilArchiveIsRefusedAndWritesNothingOutside(t *testing.T) {
	damaged := tarGz(t, file("app/a"), file("app/b"))
	if err := os.Truncate(damaged, 60); err != nil {
		t.Fatal(err)
	}
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, []byte("this is no gzip stream"), 0o600); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct{ archive, want string }{
		"a path upwards":             {tarGz(t, file("app/ok"), file("../evil")), `"../evil": its path leaves`},
		"a path up and down":         {tarGz(t, file("app/../../evil")), "leaves the archive"},
		"an absolute path":           {tarGz(t, file("/evil")), `"/evil": its path leaves`},
		"an absolute folder":         {tarGz(t, dir("/evil/")), "leaves the archive"},
		"a backslash":                {tarGz(t, file(`app\..\..\evil`)), "leaves the archive"},
		"a link to an absolute path": {tarGz(t, file("app/ok"), link("app/evil", "/etc/passwd")), `link to "/etc/passwd" leaves`},
		"a link upwards":             {tarGz(t, file("app/ok"), link("app/evil", "../../evil")), "leaves the archive"},
		"a link as the folder":       {tarGz(t, link("app", "/tmp"), file("app/evil")), "leaves the archive"},
		"a hard link":                {tarGz(t, tar.Header{Typeflag: tar.TypeLink, Name: "app/evil", Linkname: "/etc/passwd"}), "is of type"},
		"a device":                   {tarGz(t, tar.Header{Typeflag: tar.TypeChar, Name: "app/evil"}), "is of type"},
		"a fifo":                     {tarGz(t, tar.Header{Typeflag: tar.TypeFifo, Name: "app/evil"}), "is of type"},
		"two folders at the top":     {tarGz(t, file("app/ok"), file("evil/file")), "both app and evil"},
		"a file at the top":          {tarGz(t, file("evil")), "holds no folder"},
		"a name twice":               {tarGz(t, file("app/evil"), file("app/evil")), "file exists"},
		"a file as a folder":         {tarGz(t, file("app/evil"), file("app/evil/x")), "app/evil"},
		"nothing":                    {tarGz(t), "holds no folder"},
		"a cut":                      {damaged, "unexpected EOF"},
		"no gzip":                    {plain, "gzip: invalid header"},
	} {
		t.Run(what, func(t *testing.T) {
			around := t.TempDir()
			_, err := Unpack(c.archive, filepath.Join(around, "in", "dst"))
			if err == nil {
				t.Fatal("it was unpacked")
			}
			if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.archive) {
				t.Errorf("got %q, want the archive's path and %q in it", err, c.want)
			}
			_ = filepath.WalkDir(around, func(p string, d os.DirEntry, err error) error {
				if err != nil || p != around && d.Name() != "in" {
					t.Errorf("left behind: %s (%v)", p, err)
				}
				return nil
			})
		})
	}
}

func TestUnpackingStopsAtItsLimits(t *testing.T) {
	archive := tarGz(t, dir("app"), file("app/one"), file("app/two"))
	for what, c := range map[string]struct {
		limits unpackLimits
		ok     bool
	}{
		"as many as are allowed": {unpackLimits{bytes: 14, files: 3}, true},
		"one byte too many":      {unpackLimits{bytes: 13, files: 3}, false},
		"one entry too many":     {unpackLimits{bytes: 14, files: 2}, false},
	} {
		t.Run(what, func(t *testing.T) {
			_, err := unpack(archive, t.TempDir(), c.limits)
			if c.ok && err != nil || !c.ok && !errors.Is(err, ErrArchive) {
				t.Errorf("with the limits %+v: %v", c.limits, err)
			}
		})
	}
}

func TestABombIsNotUnpacked(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	// The header alone says that it is too large: nothing of it is written.
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "app/bomb", Size: sourceLimits.bytes + 1}); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(t.TempDir(), "bomb.tar.gz")
	if err := os.WriteFile(archive, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Unpack(archive, filepath.Join(t.TempDir(), "dst")); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("got %v, want an error that says it is too large", err)
	}
}
