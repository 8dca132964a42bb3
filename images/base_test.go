package images

import (
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"io"
	"io/fs"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/x509roots/fallback/bundle"

	"github.com/slipway-k8s/slipway/builder/files"
)

func baseFile(t *testing.T, name string) (files.File, string) {
	t.Helper()
	for _, f := range append(BaseFiles(), BaseLicences()...) {
		if f.Path != name {
			continue
		}
		if f.Open == nil {
			return f, ""
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		return f, string(b)
	}
	t.Fatalf("the base has no %s", name)
	return files.File{}, ""
}

func TestBaseTrustsWhatMozillaTrustsWithoutConditions(t *testing.T) {
	_, content := baseFile(t, "etc/ssl/certs/ca-certificates.crt")
	want := 0
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			want++
		}
	}
	got := 0
	for block, rest := pem.Decode([]byte(content)); block != nil; block, rest = pem.Decode(rest) {
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			t.Errorf("certificate %d: %v", got, err)
		}
		got++
	}
	if got != want || got < 100 {
		t.Errorf("%d certificates, want %d (and at least 100)", got, want)
	}
	if pool := x509.NewCertPool(); !pool.AppendCertsFromPEM([]byte(content)) {
		t.Error("the bundle is not one that Go reads")
	}
}

func TestBaseKnowsNonroot(t *testing.T) {
	_, users := baseFile(t, "etc/passwd")
	_, groups := baseFile(t, "etc/group")
	if !strings.Contains(users, "nonroot:x:65532:65532:") || !strings.Contains(groups, "nonroot:x:65532:") {
		t.Errorf("passwd:\n%s\ngroup:\n%s", users, groups)
	}
	home, _ := baseFile(t, "home/nonroot")
	if home.UID != NonrootID || home.GID != NonrootID || !home.Mode.IsDir() {
		t.Errorf("home: %+v", home)
	}
	tmp, _ := baseFile(t, "tmp")
	if tmp.Mode != fs.ModeDir|fs.ModeSticky|0o777 {
		t.Errorf("/tmp: %v", tmp.Mode)
	}
}

func TestBaseCarriesTheLicenceOfItsCertificates(t *testing.T) {
	_, text := baseFile(t, "LICENSES/golang.org/x/crypto/x509roots/fallback/LICENSE")
	_, notice := baseFile(t, "LICENSES/golang.org/x/crypto/x509roots/fallback/NOTICE")
	if !strings.Contains(text, "Redistribution and use in source and binary forms") || !strings.Contains(notice, "Mozilla Public") {
		t.Errorf("licence:\n%s\nnotice:\n%s", text, notice)
	}
}

func TestBaseIsALayer(t *testing.T) {
	s := openStore(t)
	all := append(BaseFiles(), BaseLicences()...)
	if l := writeLayer(t, s, Zstd, all...); l.record.Size > 256<<10 {
		t.Errorf("the base is %d bytes", l.record.Size)
	}
}

// The value that `setcap cap_net_bind_service+ep` writes.
func TestCapabilityBytesAreThoseOfSetcap(t *testing.T) {
	const setcap = "0100000200040000000000000000000000000000"
	if got := hex.EncodeToString([]byte(CapNetBindService()["security.capability"])); got != setcap {
		t.Errorf("got %s, want %s", got, setcap)
	}
}

func TestRetryAfterIsReadAndCapped(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "soon": 0, "-3": 0, "100000": maxRetryAfter,
		"Thu, 01 Jan 2026 00:00:30 GMT": 30 * time.Second,
		"Wed, 31 Dec 2025 00:00:00 GMT": 0,
	} {
		if got := retryAfter(header, now); got != want {
			t.Errorf("Retry-After %q: %s, want %s", header, got, want)
		}
	}
}
