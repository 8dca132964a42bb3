package images

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/slipway-k8s/slipway/builder/files"
	"github.com/slipway-k8s/slipway/distro"
)

// DefaultPath is the PATH of an image whose Spec.Env sets none.
const DefaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Spec says what an image for one platform is.
type Spec struct {
	Platform distro.Platform
	// Layers from the bottom up.
	Layers []v1.Layer
	// Entrypoint and Cmd in exec form; no shell is implied.
	Entrypoint, Cmd []string
	// Env is a list of NAME=value. DefaultPath is put first if there is no PATH.
	Env []string
	// User is "uid" or "uid:gid"; empty is root. Numbers rather than names, so
	// that a kubelet can enforce runAsNonRoot.
	User string
	// WorkingDir is absolute; empty is "/".
	WorkingDir string
	// ExposedPorts are "port/protocol", such as "53/udp".
	ExposedPorts []string
	// StopSignal is a name such as "SIGTERM", which is also the default.
	StopSignal string
	// Labels go into the config, Annotations into the manifest.
	Labels, Annotations map[string]string
}

// Image returns the image that s describes: OCI media types, no history, and
// files.Epoch as the time of creation, so that equal specs have equal digests.
func Image(s Spec) (v1.Image, error) {
	if s.Platform.OS == "" || s.Platform.Arch == "" {
		return nil, fmt.Errorf("image: platform %q: want an operating system and an architecture", s.Platform)
	}
	if len(s.Layers) == 0 {
		return nil, errors.New("image: no layers: a base layer at least is needed, see BaseFiles")
	}
	config, err := s.config()
	if err != nil {
		return nil, err
	}
	rawConfig, err := json.Marshal(config)
	if err != nil {
		return nil, err
	}
	manifest := &v1.Manifest{
		SchemaVersion: 2,
		MediaType:     types.OCIManifestSchema1,
		Config:        describe(types.OCIConfigJSON, rawConfig),
		Annotations:   s.Annotations,
	}
	for _, l := range s.Layers {
		d, err := partial.Descriptor(l)
		if err != nil {
			return nil, fmt.Errorf("image: %w", err)
		}
		manifest.Layers = append(manifest.Layers, *d)
	}
	rawManifest, err := json.Marshal(manifest)
	if err != nil {
		return nil, err
	}
	return &image{rawConfig: rawConfig, rawManifest: rawManifest, layers: slices.Clone(s.Layers)}, nil
}

func (s Spec) config() (*v1.ConfigFile, error) {
	f := &v1.ConfigFile{
		OS: s.Platform.OS, Architecture: s.Platform.Arch,
		Created: v1.Time{Time: files.Epoch},
		RootFS:  v1.RootFS{Type: "layers"},
		Config: v1.Config{
			Entrypoint: s.Entrypoint, Cmd: s.Cmd, Env: withPath(s.Env), User: s.User,
			WorkingDir: s.WorkingDir, StopSignal: s.StopSignal, Labels: s.Labels,
		},
	}
	for _, e := range s.Env {
		if name, _, ok := strings.Cut(e, "="); !ok || name == "" {
			return nil, fmt.Errorf("image: environment %q: want NAME=value", e)
		}
	}
	for _, p := range s.ExposedPorts {
		if port, proto, ok := strings.Cut(p, "/"); !ok || port == "" || proto == "" {
			return nil, fmt.Errorf("image: exposed port %q: want port/protocol, such as 53/udp", p)
		}
		if f.Config.ExposedPorts == nil {
			f.Config.ExposedPorts = map[string]struct{}{}
		}
		f.Config.ExposedPorts[p] = struct{}{}
	}
	for _, l := range s.Layers {
		diffID, err := l.DiffID()
		if err != nil {
			return nil, fmt.Errorf("image: %w", err)
		}
		f.RootFS.DiffIDs = append(f.RootFS.DiffIDs, diffID)
	}
	return f, nil
}

func withPath(env []string) []string {
	if slices.ContainsFunc(env, func(e string) bool { return strings.HasPrefix(e, "PATH=") }) {
		return slices.Clone(env)
	}
	return append([]string{DefaultPath}, env...)
}

func describe(media types.MediaType, raw []byte) v1.Descriptor {
	d := newDigester(discard{})
	_, _ = d.Write(raw)
	return v1.Descriptor{MediaType: media, Size: d.size, Digest: d.digest()}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

var _ v1.Image = (*image)(nil)

// image is an image whose manifest and config are settled.
type image struct {
	rawConfig, rawManifest []byte
	layers                 []v1.Layer
}

func (i *image) Layers() ([]v1.Layer, error)         { return slices.Clone(i.layers), nil }
func (i *image) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }
func (i *image) Size() (int64, error)                { return int64(len(i.rawManifest)), nil }
func (i *image) ConfigName() (v1.Hash, error)        { return partial.ConfigName(i) }
func (i *image) ConfigFile() (*v1.ConfigFile, error) { return partial.ConfigFile(i) }
func (i *image) RawConfigFile() ([]byte, error)      { return slices.Clone(i.rawConfig), nil }
func (i *image) Digest() (v1.Hash, error)            { return partial.Digest(i) }
func (i *image) Manifest() (*v1.Manifest, error)     { return partial.Manifest(i) }
func (i *image) RawManifest() ([]byte, error)        { return slices.Clone(i.rawManifest), nil }
func (i *image) LayerByDiffID(h v1.Hash) (v1.Layer, error) {
	return i.find(h, v1.Layer.DiffID)
}

func (i *image) LayerByDigest(h v1.Hash) (v1.Layer, error) {
	if h == describe("", i.rawConfig).Digest {
		return partial.ConfigLayer(i)
	}
	return i.find(h, v1.Layer.Digest)
}

func (i *image) find(h v1.Hash, key func(v1.Layer) (v1.Hash, error)) (v1.Layer, error) {
	for _, l := range i.layers {
		if got, err := key(l); err == nil && got == h {
			return l, nil
		}
	}
	return nil, fmt.Errorf("image: no layer %s", h)
}
