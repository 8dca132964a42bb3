package images

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/slipway-k8s/slipway/builder/files"
	"github.com/slipway-k8s/slipway/distro"
)

// The annotations by which containerd names what it imports
// (core/images/annotations.go) and by which OCI layouts name it.
const (
	annotationImageName = "io.containerd.image.name"
	annotationRefName   = "org.opencontainers.image.ref.name"
)

// WriteLayoutTar writes the index as a tar of an OCI layout: oci-layout,
// index.json, blobs/sha256/…, and manifest.json for readers of the older
// docker-archive. The same input gives the same bytes; blobs are streamed and
// their digests checked on the way.
//
// names are the references that the image gets where the tar is imported, such
// as "localhost:5050/kubernetes/kube-apiserver:v1.36.2-slipway-1-36-1". They
// are part of the tar's own checksum, not of the image's digest.
//
// only limits the tar to some platforms; none means all. Even then index.json
// names the very index that is in the registry, and that index's blob is in the
// tar, unchanged, although it also names manifests that are not: containerd
// imports the platform it runs on and passes over the others
// (client/import.go, images.FilterPlatforms), and a kubelet then knows the
// image by the digest that the release names. A tar that named the platform's
// manifest instead would have a node report, and a pod pinned by digest ask
// for, two different digests of one image. Readers that insist on every
// platform (crane push) need a tar of all of them.
//
// manifest.json changes no digest: containerd prefers index.json when there is
// an oci-layout. It is written when the tar holds exactly one platform, since
// docker-archive knows no platforms.
func WriteLayoutTar(w io.Writer, index v1.ImageIndex, names []string, only ...distro.Platform) error {
	if len(names) == 0 {
		return errors.New("image tar: no name: an importer would not know what to call the image")
	}
	l := &layoutTar{tw: tar.NewWriter(w), blobs: map[string]blob{}}
	images, err := l.addIndex(index, only)
	if err != nil {
		return fmt.Errorf("image tar %s: %w", names[0], err)
	}
	if err := l.write(index, names, images); err != nil {
		return fmt.Errorf("image tar %s: %w", names[0], err)
	}
	return l.tw.Close()
}

type blob struct {
	size int64
	open func() (io.ReadCloser, error)
}

type layoutTar struct {
	tw    *tar.Writer
	blobs map[string]blob // by hex digest
}

func (l *layoutTar) addRaw(raw []byte) {
	d := describe("", raw)
	l.blobs[d.Digest.Hex] = blob{d.Size, func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(raw)), nil
	}}
}

// addIndex collects the blobs of the index and of its images for the platforms.
func (l *layoutTar) addIndex(index v1.ImageIndex, only []distro.Platform) ([]v1.Image, error) {
	raw, err := index.RawManifest()
	if err != nil {
		return nil, err
	}
	l.addRaw(raw)
	m, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	var images []v1.Image
	var has []string
	for _, d := range m.Manifests {
		p := distro.Platform{}
		if d.Platform != nil {
			p = distro.Platform{OS: d.Platform.OS, Arch: d.Platform.Architecture}
		}
		has = append(has, p.String())
		if len(only) > 0 && !slices.Contains(only, p) {
			continue
		}
		img, err := index.Image(d.Digest)
		if err != nil {
			return nil, err
		}
		if err := l.addImage(img); err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		images = append(images, img)
	}
	if len(images) == 0 || len(only) > 0 && len(images) != len(only) {
		return nil, fmt.Errorf("the index has %v where %v is wanted", has, only)
	}
	return images, nil
}

func (l *layoutTar) addImage(img v1.Image) error {
	for _, get := range []func() ([]byte, error){img.RawManifest, img.RawConfigFile} {
		raw, err := get()
		if err != nil {
			return err
		}
		l.addRaw(raw)
	}
	layers, err := img.Layers()
	if err != nil {
		return err
	}
	for _, layer := range layers {
		d, err := partial.Descriptor(layer)
		if err != nil {
			return err
		}
		l.blobs[d.Digest.Hex] = blob{d.Size, layer.Compressed}
	}
	return nil
}

func (l *layoutTar) write(index v1.ImageIndex, names []string, images []v1.Image) error {
	top, err := topIndex(index, names)
	if err != nil {
		return err
	}
	if err := l.file("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`)); err != nil {
		return err
	}
	if err := l.file("index.json", top); err != nil {
		return err
	}
	if len(images) == 1 {
		archive, err := dockerManifest(images[0], names)
		if err != nil {
			return err
		}
		if err := l.file("manifest.json", archive); err != nil {
			return err
		}
	}
	digests := make([]string, 0, len(l.blobs))
	for hex := range l.blobs {
		digests = append(digests, hex)
	}
	sort.Strings(digests)
	for _, dir := range []string{"blobs/", "blobs/sha256/"} {
		if err := l.tw.WriteHeader(header(tar.TypeDir, dir, 0o755, 0)); err != nil {
			return err
		}
	}
	for _, hex := range digests {
		if err := l.blob(hex); err != nil {
			return fmt.Errorf("blob sha256:%s: %w", hex, err)
		}
	}
	return nil
}

// topIndex is index.json: the index once for each name.
func topIndex(index v1.ImageIndex, names []string) ([]byte, error) {
	d, err := partial.Descriptor(index)
	if err != nil {
		return nil, err
	}
	top := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}
	for _, n := range names {
		top.Manifests = append(top.Manifests, v1.Descriptor{
			MediaType: d.MediaType, Size: d.Size, Digest: d.Digest,
			Annotations: map[string]string{annotationImageName: n, annotationRefName: n},
		})
	}
	return json.Marshal(top)
}

// dockerManifest is manifest.json of a docker-archive, as docker save writes it
// beside an OCI layout: it names the same blobs.
func dockerManifest(img v1.Image, names []string) ([]byte, error) {
	m, err := img.Manifest()
	if err != nil {
		return nil, err
	}
	entry := struct {
		Config   string
		RepoTags []string
		Layers   []string
	}{"blobs/sha256/" + m.Config.Digest.Hex, names, nil}
	for _, layer := range m.Layers {
		entry.Layers = append(entry.Layers, "blobs/sha256/"+layer.Digest.Hex)
	}
	return json.Marshal([]any{entry})
}

func (l *layoutTar) file(name string, content []byte) error {
	if err := l.tw.WriteHeader(header(tar.TypeReg, name, 0o644, int64(len(content)))); err != nil {
		return err
	}
	_, err := l.tw.Write(content)
	return err
}

func (l *layoutTar) blob(hex string) error {
	b := l.blobs[hex]
	if err := l.tw.WriteHeader(header(tar.TypeReg, "blobs/sha256/"+hex, 0o644, b.size)); err != nil {
		return err
	}
	r, err := b.open()
	if err != nil {
		return err
	}
	defer r.Close()
	d := newDigester(l.tw)
	if _, err := io.Copy(d, r); err != nil {
		return err
	}
	if got := d.digest(); got.Hex != hex {
		return fmt.Errorf("has the digest %s: it was changed after it was written; remove it and run again", got)
	}
	return nil
}

func header(kind byte, name string, mode, size int64) *tar.Header {
	return &tar.Header{Typeflag: kind, Name: name, Mode: mode, Size: size, ModTime: files.Epoch, Format: tar.FormatPAX}
}
