package release

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	eksd118 = "kubernetes-1-18-eks-4.yaml"
	eksd121 = "kubernetes-1-21-eks-4.yaml"
	eksd133 = "kubernetes-1-33-eks-20.yaml"
)

var eksdReleases = []string{eksd118, eksd121, eksd133}

func readEKSD(t testing.TB, file string) *Release {
	t.Helper()
	r, err := Read(bytes.NewReader(readFile(t, file)), file)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func readFile(t testing.TB, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "eksd", file))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func written(t testing.TB, r *Release) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// sound is a release without a fault, the smallest that has every kind of asset.
func sound() *Release {
	r := New(Identity{Vendor: "slipway", Channel: "1-36", Number: 1})
	r.Status.Date = "2026-08-01T00:00:00Z"
	r.Annotations = map[string]string{
		AnnotationRegistry: "localhost:5050",
		AnnotationBaseURL:  "http://localhost:5050",
	}
	hex := func(n int) string { return strings.Repeat("0a", n) }
	file := func(name string) *Archive {
		return &Archive{URI: "http://localhost:5050/kubernetes-1-36/releases/1/artifacts/" + name, SHA256: hex(32), SHA512: hex(64)}
	}
	r.Status.Components = []Component{
		{Name: "etcd", GitTag: "v3.6.8", GitCommit: hex(20), Assets: []Asset{
			{Name: "etcd-image", Type: TypeImage, OS: "linux", Arch: []string{"amd64", "arm64"},
				Image: &Image{URI: "localhost:5050/etcd-io/etcd:v3.6.8-slipway-1-36-1", ImageDigest: "sha256:" + hex(32)}},
			{Name: "etcd-linux-amd64-v3.6.8.tar.gz", Type: TypeArchive, OS: "linux", Arch: []string{"amd64"},
				Archive: file("etcd/v3.6.8/etcd-linux-amd64-v3.6.8.tar.gz")},
		}},
		{Name: "kubernetes", GitTag: "v1.36.2", Assets: []Asset{
			{Name: "kubernetes-src.tar.gz", Type: TypeArchive, Archive: file("kubernetes/v1.36.2/kubernetes-src.tar.gz")},
		}},
	}
	return r
}
