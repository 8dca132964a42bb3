package debian

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const testSnapshot = "20260102T030405Z"

var permanent = Mirrors{
	{Main, "https://snapshot.debian.org/archive/debian/" + testSnapshot, "Debian's permanent archive"},
	{Security, "https://snapshot.debian.org/archive/debian-security/" + testSnapshot, "Debian's permanent archive"},
}

func TestFlagIsTheOnlyMirror(t *testing.T) {
	apt := t.TempDir()
	write(t, filepath.Join(apt, "sources.list"), []byte("deb http://apt.example/debian bookworm main\n"))
	for flag, want := range map[string]Mirrors{
		"https://m.example":                            {{Main, "https://m.example/debian", "the flag"}, {Security, "https://m.example/debian-security", "the flag"}},
		"https://m.example/a/debian/":                  {{Main, "https://m.example/a/debian", "the flag"}, {Security, "https://m.example/a/debian-security", "the flag"}},
		"debian-security=http://m.example:8080/remote": {{Security, "http://m.example:8080/remote", "the flag"}},
	} {
		got, err := FindMirrors([]string{flag}, apt, testSnapshot)
		if err != nil {
			t.Errorf("%s: %v", flag, err)
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", flag, diff)
		}
	}
	for _, flag := range []string{"ftp://m.example/debian", "m.example", "ubuntu=https://m.example", "https://m.example/?a=b", ""} {
		if got, err := FindMirrors([]string{flag}, apt, testSnapshot); err == nil || !strings.Contains(err.Error(), `mirror "`+flag) {
			t.Errorf("%q: %v, %v, want an error that names it", flag, got, err)
		}
	}
}

func TestAptConfigurationComesBeforeThePermanentArchive(t *testing.T) {
	apt := t.TempDir()
	list := write(t, filepath.Join(apt, "sources.list"), []byte(`
# deb http://commented.example/debian bookworm main
deb [arch=amd64 signed-by=/usr/share/keyrings/x.gpg] http://one.example/debian/ bookworm main contrib # main
deb http://one.example/debian bookworm-updates main
deb-src http://source.example/debian bookworm main
deb http://one.example/security bookworm-security main
deb cdrom:[Debian]/ bookworm main
`))
	sources := write(t, filepath.Join(apt, "sources.list.d", "debian.sources"), []byte(`Types: deb deb-src
URIs: https://two.example/debian
 https://three.example/debian
Suites: trixie trixie-updates
Components: main

Types: deb
URIs: https://off.example/debian
Suites: bookworm
Components: main
Enabled: no
`))
	write(t, filepath.Join(apt, "sources.list.d", "docker.list"), []byte("deb https://docker.example/linux/debian bookworm stable\n"))
	write(t, filepath.Join(apt, "sources.list.d", "ubuntu.list"), []byte("deb https://ubuntu.example/ubuntu noble main\n"))
	write(t, filepath.Join(apt, "sources.list.d", "pg.list"), []byte("deb https://pg.example/apt bookworm-pgdg main\n"))
	write(t, filepath.Join(apt, "sources.list.d", "broken.sources"), []byte("what is this\n"))
	write(t, filepath.Join(apt, "sources.list.d", "old.list.save"), []byte("deb http://saved.example/debian bookworm main\n"))
	got, err := FindMirrors(nil, apt, testSnapshot)
	if err != nil {
		t.Fatal(err)
	}
	want := append(Mirrors{
		{Main, "http://one.example/debian", list},
		{Security, "http://one.example/security", list},
		{Main, "https://two.example/debian", sources},
		{Main, "https://three.example/debian", sources},
	}, permanent...)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("mirrors (-want +got):\n%s", diff)
	}
}

func TestHostWithoutAptUsesThePermanentArchive(t *testing.T) {
	got, err := FindMirrors(nil, filepath.Join(t.TempDir(), "none"), testSnapshot)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(permanent, got); diff != "" {
		t.Errorf("mirrors (-want +got):\n%s", diff)
	}
}
