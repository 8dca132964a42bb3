package release

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// What the manifests say in apiVersion and kind.
const (
	APIVersion  = "distro.eks.amazonaws.com/v1alpha1"
	KindRelease = "Release"
	KindChannel = "ReleaseChannel"
)

// Annotations that Slipway puts on a Release. EKS Distro's releases have none.
const (
	// AnnotationPartial is "true" on a release that lacks components or
	// platforms of its channel; a whole release does not have it.
	AnnotationPartial = "slipway.dev/partial"
	// AnnotationRecordSHA256 is the sha256 of the record file, 64 hex digits, so
	// that a checksum on the Release covers the record too.
	AnnotationRecordSHA256 = "slipway.dev/record-sha256"
	// AnnotationRegistry is what all image URIs start with:
	// "registry.example.com/prefix", no scheme, no slash at the end.
	AnnotationRegistry = "slipway.dev/registry"
	// AnnotationBaseURL is what all archive URIs start with:
	// "https://files.example.com/base", no slash at the end.
	AnnotationBaseURL = "slipway.dev/base-url"
)

// What an asset's type may be.
const (
	TypeArchive = "Archive"
	TypeImage   = "Image"
)

// Release is one release of a channel. The fields are those of EKS Distro's
// CRD releases.distro.eks.amazonaws.com (crds/), no more and no less.
type Release struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	Spec   Spec   `json:"spec"`
	Status Status `json:"status"`
}

// Spec says which release it is.
type Spec struct {
	// Channel is the Kubernetes minor with a dash: "1-36".
	Channel string `json:"channel,omitempty"`
	// Number counts the releases of a channel from 1.
	Number int `json:"number,omitempty"`
	// BuildRepoCommit is the git commit of the repository that built it.
	BuildRepoCommit string `json:"buildRepoCommit,omitempty"`
}

// Status says what is in the release.
type Status struct {
	// Date is when it was released, RFC 3339: "2026-08-01T00:00:00Z".
	Date       string      `json:"date,omitempty"`
	Components []Component `json:"components,omitempty"`
}

// Component is a project the release was built from, with what came of it.
type Component struct {
	// Name is the component's: "etcd".
	Name string `json:"name,omitempty"`
	// GitCommit is the commit it is built from, 40 hex digits; empty where the
	// source does not know it.
	GitCommit string `json:"gitCommit,omitempty"`
	// GitTag is the upstream tag it is built from: "v3.6.8".
	GitTag string  `json:"gitTag,omitempty"`
	Assets []Asset `json:"assets,omitempty"`
}

// Asset is an image or a file. Exactly one of Image and Archive is set, as Type
// says; a single binary is an Archive too.
type Asset struct {
	// Name is how readers look it up: "etcd-image", "bin/linux/amd64/kubelet".
	Name string `json:"name,omitempty"`
	// Type is TypeImage or TypeArchive.
	Type        string `json:"type,omitempty"`
	Description string `json:"description,omitempty"`
	// OS is linux, darwin or windows; empty for source code.
	OS string `json:"os,omitempty"`
	// Arch lists GOARCH values: amd64, arm64; empty for source code.
	Arch    []string `json:"arch,omitempty"`
	Image   *Image   `json:"image,omitempty"`
	Archive *Archive `json:"archive,omitempty"`
}

// Image is where an image is and which one it is.
type Image struct {
	// URI is registry, repository and tag, without a digest.
	URI string `json:"uri,omitempty"`
	// ImageDigest is the digest of the image index: "sha256:" and 64 hex digits.
	ImageDigest string `json:"imageDigest,omitempty"`
}

// Archive is where a file is and which one it is.
type Archive struct {
	// URI is the file's URL.
	URI string `json:"uri,omitempty"`
	// SHA512 is 128 hex digits.
	SHA512 string `json:"sha512,omitempty"`
	// SHA256 is 64 hex digits.
	SHA256 string `json:"sha256,omitempty"`
}

// ReleaseChannel says which release of a channel is the newest. The
// fields are those of the CRD releasechannels.distro.eks.amazonaws.com (crds/).
type ReleaseChannel struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	Spec   ChannelSpec   `json:"spec"`
	Status ChannelStatus `json:"status"`
}

// ChannelSpec says where news of a channel is announced.
type ChannelSpec struct {
	SNSTopicARN string `json:"snsTopicARN,omitempty"`
}

// ChannelStatus says where a channel stands.
type ChannelStatus struct {
	// Active is whether the channel still gets releases. It is written also when
	// false: a closed channel should say so.
	Active bool `json:"active"`
	// LatestRelease is the number of the newest release.
	LatestRelease int `json:"latestRelease,omitempty"`
}

// New returns an empty Release with its apiVersion and kind, and the name,
// channel, number and partial annotation that id gives.
func New(id Identity) *Release {
	r := &Release{TypeMeta: metav1.TypeMeta{APIVersion: APIVersion, Kind: KindRelease}}
	r.Name = id.Name()
	r.Spec.Channel, r.Spec.Number = id.Channel, id.Number
	if id.Partial != "" {
		r.Annotations = map[string]string{AnnotationPartial: "true"}
	}
	return r
}

// NewChannel returns an active ReleaseChannel with its apiVersion and kind.
func NewChannel(channel string, latest int) *ReleaseChannel {
	c := &ReleaseChannel{TypeMeta: metav1.TypeMeta{APIVersion: APIVersion, Kind: KindChannel}}
	c.Name = channel
	c.Status = ChannelStatus{Active: true, LatestRelease: latest}
	return c
}

// DeepCopy returns a copy that shares nothing with r.
func (r *Release) DeepCopy() *Release {
	out := *r
	r.ObjectMeta.DeepCopyInto(&out.ObjectMeta)
	out.Status.Components = make([]Component, len(r.Status.Components))
	for i, c := range r.Status.Components {
		assets := make([]Asset, len(c.Assets))
		for j, a := range c.Assets {
			assets[j] = a.deepCopy()
		}
		c.Assets = assets
		out.Status.Components[i] = c
	}
	return &out
}

func (a Asset) deepCopy() Asset {
	a.Arch = append([]string(nil), a.Arch...)
	if a.Image != nil {
		image := *a.Image
		a.Image = &image
	}
	if a.Archive != nil {
		archive := *a.Archive
		a.Archive = &archive
	}
	return a
}

// Component returns the component with that name, nil if there is none.
func (r *Release) Component(name string) *Component {
	for i := range r.Status.Components {
		if r.Status.Components[i].Name == name {
			return &r.Status.Components[i]
		}
	}
	return nil
}

// Asset returns the asset with that name and its component, nil twice if there
// is none. Asset names are looked up over all components because EKS Distro has
// moved some of them (kube-proxy-image) from one component to another.
func (r *Release) Asset(name string) (*Component, *Asset) {
	for i := range r.Status.Components {
		c := &r.Status.Components[i]
		for j := range c.Assets {
			if c.Assets[j].Name == name {
				return c, &c.Assets[j]
			}
		}
	}
	return nil, nil
}

// Partial is whether the release says that it is not whole.
func (r *Release) Partial() bool { return r.Annotations[AnnotationPartial] == "true" }
