package release

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDiffOfAReleaseWithItselfElsewhereIsEmpty(t *testing.T) {
	a := readEKSD(t, eksd133)
	b, err := Render(a, "registry.example.com/mirror", "https://files.example.com")
	if err != nil {
		t.Fatal(err)
	}
	Sort(b)
	if got := Diff(a, b); !got.Empty() {
		t.Errorf("another address or order is no difference, got %+v", got)
	}
}

func TestDiffTellsWhatCameWentAndChanged(t *testing.T) {
	a, b := sound(), sound()
	b.Name = "kubernetes-1-36-slipway-2"
	etcd := &b.Status.Components[0]
	etcd.GitTag = "v3.6.9"
	etcd.GitCommit = strings.Repeat("0c", 20)
	etcd.Assets[0].Image.ImageDigest = "sha256:" + strings.Repeat("0c", 32)
	etcd.Assets[0].Image.URI = "localhost:5050/etcd-io/etcd:v3.6.9-slipway-1-36-2"
	etcd.Assets[1].Name = "etcd-linux-amd64-v3.6.9.tar.gz"
	b.Status.Components[1] = Component{Name: "coredns", GitTag: "v1.14.0", Assets: []Asset{{Name: "coredns-image", Type: TypeImage}}}

	want := Changes{
		From: "kubernetes-1-36-slipway-1", To: "kubernetes-1-36-slipway-2",
		Components: []ComponentChange{
			{Name: "coredns", Change: Added, To: "v1.14.0"},
			{Name: "etcd", Change: Changed, From: "v3.6.8", To: "v3.6.9", FromCommit: strings.Repeat("0a", 20), ToCommit: strings.Repeat("0c", 20)},
			{Name: "kubernetes", Change: Gone, From: "v1.36.2"},
		},
		Images: []AssetChange{
			{Component: "coredns", Name: "coredns-image", Change: Added},
			{Component: "etcd", Name: "etcd-image", Change: Changed, Fields: []FieldChange{
				{Field: "image.imageDigest", From: "sha256:" + strings.Repeat("0a", 32), To: "sha256:" + strings.Repeat("0c", 32)}}},
		},
		Archives: []AssetChange{
			{Component: "etcd", Name: "etcd-linux-amd64-v3.6.8.tar.gz", Change: Gone},
			{Component: "etcd", Name: "etcd-linux-amd64-v3.6.9.tar.gz", Change: Added},
			{Component: "kubernetes", Name: "kubernetes-src.tar.gz", Change: Gone},
		},
	}
	got := Diff(a, b)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	var text bytes.Buffer
	if err := got.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"coredns     added              v1.14.0",
		"etcd        changed  v3.6.8 (0a0a0a0)  v3.6.9 (0c0c0c0)",
		"sha256:0a0a0a0a0a0a  sha256:0c0c0c0c0c0c",
	} {
		if !strings.Contains(squeeze(text.String()), squeeze(line)) {
			t.Errorf("no %q in\n%s", line, text.String())
		}
	}
}

func squeeze(s string) string { return strings.Join(strings.Fields(s), " ") }

// A changed byte must never hide behind an equal name.
func TestDiffSeesEachFieldThatSaysWhatAnAssetIs(t *testing.T) {
	for path, change := range map[string]func(*Release){
		"image.imageDigest": func(r *Release) {
			r.Status.Components[0].Assets[0].Image.ImageDigest = "sha256:" + strings.Repeat("1", 64)
		},
		"arch":           func(r *Release) { r.Status.Components[0].Assets[0].Arch = []string{"amd64"} },
		"os":             func(r *Release) { r.Status.Components[0].Assets[1].OS = "darwin" },
		"archive.sha256": func(r *Release) { r.Status.Components[0].Assets[1].Archive.SHA256 = strings.Repeat("1", 64) },
		"archive.sha512": func(r *Release) { r.Status.Components[0].Assets[1].Archive.SHA512 = strings.Repeat("1", 128) },
	} {
		b := sound()
		change(b)
		got := Diff(sound(), b)
		changes := append(got.Images, got.Archives...)
		if len(changes) != 1 || len(changes[0].Fields) != 1 || changes[0].Fields[0].Field != path {
			t.Errorf("%s: got %+v", path, got)
		}
	}
}

func TestDiffComparesTagsWhereThereIsNoDigest(t *testing.T) {
	a := readEKSD(t, eksd133)
	b := a.DeepCopy()
	_, image := b.Asset("csi-attacher-image")
	image.Image.URI = strings.Replace(image.Image.URI, "eksbuild.3", "eksbuild.4", 1)
	got := Diff(a, b)
	want := []AssetChange{{Component: "external-attacher", Name: "csi-attacher-image", Change: Changed,
		Fields: []FieldChange{{Field: "image.uri", From: "v4.9.0-eksbuild.3", To: "v4.9.0-eksbuild.4"}}}}
	if diff := cmp.Diff(want, got.Images); diff != "" {
		t.Error(diff)
	}
}
