package images

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/slipway-k8s/slipway/distro"
)

// Annotations are the standard ones of an image, as the OCI image spec's
// annotations.md defines them. An empty field is left out.
type Annotations struct {
	Source      string // URL of the source
	Revision    string // commit in that source
	Version     string // version of the packaged software
	BaseName    string // name of the image that this one is based on
	Title       string
	Description string
	Vendor      string
	Licenses    string // SPDX expression
}

// Map returns the annotations that are set by their full names.
func (a Annotations) Map() map[string]string {
	m := map[string]string{}
	for name, value := range map[string]string{
		"source": a.Source, "revision": a.Revision, "version": a.Version, "base.name": a.BaseName,
		"title": a.Title, "description": a.Description, "vendor": a.Vendor, "licenses": a.Licenses,
	} {
		if value != "" {
			m["org.opencontainers.image."+name] = value
		}
	}
	return m
}

// Index returns the index of the images, sorted by platform (see
// distro.SortPlatforms), with the annotations. One image makes an index too:
// the shape of what a tag names never changes. It fails when there is no image
// or when two are for the same platform.
func Index(annotations map[string]string, images ...v1.Image) (v1.ImageIndex, error) {
	if len(images) == 0 {
		return nil, errors.New("index: no images: at least one platform is needed")
	}
	children := make(map[distro.Platform]v1.Image, len(images))
	platforms := make([]distro.Platform, 0, len(images))
	for _, img := range images {
		c, err := img.ConfigFile()
		if err != nil {
			return nil, fmt.Errorf("index: %w", err)
		}
		p := distro.Platform{OS: c.OS, Arch: c.Architecture}
		if _, dup := children[p]; dup {
			return nil, fmt.Errorf("index: two images for %s", p)
		}
		children[p] = img
		platforms = append(platforms, p)
	}
	distro.SortPlatforms(platforms)

	manifest := &v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Annotations: annotations}
	idx := &index{}
	for _, p := range platforms {
		d, err := partial.Descriptor(children[p])
		if err != nil {
			return nil, fmt.Errorf("index: %s: %w", p, err)
		}
		// ggcr copies the child's annotations and config media type here; they
		// are in the child already.
		manifest.Manifests = append(manifest.Manifests, v1.Descriptor{
			MediaType: d.MediaType, Size: d.Size, Digest: d.Digest,
			Platform: &v1.Platform{OS: p.OS, Architecture: p.Arch},
		})
		idx.children = append(idx.children, children[p])
	}
	raw, err := json.Marshal(manifest)
	if err != nil {
		return nil, err
	}
	idx.raw = raw
	return idx, nil
}

var _ v1.ImageIndex = (*index)(nil)

// index is an index whose manifest is settled.
type index struct {
	raw      []byte
	children []v1.Image
}

func (i *index) MediaType() (types.MediaType, error) { return types.OCIImageIndex, nil }
func (i *index) Digest() (v1.Hash, error)            { return partial.Digest(i) }
func (i *index) Size() (int64, error)                { return int64(len(i.raw)), nil }
func (i *index) RawManifest() ([]byte, error)        { return slices.Clone(i.raw), nil }
func (i *index) IndexManifest() (*v1.IndexManifest, error) {
	m := &v1.IndexManifest{}
	return m, json.Unmarshal(i.raw, m)
}

func (i *index) Image(h v1.Hash) (v1.Image, error) {
	for _, img := range i.children {
		if got, err := img.Digest(); err == nil && got == h {
			return img, nil
		}
	}
	return nil, fmt.Errorf("index: no image %s", h)
}

func (i *index) ImageIndex(h v1.Hash) (v1.ImageIndex, error) {
	return nil, fmt.Errorf("index: no index %s", h)
}
