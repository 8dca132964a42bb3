package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ulikunitz/xz"

	"github.com/slipway-k8s/slipway/builder/debian"
	"github.com/slipway-k8s/slipway/internal/cli"
)

func TestDebianListsSetsWithTheirPackages(t *testing.T) {
	out, code, err := run(t, "debian")
	if code != cli.ExitDone {
		t.Fatal(err)
	}
	want(t, out, "Debian bookworm as of ", "SET PACKAGE VERSION ARCHITECTURES ARCHIVE", "kube-proxy iptables 1.8.9-2 amd64,arm64 debian")
	var list []listedPackage
	out, _, _ = run(t, "debian", "-o", "json")
	if err := json.Unmarshal([]byte(out), &list); err != nil || len(list) == 0 {
		t.Errorf("%v: %s", err, out)
	}
	if _, code, err := run(t, "debian", "--suite", "slink"); code != cli.ExitUsage || !strings.Contains(err.Error(), "slink") {
		t.Errorf("an unknown suite: exit code %d, %v", code, err)
	}
}

// TestRefreshCommandExists holds builder/debian's advice to the command that it
// names: an error that sends people to a command that is not there helps nobody.
func TestRefreshCommandExists(t *testing.T) {
	words := strings.Fields(debian.RefreshCommand)
	root := newRoot()
	c, rest, err := root.Find(words[1:])
	if err != nil || root.Name() != words[0] || c == root {
		t.Fatalf("%q is no command of %s (%v)", debian.RefreshCommand, root.Name(), err)
	}
	if err := c.ParseFlags(rest); err != nil {
		t.Errorf("%q: %v", debian.RefreshCommand, err)
	}
}

func TestRefreshWritesTheLockAndSaysWhatChanged(t *testing.T) {
	dir := channelsCopy(t)
	m := newDebianMirror(t, "2.0")
	f := debianFlags{refresh: true, channels: dir, mirrors: []string{m.URL}}
	place := filepath.Join(dir, "debian-bookworm.yaml")
	if err := writeLock(place, &debian.Lock{
		Suite: "bookworm", Snapshot: "20260101T000000Z", Architectures: []string{"amd64"},
		Sets:     []debian.Set{{Name: "tools", Roots: []string{"tool"}, Closure: map[string][]string{"amd64": {"tool"}}}},
		Packages: []debian.Package{{Name: "tool", Version: "1.0", Architecture: "amd64", Archive: "debian", Path: "pool/t.deb", SHA256: strings.Repeat("a", 64), Size: 1}},
	}); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := runDebian(t.Context(), &out, f, "text", m.keys); err != nil {
		t.Fatal(err)
	}
	want(t, out.String(), "tool amd64 1.0 2.0", "1 package changed")
	after := readFile(t, place)
	want(t, after, "version: \"2.0\"", "slipway-release debian --refresh")

	out.Reset()
	if err := runDebian(t.Context(), &out, f, "json", m.keys); err != nil {
		t.Fatal(err)
	}
	if strings.TrimSpace(out.String()) != "[]" || readFile(t, place) != after {
		t.Errorf("a second refresh changed something: %s", out.String())
	}
}

func TestRefreshWithAnotherSignatureLeavesTheLock(t *testing.T) {
	dir := channelsCopy(t)
	m := newDebianMirror(t, "2.0")
	place := filepath.Join(dir, "debian-bookworm.yaml")
	before := readFile(t, place)
	// Debian's own keys did not sign this mirror's indexes.
	_, code, err := run(t, "debian", "--refresh", "--channels", dir, "--debian-mirror", m.URL)
	if code != cli.ExitFailed || !strings.Contains(err.Error(), "InRelease") {
		t.Errorf("exit code %d, %v", code, err)
	}
	if readFile(t, place) != before {
		t.Error("the lock was changed by unsigned indexes")
	}
}

// debianMirror serves the three suites of a release that has one package.
type debianMirror struct {
	*httptest.Server
	keys openpgp.EntityList
}

func newDebianMirror(t *testing.T, version string) *debianMirror {
	t.Helper()
	key, err := openpgp.NewEntity("Archive", "", "archive@test.example", nil)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for suite, where := range map[string]string{"bookworm": "debian", "bookworm-updates": "debian", "bookworm-security": "debian-security"} {
		list := ""
		if suite == "bookworm" {
			list = fmt.Sprintf("Package: tool\nVersion: %s\nArchitecture: amd64\nFilename: pool/t_%s.deb\nSize: 10\nSHA256: %064d\n\n", version, version, 7)
		}
		packed := packXZ(t, list)
		base := "/" + where + "/dists/" + suite + "/"
		for _, arch := range []string{"amd64", "arm64"} {
			files[base+"main/binary-"+arch+"/Packages.xz"] = packed
		}
		release := fmt.Sprintf("Codename: %s\nDate: %s\nSHA256:\n %x %d main/binary-amd64/Packages.xz\n %[3]x %[4]d main/binary-arm64/Packages.xz\n",
			suite, time.Now().UTC().Add(-time.Hour).Format(time.RFC1123), sha256.Sum256(packed), len(packed))
		files[base+"InRelease"] = clearSign(t, key, release)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, ok := files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(content)
	}))
	t.Cleanup(s.Close)
	return &debianMirror{s, openpgp.EntityList{key}}
}

func packXZ(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := xz.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func clearSign(t *testing.T, key *openpgp.Entity, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := clearsign.Encode(&b, key.PrivateKey, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
