package images

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/slipway-k8s/slipway/builder/files"
	"github.com/slipway-k8s/slipway/distro"
)

func TestEqualSpecsHaveEqualDigests(t *testing.T) {
	a := digestOf(t, testIndex(t, openStore(t), amd64, arm64))
	b := digestOf(t, testIndex(t, openStore(t), arm64, amd64))
	if a != b {
		t.Errorf("the same images in another store and order: %s and %s", a, b)
	}
}

func TestImageIsOCIThroughout(t *testing.T) {
	idx := testIndex(t, openStore(t), amd64)
	m, err := idx.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if m.MediaType != types.OCIImageIndex || len(m.Manifests) != 1 || m.Manifests[0].MediaType != types.OCIManifestSchema1 {
		t.Errorf("index: %+v", m)
	}
	img, err := idx.Image(m.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	if manifest.MediaType != types.OCIManifestSchema1 || manifest.Config.MediaType != types.OCIConfigJSON {
		t.Errorf("manifest %s, config %s", manifest.MediaType, manifest.Config.MediaType)
	}
	for _, l := range manifest.Layers {
		if l.MediaType != types.OCILayerZStd {
			t.Errorf("layer %s: %s", l.Digest, l.MediaType)
		}
	}
}

func TestConfigSaysWhatTheSpecSays(t *testing.T) {
	layer := writeLayer(t, openStore(t), Zstd, files.Bytes("x", 0o644, nil))
	img, err := Image(Spec{
		Platform: arm64, Layers: []v1.Layer{layer}, Entrypoint: []string{"/e"}, Cmd: []string{"c"},
		Env: []string{"A=b"}, User: "1:2", WorkingDir: "/w", ExposedPorts: []string{"53/udp"},
		StopSignal: "SIGINT", Labels: map[string]string{"l": "v"}, Annotations: map[string]string{"k": "v"},
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	want := &v1.ConfigFile{
		Architecture: "arm64", OS: "linux", Created: v1.Time{Time: files.Epoch},
		RootFS: v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{layer.record.DiffID}},
		Config: v1.Config{
			Entrypoint: []string{"/e"}, Cmd: []string{"c"}, Env: []string{DefaultPath, "A=b"}, User: "1:2",
			WorkingDir: "/w", ExposedPorts: map[string]struct{}{"53/udp": {}}, StopSignal: "SIGINT",
			Labels: map[string]string{"l": "v"},
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("config (-want +got):\n%s", d)
	}
	if m, err := img.Manifest(); err != nil || m.Annotations["k"] != "v" {
		t.Errorf("manifest annotations: %+v, %v", m, err)
	}
}

func TestOwnPathIsKept(t *testing.T) {
	if got := withPath([]string{"A=b", "PATH=/x"}); !slices.Equal(got, []string{"A=b", "PATH=/x"}) {
		t.Errorf("got %v", got)
	}
}

func TestUnusableSpecIsRefused(t *testing.T) {
	layers := []v1.Layer{writeLayer(t, openStore(t), Zstd, files.Bytes("x", 0o644, nil))}
	for want, s := range map[string]Spec{
		"platform":     {Layers: layers},
		"no layers":    {Platform: amd64},
		"environment":  {Platform: amd64, Layers: layers, Env: []string{"A"}},
		"exposed port": {Platform: amd64, Layers: layers, ExposedPorts: []string{"53"}},
	} {
		if _, err := Image(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error about %q", err, want)
		}
	}
}

func TestIndexIsSortedAndHasEachPlatformOnce(t *testing.T) {
	s := openStore(t)
	a, b := testImage(t, s, arm64, 10), testImage(t, s, amd64, 10)
	w := testImage(t, s, distro.Platform{OS: "windows", Arch: "amd64"}, 10)
	idx, err := Index(nil, w, a, b)
	if err != nil {
		t.Fatal(err)
	}
	m, err := idx.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range m.Manifests {
		got = append(got, d.Platform.String())
	}
	if want := []string{"linux/amd64", "linux/arm64", "windows/amd64"}; !slices.Equal(got, want) {
		t.Errorf("platforms %v, want %v", got, want)
	}
	if _, err := Index(nil, a, a); err == nil || !strings.Contains(err.Error(), "linux/arm64") {
		t.Errorf("two images for one platform: %v", err)
	}
	if _, err := Index(nil); err == nil {
		t.Error("an index of nothing")
	}
}

func TestAnnotationsHaveTheirFullNames(t *testing.T) {
	got := Annotations{Source: "s", Revision: "r", Version: "v", BaseName: "b", Title: "t", Vendor: "x", Licenses: "l"}.Map()
	want := map[string]string{}
	for k, v := range map[string]string{"source": "s", "revision": "r", "version": "v", "base.name": "b", "title": "t", "vendor": "x", "licenses": "l"} {
		want["org.opencontainers.image."+k] = v
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
