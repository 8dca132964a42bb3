package images

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/layout"

	"github.com/slipway-k8s/slipway/distro"
)

// unpack writes a layout tar to a folder, in the order of the tar.
func unpack(t *testing.T, b []byte) (dir string, names []string) {
	t.Helper()
	dir = t.TempDir()
	for tr := tar.NewReader(bytes.NewReader(b)); ; {
		h, err := tr.Next()
		if err == io.EOF {
			return dir, names
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
		path := filepath.Join(dir, h.Name)
		if h.Typeflag == tar.TypeDir {
			if err := os.MkdirAll(path, 0o755); err != nil {
				t.Fatal(err)
			}
			continue
		}
		content, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTarHoldsTheVeryBlobsOfTheRegistry(t *testing.T) {
	idx := testIndex(t, openStore(t), amd64, arm64)
	const ref = "localhost:5050/test/app:v1"
	for _, c := range []struct {
		only   []distro.Platform
		docker bool
	}{{nil, false}, {[]distro.Platform{arm64}, true}} {
		var b, again bytes.Buffer
		for _, w := range []io.Writer{&b, &again} {
			if err := WriteLayoutTar(w, idx, []string{ref, ref + "-alias"}, c.only...); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(b.Bytes(), again.Bytes()) {
			t.Error("two tars of one index differ")
		}
		dir, names := unpack(t, b.Bytes())
		if names[0] != "oci-layout" || names[1] != "index.json" {
			t.Errorf("the tar begins with %v: streaming readers look for the layout first", names[:2])
		}
		top, err := layout.ImageIndexFromPath(dir)
		if err != nil {
			t.Fatal(err)
		}
		m, err := top.IndexManifest()
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Manifests) != 2 || m.Manifests[0].Digest != digestOf(t, idx) ||
			m.Manifests[0].Annotations["io.containerd.image.name"] != ref ||
			m.Manifests[1].Annotations["org.opencontainers.image.ref.name"] != ref+"-alias" {
			t.Errorf("index.json: %+v, want the index %s under two names", m.Manifests, digestOf(t, idx))
		}
		held, err := top.ImageIndex(digestOf(t, idx))
		if err != nil {
			t.Fatal(err)
		}
		hm, err := held.IndexManifest()
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range hm.Manifests {
			if len(c.only) > 0 && d.Platform.Architecture != c.only[0].Arch {
				if _, err := os.Stat(filepath.Join(dir, "blobs/sha256", d.Digest.Hex)); !os.IsNotExist(err) {
					t.Errorf("the tar for %v has the manifest for %s (%v)", c.only, d.Platform, err)
				}
				continue
			}
			img, err := held.Image(d.Digest)
			if err != nil {
				t.Fatal(err)
			}
			layers, err := img.Layers()
			if err != nil || len(layers) != 2 {
				t.Fatalf("layers %v, %v", layers, err)
			}
			for _, l := range layers {
				r, err := l.Compressed()
				if err != nil {
					t.Fatal(err)
				}
				sum := newDigester(io.Discard)
				_, err = io.Copy(sum, r)
				if want := digestOf(t, l); err != nil || sum.digest() != want {
					t.Errorf("layer %s is %s in the tar (%v)", want, sum.digest(), err)
				}
			}
		}
		if _, err := os.Stat(filepath.Join(dir, "manifest.json")); (err == nil) != c.docker {
			t.Errorf("only %v: manifest.json: %v", c.only, err)
		}
	}
}

func TestDockerManifestNamesBlobsThatAreThere(t *testing.T) {
	var b bytes.Buffer
	if err := WriteLayoutTar(&b, testIndex(t, openStore(t), amd64), []string{"a/b:c"}); err != nil {
		t.Fatal(err)
	}
	dir, _ := unpack(t, b.Bytes())
	raw, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var m []struct {
		Config           string
		RepoTags, Layers []string
	}
	if err := json.Unmarshal(raw, &m); err != nil || len(m) != 1 || len(m[0].Layers) != 2 || m[0].RepoTags[0] != "a/b:c" {
		t.Fatalf("%s: %v", raw, err)
	}
	for _, name := range append(m[0].Layers, m[0].Config) {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

func TestTarOfAMissingPlatformIsRefused(t *testing.T) {
	err := WriteLayoutTar(io.Discard, testIndex(t, openStore(t), amd64), []string{"x"}, arm64)
	if err == nil || !strings.Contains(err.Error(), "linux/amd64") || !strings.Contains(err.Error(), "linux/arm64") {
		t.Errorf("got %v, want what there is and what was asked for", err)
	}
}
