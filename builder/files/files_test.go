package files

import (
	"archive/tar"
	"bytes"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
)

func write(t *testing.T, entries []File) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := WriteTar(&b, entries); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func sample() []File {
	capable := Bytes("coredns", 0o755, []byte("binary"))
	capable.Xattrs = map[string]string{"security.capability": "\x01\x00\x00\x02"}
	setuid := Bytes("usr/bin/su", 0o755|fs.ModeSetuid, []byte("su"))
	sticky := Dir("tmp", 0o777|fs.ModeSticky)
	return []File{Symlink("usr/bin/sh", "busybox"), setuid, capable, sticky, Bytes("usr/bin/busybox", 0o755, []byte("bb"))}
}

func TestTheOrderOfEntriesDoesNotShowInTheTar(t *testing.T) {
	a := sample()
	b := slices.Clone(a)
	slices.Reverse(b)
	if !bytes.Equal(write(t, a), write(t, b)) {
		t.Error("the same entries in another order give other bytes")
	}
}

func TestATarHoldsNoClockNoNamesAndWhatWasAskedFor(t *testing.T) {
	r := tar.NewReader(bytes.NewReader(write(t, sample())))
	got := map[string]*tar.Header{}
	var order []string
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got[h.Name] = h
		order = append(order, h.Name)
		if !h.ModTime.Equal(Epoch) || h.Uname != "" || h.Gname != "" || h.Uid != 0 || h.Gid != 0 {
			t.Errorf("%s: time %v, owner %q/%d", h.Name, h.ModTime, h.Uname, h.Uid)
		}
	}
	if want := "coredns tmp/ usr/ usr/bin/ usr/bin/busybox usr/bin/sh usr/bin/su"; strings.Join(order, " ") != want {
		t.Errorf("entries %q, want %q", strings.Join(order, " "), want)
	}
	if h := got["usr/bin/su"]; h.Mode != 0o4755 {
		t.Errorf("su: mode %o, want 4755", h.Mode)
	}
	if h := got["tmp/"]; h.Mode != 0o1777 {
		t.Errorf("tmp: mode %o, want 1777", h.Mode)
	}
	if h := got["usr/bin/sh"]; h.Typeflag != tar.TypeSymlink || h.Linkname != "busybox" {
		t.Errorf("sh: %c to %q, want a link to busybox", h.Typeflag, h.Linkname)
	}
	if got["coredns"].PAXRecords["SCHILY.xattr.security.capability"] != "\x01\x00\x00\x02" {
		t.Errorf("coredns: PAX records %q lack the capability", got["coredns"].PAXRecords)
	}
}

func TestWriteTarRefuses(t *testing.T) {
	short := Bytes("a", 0o644, []byte("content"))
	short.Size++
	for name, c := range map[string]struct {
		entries []File
		want    string
	}{
		"a path that leaves the tree":    {[]File{{Path: "../a"}}, "not a clean relative path"},
		"an absolute path":               {[]File{{Path: "/a"}}, "not a clean relative path"},
		"a path twice":                   {[]File{Bytes("a", 0o644, nil), Bytes("a", 0o755, nil)}, "given twice"},
		"a file below a file":            {[]File{Bytes("a", 0o644, nil), Bytes("a/b", 0o644, nil)}, `parent "a" is not a directory`},
		"a device":                       {[]File{{Path: "a", Mode: fs.ModeDevice}}, "only regular files"},
		"a file that changed its length": {[]File{short}, "changed while it was read"},
	} {
		t.Run(name, func(t *testing.T) {
			err := WriteTar(io.Discard, c.entries)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one that says %q", err, c.want)
			}
		})
	}
}
