package debian

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-k8s/slipway/builder/files"
)

func unpackOf(t testing.TB, name string, entries ...entry) *Unpacked {
	t.Helper()
	u, err := unpackBytes(t, debOf(t, name, ".gz", entries...))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestRootMergesPackages(t *testing.T) {
	tmp := dir("./tmp/")
	tmp.Mode = 0o1777
	root, err := Root([]*Unpacked{
		unpackOf(t, "base", dir("./bin/"), tmp, file("./etc/passwd", "x"), dir("./var/log/"), link("./etc/os-release", "../usr/lib/os-release"),
			file("./usr/lib/os-release", "ID=debian"), dir("./usr/share/doc/base/"), file("./usr/share/doc/base/copyright", "c"), file("./usr/share/doc/base/README", "r")),
		unpackOf(t, "tool", dir("./usr/"), dir("./usr/lib/"), file("./sbin/tool", "t"), file("./lib/x86_64-linux-gnu/libtool.so.1", "l"),
			link("./lib64/ld.so", "/lib/ld.so"), file("./usr/share/man/man1/tool.1.gz", "m"), file("./usr/share/locale/de/tool.mo", "m"),
			link("./usr/share/doc/tool", "base")),
		unpackOf(t, "links", link("./sbin", "usr/sbin"), file("./usr/sbin/other", "o"), file("./usr/manual", "kept")),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(`Lrwxrwxrwx 0:0 bin -> usr/bin
drwxr-xr-x 0:0 etc
Lrwxrwxrwx 0:0 etc/os-release -> ../usr/lib/os-release
Lrwxrwxrwx 0:0 lib -> usr/lib
Lrwxrwxrwx 0:0 lib64 -> usr/lib64
Lrwxrwxrwx 0:0 sbin -> usr/sbin
drwxr-xr-x 0:0 usr
drwxr-xr-x 0:0 usr/bin
drwxr-xr-x 0:0 usr/lib
-rw-r--r-- 0:0 usr/lib/os-release: ID=debian
drwxr-xr-x 0:0 usr/lib/x86_64-linux-gnu
-rw-r--r-- 0:0 usr/lib/x86_64-linux-gnu/libtool.so.1: l
drwxr-xr-x 0:0 usr/lib64
Lrwxrwxrwx 0:0 usr/lib64/ld.so -> /lib/ld.so
-rw-r--r-- 0:0 usr/manual: kept
drwxr-xr-x 0:0 usr/sbin
-rw-r--r-- 0:0 usr/sbin/other: o
-rw-r--r-- 0:0 usr/sbin/tool: t
drwxr-xr-x 0:0 usr/share
drwxr-xr-x 0:0 usr/share/doc
drwxr-xr-x 0:0 usr/share/doc/base
-rw-r--r-- 0:0 usr/share/doc/base/copyright: c
Lrwxrwxrwx 0:0 usr/share/doc/tool -> base
drwxr-xr-x 0:0 var
drwxr-xr-x 0:0 var/lib
drwxr-xr-x 0:0 var/lib/dpkg
drwxr-xr-x 0:0 var/lib/dpkg/status.d
-rw-r--r-- 0:0 var/lib/dpkg/status.d/base: Package: base|Version: 1.0|
-rw-r--r-- 0:0 var/lib/dpkg/status.d/base.md5sums: sums of base|
-rw-r--r-- 0:0 var/lib/dpkg/status.d/links: Package: links|Version: 1.0|
-rw-r--r-- 0:0 var/lib/dpkg/status.d/links.md5sums: sums of links|
-rw-r--r-- 0:0 var/lib/dpkg/status.d/tool: Package: tool|Version: 1.0|
-rw-r--r-- 0:0 var/lib/dpkg/status.d/tool.md5sums: sums of tool|`, "\n")
	var got []string
	for _, line := range listing(t, root) {
		got = append(got, strings.ReplaceAll(line, "\n", "|"))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("root (-want +got):\n%s", diff)
	}
	if err := files.WriteTar(&bytes.Buffer{}, append(root, iptablesLinks()...)); err != nil {
		t.Errorf("as a layer, with the links of iptables: %v", err)
	}
}

func TestPackagesThatDisagreeAreRefused(t *testing.T) {
	for name, tt := range map[string]struct{ a, b entry }{
		"two files":                      {file("./usr/bin/x", "1"), file("./usr/bin/x", "2")},
		"two files, once through a link": {file("./bin/x", "1"), file("./usr/bin/x", "2")},
		"two links":                      {link("./usr/bin/x", "y"), link("./usr/bin/x", "z")},
		"a file and a folder":            {file("./usr/bin/x", "1"), dir("./usr/bin/x")},
		"a folder and a link":            {dir("./usr/bin/x"), link("./usr/bin/x", "y")},
	} {
		if _, err := Root([]*Unpacked{unpackOf(t, "aa", tt.a), unpackOf(t, "bb", tt.b)}); err == nil || err.Error() != "Debian packages aa and bb both have /usr/bin/x" {
			t.Errorf("%s: %v", name, err)
		}
	}
	same := []*Unpacked{unpackOf(t, "aa", link("./usr/bin/x", "y")), unpackOf(t, "bb", link("./usr/bin/x", "y"))}
	if _, err := Root(same); err != nil {
		t.Errorf("two equal links: %v", err)
	}
	if _, err := Root([]*Unpacked{unpackOf(t, "aa", link("./lib", "/elsewhere"))}); err == nil || !strings.Contains(err.Error(), "/lib is neither a folder nor the link to usr/lib") {
		t.Errorf("another link for lib: %v", err)
	}
}
