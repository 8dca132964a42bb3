package release

// RecordSchemaVersion is the schemaVersion that WriteRecord writes and the only
// one that ReadRecord reads.
const RecordSchemaVersion = 1

// Record is what a release knows beyond the manifest's schema: enough to build
// it again and compare, and to tell which image a node runs from any of the
// digests that a container runtime may report. It holds no address, so that it
// stays true wherever the release is mirrored.
//
// All checksums are lower-case hex without a prefix; all digests have theirs
// ("sha256:…"). Platforms are "os/arch". Sizes are bytes.
type Record struct {
	SchemaVersion int `json:"schemaVersion"`
	// Release is the name of the Release: "kubernetes-1-36-slipway-1".
	Release string `json:"release"`
	// Vendor is who built it, as in the release's name.
	Vendor     string            `json:"vendor"`
	Toolchain  Toolchain         `json:"toolchain"`
	Compressor Compressor        `json:"compressor"`
	Platforms  []string          `json:"platforms"`
	Components []RecordComponent `json:"components"`
}

// Toolchain is the Go toolchain that compiled it.
type Toolchain struct {
	// Version is as "go version" names it: "go1.26.8".
	Version string `json:"version"`
	// Identity is more than the version: distributions patch Go.
	Identity string `json:"identity"`
}

// Compressor is what compressed the layers. Its bytes change between versions:
// where two differ in it, diffIDs are compared instead of layer digests.
type Compressor struct {
	Name    string `json:"name"`    // "zstd" or "gzip"
	Version string `json:"version"` // of the module that implements it
	Level   string `json:"level"`
}

// RecordComponent is a component with everything that came of it.
type RecordComponent struct {
	Name string `json:"name"`
	// Version is the upstream tag: "v3.6.8".
	Version string `json:"version"`
	// Stamp is what the binaries say of themselves: "v3.6.8+slipway.3f9c2ab".
	Stamp string `json:"stamp,omitempty"`
	// Commit is upstream's, 40 hex digits; empty where the source does not know.
	Commit string `json:"commit,omitempty"`
	// Modules are those compiled into any of its binaries.
	Modules []RecordModule `json:"modules,omitempty"`
	// Source is set where the source is an archive rather than a module.
	Source   *RecordSource   `json:"source,omitempty"`
	Binaries []RecordBinary  `json:"binaries,omitempty"`
	Images   []RecordImage   `json:"images,omitempty"`
	Archives []RecordArchive `json:"archives,omitempty"`
	// Packages are the Debian packages unpacked into its images.
	Packages []RecordPackage `json:"packages,omitempty"`
}

// RecordModule is a Go module with its go.sum hash ("h1:…").
type RecordModule struct {
	Path    string `json:"path"`
	Version string `json:"version"`
	Sum     string `json:"sum"`
}

// RecordSource is a source archive.
type RecordSource struct {
	URL    string `json:"url"`
	SHA256 string `json:"sha256"`
}

// RecordBinary is one program for one platform.
type RecordBinary struct {
	Name string `json:"name"`
	// Package is the import path of its main package.
	Package  string `json:"package"`
	Platform string `json:"platform"`
	Size     int64  `json:"size"`
	SHA256   string `json:"sha256"`
	SHA512   string `json:"sha512"`
}

// RecordImage is an image with all its digests: a container's status may name
// the index, the platform's manifest or the config.
type RecordImage struct {
	// Name is the asset's: "etcd-image".
	Name string `json:"name"`
	// Repository is without registry and prefix: "etcd-io/etcd".
	Repository string `json:"repository"`
	// Tags are all tags that it was pushed with.
	Tags []string `json:"tags"`
	// Index is the digest of the image index, the Release's imageDigest.
	Index     string                `json:"index"`
	Platforms []RecordImagePlatform `json:"platforms"`
}

// RecordImagePlatform is an image for one platform.
type RecordImagePlatform struct {
	Platform string `json:"platform"`
	// Manifest and Config are digests.
	Manifest string `json:"manifest"`
	Config   string `json:"config"`
	// DiffIDs are the digests of the uncompressed layers, the lowest first.
	DiffIDs []string `json:"diffIDs"`
	// Layers are the compressed layers, the lowest first.
	Layers []RecordLayer `json:"layers"`
}

// RecordLayer is a compressed layer.
type RecordLayer struct {
	Digest string `json:"digest"`
	Size   int64  `json:"size"`
}

// RecordArchive is a file of the release.
type RecordArchive struct {
	// Name is the asset's: "etcd-linux-amd64-v3.6.8.tar.gz".
	Name string `json:"name"`
	// Path is below the base URL:
	// "kubernetes-1-36/releases/1/artifacts/etcd/v3.6.8/…".
	Path string `json:"path"`
	// Platform is empty for source code.
	Platform string `json:"platform,omitempty"`
	Size     int64  `json:"size"`
	SHA256   string `json:"sha256"`
	SHA512   string `json:"sha512"`
}

// RecordPackage is a Debian package.
type RecordPackage struct {
	Name         string `json:"name"`
	Version      string `json:"version"`
	Architecture string `json:"architecture"`
	SHA256       string `json:"sha256"`
}

// Component returns the component with that name, nil if there is none.
func (r *Record) Component(name string) *RecordComponent {
	for i := range r.Components {
		if r.Components[i].Name == name {
			return &r.Components[i]
		}
	}
	return nil
}
