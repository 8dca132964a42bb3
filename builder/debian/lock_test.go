package debian

import (
	"os"
	"strings"
	"testing"
)

const goodLock = `
suite: bookworm
snapshot: 20260102T030405Z
architectures: [amd64, arm64]
sets:
- name: box
  roots: [box]
  closure: {amd64: [box, doc], arm64: [box, doc]}
packages:
- {name: box, version: "1", architecture: amd64, archive: debian, path: pool/b/box.deb, size: 1, sha256: SUM}
- {name: box, version: "1", architecture: arm64, archive: debian, path: pool/b/box.deb, size: 1, sha256: SUM}
- {name: doc, version: "1", architecture: all, archive: debian-security, path: pool/d/doc.deb, size: 1, sha256: SUM}
`

func readTestLock(text string) (*Lock, error) {
	return ReadLock(strings.NewReader(strings.ReplaceAll(text, "SUM", strings.Repeat("0a", 32))), "test.yaml")
}

func TestLockListsASet(t *testing.T) {
	l, err := readTestLock(goodLock)
	if err != nil {
		t.Fatal(err)
	}
	packages, err := l.PackagesOf("box", "arm64")
	if err != nil || len(packages) != 2 || packages[0].String() != "box 1 (arm64)" || packages[1].String() != "doc 1 (all)" {
		t.Errorf("%v, %v", packages, err)
	}
	if _, err := l.PackagesOf("bax", "arm64"); err == nil || !strings.Contains(err.Error(), `no set is called "bax"; there are box`) {
		t.Errorf("unknown set: %v", err)
	}
	if _, err := l.PackagesOf("box", "s390x"); err == nil || !strings.Contains(err.Error(), `"s390x"; it has amd64, arm64`) {
		t.Errorf("unknown architecture: %v", err)
	}
}

func TestMalformedLockIsRefused(t *testing.T) {
	for _, tt := range []struct{ old, new, want string }{
		{"suite: bookworm", "suites: bookworm", `unknown field "suites"`},
		{"suite: bookworm", "suite: ../x", `suite "../x"`},
		{"20260102T030405Z", "yesterday", `snapshot "yesterday"`},
		{"[amd64, arm64]", "[]", "0 architectures"},
		{"path: pool/d/doc.deb", "path: https://host/doc.deb", `packages[2] (doc): path "https://host/doc.deb"`},
		{"path: pool/d/doc.deb", "path: pool/../../doc.deb", `path "pool/../../doc.deb"`},
		{"debian-security", "ubuntu", `archive "ubuntu"`},
		{"architecture: all", "architecture: s390x", `architecture "s390x"`},
		{"sha256: SUM}\n-", "sha256: SUMx}\n-", "is not 64 lower-case hex digits"},
		{"size: 1, sha", "size: 0, sha", "size 0"},
		{"name: doc", "name: dok", "needs doc for amd64, which is not pinned"},
		{"roots: [box]", "roots: [cat]", "lacks its root cat"},
		{"name: doc, version: \"1\", architecture: all", "name: box, version: \"2\", architecture: amd64", "packages[2]: box amd64 is pinned twice"},
		{"amd64: [box, doc], ", "", `set box has nothing for architecture "amd64"`},
	} {
		text := strings.Replace(goodLock, tt.old, tt.new, 1)
		if _, err := readTestLock(text); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "test.yaml") {
			t.Errorf("%q for %q: %v, want an error that says %q", tt.new, tt.old, err, tt.want)
		}
	}
}

// The lock that the channels use.
const lockFile = "../../distro/channels/debian-bookworm.yaml"

func openLock(t testing.TB) *Lock {
	t.Helper()
	f, err := os.Open(lockFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	l, err := ReadLock(f, lockFile)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestPublishedLockIsWellFormedAndNamesNoHost(t *testing.T) {
	l := openLock(t)
	var text strings.Builder
	if err := l.Write(&text); err != nil {
		t.Fatal(err)
	}
	there, err := os.ReadFile(lockFile)
	if err != nil {
		t.Fatal(err)
	}
	if text.String() != string(there) {
		t.Errorf("%s is not as %s writes it", lockFile, RefreshCommand)
	}
	if strings.Contains(string(there), "://") {
		t.Error("it names a host")
	}
	for _, set := range []string{"kube-proxy", "busybox", "runc"} {
		for _, arch := range []string{"amd64", "arm64"} {
			if _, err := l.PackagesOf(set, arch); err != nil {
				t.Error(err)
			}
		}
	}
}
