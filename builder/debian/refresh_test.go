package debian

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/google/go-cmp/cmp"
)

var testNow = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func newKey(t testing.TB) *openpgp.Entity {
	t.Helper()
	made := testNow.Add(-time.Hour)
	key, err := openpgp.NewEntity("Archive", "", "archive@test.example", &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, Time: func() time.Time { return made }})
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign1(t testing.TB, key *openpgp.Entity, text string) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := clearsign.Encode(&buf, key.PrivateKey, &packet.Config{Time: func() time.Time { return testNow.Add(-time.Minute) }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// archive is a loopback mirror with three suites.
type archive struct {
	*mirrorServer
	key *openpgp.Entity
	// extra fields of every Release.
	fields string
}

func newArchive(t testing.TB) *archive {
	return &archive{mirrorServer: newMirror(t), key: newKey(t), fields: "Acquire-By-Hash: yes\n"}
}

func stanza(name, version, arch, more string) string {
	return fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: %s\nFilename: pool/main/%s_%s_%s.deb\nSize: 10\nSHA256: %s\n%s\n",
		name, version, arch, name, version, arch, digest([]byte(name+version+arch)), more)
}

// publish puts a suite into the mirror; lists maps architectures to Packages.
func (a *archive) publish(t testing.TB, where, suite string, date time.Time, lists map[string]string) {
	t.Helper()
	base := "/" + where + "/dists/" + suite + "/"
	release := "Codename: " + suite + "\nDate: " + date.Format(time.RFC1123) + "\n" + a.fields + "SHA256:\n"
	for arch, list := range lists {
		packed := compress(t, ".xz", []byte(list))
		name := "main/binary-" + arch + "/Packages.xz"
		release += fmt.Sprintf(" %s %d %s\n", digest(packed), len(packed), name)
		a.files[base+name] = packed
		a.files[base+"main/binary-"+arch+"/by-hash/SHA256/"+digest(packed)] = packed
	}
	a.files[base+"InRelease"] = sign1(t, a.key, release)
}

func (a *archive) mirrors() Mirrors {
	return Mirrors{{Main, a.URL + "/debian", "the test"}, {Security, a.URL + "/debian-security", "the test"}}
}

// sample publishes a release in which root's newest version is in the security
// archive and libx's in the updates.
func sample(t testing.TB) *archive {
	a := newArchive(t)
	suites := map[string]func(arch string) string{
		"bookworm": func(arch string) string {
			return stanza("root", "1.0-1", arch, "Depends: libx (>= 1.1), data\n") + stanza("libx", "1.0", arch, "") +
				stanza("data", "7", "all", "") + stanza("unrelated", "1", arch, "Depends: nowhere\n")
		},
		"bookworm-updates":  func(arch string) string { return stanza("libx", "1.1", arch, "") },
		"bookworm-security": func(arch string) string { return stanza("root", "1.0-1+deb12u1", arch, "Depends: libx, data\n") },
	}
	for suite, list := range suites {
		where, date := Main, testNow.Add(-3*time.Hour)
		if suite == "bookworm-security" {
			where, date = Security, testNow.Add(-2*time.Hour)
		}
		a.publish(t, where, suite, date, map[string]string{"amd64": list("amd64"), "arm64": list("arm64")})
	}
	return a
}

func (a *archive) refresher() *Refresher {
	return &Refresher{Mirrors: a.mirrors(), Keys: openpgp.EntityList{a.key}, Now: func() time.Time { return testNow }}
}

var sampleSpec = Spec{Suite: "bookworm", Architectures: []string{"amd64", "arm64"}, Sets: []SetSpec{{Name: "set", Roots: []string{"root"}}}}

func TestRefreshPinsTheClosureFromAllSuites(t *testing.T) {
	lock, err := sample(t).refresher().Refresh(context.Background(), sampleSpec)
	if err != nil {
		t.Fatal(err)
	}
	pin := func(archive, name, version, arch string) Package {
		return Package{Name: name, Version: version, Architecture: arch, Archive: archive, Size: 10,
			Path: fmt.Sprintf("pool/main/%s_%s_%s.deb", name, version, arch), SHA256: digest([]byte(name + version + arch))}
	}
	names := []string{"data", "libx", "root"}
	want := &Lock{
		Suite: "bookworm", Snapshot: "20260305T030607Z", // a day after the newest Date
		Architectures: []string{"amd64", "arm64"},
		Sets:          []Set{{Name: "set", Roots: []string{"root"}, Closure: map[string][]string{"amd64": names, "arm64": names}}},
		Packages: []Package{
			pin(Main, "data", "7", "all"),
			pin(Main, "libx", "1.1", "amd64"), pin(Main, "libx", "1.1", "arm64"),
			pin(Security, "root", "1.0-1+deb12u1", "amd64"), pin(Security, "root", "1.0-1+deb12u1", "arm64"),
		},
	}
	if diff := cmp.Diff(want, lock); diff != "" {
		t.Errorf("lock (-want +got):\n%s", diff)
	}
	var text bytes.Buffer
	if err := lock.Write(&text); err != nil {
		t.Fatal(err)
	}
	again, err := ReadLock(&text, "again")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(lock, again); diff != "" {
		t.Errorf("written and read (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(sampleSpec, again.Spec()); diff != "" {
		t.Errorf("spec of the lock (-want +got):\n%s", diff)
	}
}

func TestRefreshTrustsNothingUnsigned(t *testing.T) {
	const inRelease = "/debian/dists/bookworm/InRelease"
	const packages = "/debian/dists/bookworm/main/binary-arm64/Packages.xz"
	forged := func(t *testing.T, a *archive, text string) { a.files[inRelease] = sign1(t, a.key, text) }
	for name, tt := range map[string]struct {
		tamper func(t *testing.T, a *archive, r *Refresher)
		want   string
	}{
		"a digit changed in a signed file": {func(t *testing.T, a *archive, _ *Refresher) {
			a.files[inRelease] = bytes.Replace(a.files[inRelease], []byte("Codename: bookworm"), []byte("Codename: bookw0rm"), 1)
		}, "signature is not by one of the embedded Debian keys or does not fit"},
		"another key":                       {func(t *testing.T, a *archive, r *Refresher) { r.Keys = openpgp.EntityList{newKey(t)} }, "signature is not by one of the embedded Debian keys"},
		"the embedded keys are the default": {func(_ *testing.T, _ *archive, r *Refresher) { r.Keys = nil }, "signature is not by one of the embedded Debian keys"},
		"no signature": {func(_ *testing.T, a *archive, _ *Refresher) {
			a.files[inRelease] = []byte("Codename: bookworm\n")
		}, "is not a clear-signed message"},
		"text after the signature": {func(_ *testing.T, a *archive, _ *Refresher) {
			a.files[inRelease] = append(a.files[inRelease], "Codename: x\n"...)
		}, "bytes after its signature"},
		"another suite, well signed": {func(_ *testing.T, a *archive, _ *Refresher) {
			a.files[inRelease] = a.files["/debian/dists/bookworm-updates/InRelease"]
		}, `is for "bookworm-updates", want "bookworm"`},
		"an expired file": {func(t *testing.T, a *archive, _ *Refresher) {
			forged(t, a, "Codename: bookworm\nDate: "+testNow.AddDate(0, 0, -9).Format(time.RFC1123)+"\nValid-Until: "+testNow.AddDate(0, 0, -2).Format(time.RFC1123)+"\n")
		}, "was valid until 2026-03-02T05:06:07Z"},
		"a file from the future": {func(t *testing.T, a *archive, _ *Refresher) {
			forged(t, a, "Codename: bookworm\nDate: "+testNow.AddDate(0, 0, 2).Format(time.RFC1123)+"\n")
		}, "is dated 2026-03-06T05:06:07Z, but it is"},
		"no list for an architecture": {func(t *testing.T, a *archive, _ *Refresher) {
			a.publish(t, Main, "bookworm", testNow, map[string]string{"amd64": stanza("root", "1", "amd64", "")})
		}, "lists no usable main/binary-arm64/Packages.xz"},
		"a package list changed": {func(_ *testing.T, a *archive, _ *Refresher) {
			changed := bytes.Clone(a.files[packages])
			changed[len(changed)-9] ^= 1
			for path := range a.files {
				if strings.HasPrefix(path, "/debian/dists/bookworm/main/binary-arm64/") {
					a.files[path] = changed
				}
			}
		}, "which the signed InRelease states"},
	} {
		t.Run(name, func(t *testing.T) {
			a := sample(t)
			r := a.refresher()
			tt.tamper(t, a, r)
			lock, err := r.Refresh(context.Background(), sampleSpec)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "suite bookworm:") {
				t.Errorf("lock %v, error %v, want one about the suite bookworm that says %q", lock, err, tt.want)
			}
		})
	}
}

func TestRefreshPassesOverABadMirror(t *testing.T) {
	good, bad := sample(t), newArchive(t)
	r := good.refresher()
	r.Mirrors = append(bad.mirrors(), r.Mirrors...)
	if _, err := r.Refresh(context.Background(), sampleSpec); err != nil {
		t.Error(err)
	}
}

func TestRefreshWorksWithoutByHash(t *testing.T) {
	a := sample(t)
	for path := range a.files {
		if strings.Contains(path, "/by-hash/") {
			delete(a.files, path)
		}
	}
	if _, err := a.refresher().Refresh(context.Background(), sampleSpec); err != nil {
		t.Error(err)
	}
}

func TestEmbeddedKeysAreDebians(t *testing.T) {
	keys, err := ArchiveKeys()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, k := range keys {
		got[fmt.Sprintf("%X", k.PrimaryKey.Fingerprint)] = true
		if k.PrivateKey != nil {
			t.Errorf("%v has a private part", k.Identities)
		}
	}
	// As Debian publishes them (ftp-master.debian.org/keys.html).
	want := map[string]bool{
		"4D64FEC119C2029067D6E791F8D2585B8783D481": true,
		"B8B80B5B623EAB6AD8775C45B7C5D7D6350947F8": true,
		"05AB90340C0C5E797F44A8C8254CF3B5AEC0A8F0": true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fingerprints (-want +got):\n%s", diff)
	}
}
