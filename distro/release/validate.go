package release

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

var (
	channelPattern    = regexp.MustCompile(`^[1-9][0-9]*-(?:0|[1-9][0-9]*)$`)
	gitCommitPattern  = regexp.MustCompile(`^[0-9a-f]{40}$`)
	digestPattern     = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	sha256Pattern     = regexp.MustCompile(`^[0-9a-f]{64}$`)
	sha512Pattern     = regexp.MustCompile(`^[0-9a-f]{128}$`)
	repositoryPattern = regexp.MustCompile(`^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$`)
	tagPattern        = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)

	knownOS    = []string{"darwin", "linux", "windows"}
	knownArch  = []string{"amd64", "arm64"}
	knownTypes = []string{TypeArchive, TypeImage}
)

// Validate checks everything about a release that can be checked without
// fetching anything: names, channel and tags agree, every image has a digest and
// every archive both checksums, nothing is there twice. Paths are those of the
// manifest: status.components[3].assets[1].image.uri. Published EKS Distro
// releases do not pass: some of their images have no digest.
func Validate(r *Release) field.ErrorList {
	v := validation{release: r}
	v.identity()
	v.annotations()
	v.date()
	v.components()
	return v.errs
}

type validation struct {
	release *Release
	// id is nil when the name is not that of a release: tags are then not
	// compared, since one wrong name would be told once per image.
	id   *Identity
	errs field.ErrorList
}

func (v *validation) add(e *field.Error) { v.errs = append(v.errs, e) }

func (v *validation) identity() {
	r, meta, spec := v.release, field.NewPath("metadata"), field.NewPath("spec")
	id, err := ParseName(r.Name)
	switch {
	case r.Name == "":
		v.add(field.Required(meta.Child("name"), "a release is named kubernetes-<channel>-<vendor>-<number>"))
	case err != nil:
		v.add(field.Invalid(meta.Child("name"), r.Name, "want kubernetes-<channel>-<vendor>-<number>, such as kubernetes-1-36-slipway-1"))
	default:
		v.id = &id
	}
	switch {
	case r.Spec.Channel == "":
		v.add(field.Required(spec.Child("channel"), "the Kubernetes minor with a dash, such as 1-36"))
	case !channelPattern.MatchString(r.Spec.Channel):
		v.add(field.Invalid(spec.Child("channel"), r.Spec.Channel, "want the Kubernetes minor with a dash, such as 1-36"))
	case v.id != nil && id.Channel != r.Spec.Channel:
		v.add(field.Invalid(meta.Child("name"), r.Name, fmt.Sprintf("is of channel %s, but spec.channel is %q", id.Channel, r.Spec.Channel)))
	}
	switch {
	case r.Spec.Number < 1:
		v.add(field.Invalid(spec.Child("number"), r.Spec.Number, "must be 1 or more"))
	case v.id != nil && id.Number != r.Spec.Number:
		v.add(field.Invalid(meta.Child("name"), r.Name, fmt.Sprintf("is number %d, but spec.number is %d", id.Number, r.Spec.Number)))
	}
	if c := r.Spec.BuildRepoCommit; c != "" && !gitCommitPattern.MatchString(c) {
		v.add(field.Invalid(spec.Child("buildRepoCommit"), c, "want 40 lower-case hex digits"))
	}
}

func (v *validation) annotations() {
	r, path := v.release, field.NewPath("metadata", "annotations")
	partial, marked := r.Annotations[AnnotationPartial]
	switch {
	case marked && partial != "true":
		v.add(field.NotSupported(path.Key(AnnotationPartial), partial, []string{"true"}))
	case v.id == nil:
	case marked && v.id.Partial == "":
		v.add(field.Invalid(path.Key(AnnotationPartial), partial, fmt.Sprintf("the name %s is that of a whole release: a partial one says in its name what it has, such as %s-linux-amd64", r.Name, r.Name)))
	case !marked && v.id.Partial != "":
		v.add(field.Required(path.Key(AnnotationPartial), fmt.Sprintf("the name ends in -%s, so the release is partial: set it to \"true\"", v.id.Partial)))
	}
	if sum, ok := r.Annotations[AnnotationRecordSHA256]; ok && !sha256Pattern.MatchString(sum) {
		v.add(field.Invalid(path.Key(AnnotationRecordSHA256), sum, "want 64 lower-case hex digits"))
	}
	if registry, ok := r.Annotations[AnnotationRegistry]; ok {
		if err := checkRegistry(registry); err != nil {
			v.add(field.Invalid(path.Key(AnnotationRegistry), registry, err.Error()))
		}
	}
	if base, ok := r.Annotations[AnnotationBaseURL]; ok {
		if err := checkBaseURL(base); err != nil {
			v.add(field.Invalid(path.Key(AnnotationBaseURL), base, err.Error()))
		}
	}
}

func (v *validation) date() {
	path, date := field.NewPath("status", "date"), v.release.Status.Date
	if date == "" {
		v.add(field.Required(path, "when it was released, such as 2026-08-01T00:00:00Z"))
	} else if _, err := time.Parse(time.RFC3339, date); err != nil {
		v.add(field.Invalid(path, date, "want RFC 3339, such as 2026-08-01T00:00:00Z"))
	}
}

func (v *validation) components() {
	path, seen := field.NewPath("status", "components"), map[string]bool{}
	if len(v.release.Status.Components) == 0 {
		v.add(field.Required(path, "a release has at least one component"))
	}
	for i, c := range v.release.Status.Components {
		p := path.Index(i)
		switch {
		case c.Name == "":
			v.add(field.Required(p.Child("name"), "the component's name, such as etcd"))
		case seen[c.Name]:
			v.add(field.Duplicate(p.Child("name"), c.Name))
		}
		seen[c.Name] = true
		if c.GitCommit != "" && !gitCommitPattern.MatchString(c.GitCommit) {
			v.add(field.Invalid(p.Child("gitCommit"), c.GitCommit, "want 40 lower-case hex digits"))
		}
		if c.GitTag == "" {
			v.add(field.Required(p.Child("gitTag"), "the upstream tag it is built from, such as v3.6.8"))
		}
		if len(c.Assets) == 0 {
			v.add(field.Required(p.Child("assets"), "a component has at least one asset"))
		}
		v.assets(p.Child("assets"), c)
	}
}

func (v *validation) assets(path *field.Path, c Component) {
	seen := map[string]bool{}
	for i, a := range c.Assets {
		p := path.Index(i)
		switch {
		case a.Name == "":
			v.add(field.Required(p.Child("name"), "the asset's name, such as etcd-image"))
		case seen[a.Name]:
			v.add(field.Duplicate(p.Child("name"), a.Name))
		}
		seen[a.Name] = true
		v.platforms(p, a)
		v.content(p, c, a)
	}
}

// platforms allows neither system nor architectures on an archive alone: that
// is source code (kubernetes-src.tar.gz).
func (v *validation) platforms(p *field.Path, a Asset) {
	if a.OS == "" && len(a.Arch) == 0 && a.Type == TypeArchive {
		return
	}
	if a.OS == "" {
		v.add(field.Required(p.Child("os"), "one of "+strings.Join(knownOS, ", ")))
	} else if !slices.Contains(knownOS, a.OS) {
		v.add(field.NotSupported(p.Child("os"), a.OS, knownOS))
	}
	if len(a.Arch) == 0 {
		v.add(field.Required(p.Child("arch"), "one or more of "+strings.Join(knownArch, ", ")))
	}
	for i, arch := range a.Arch {
		if !slices.Contains(knownArch, arch) {
			v.add(field.NotSupported(p.Child("arch").Index(i), arch, knownArch))
		} else if slices.Contains(a.Arch[:i], arch) {
			v.add(field.Duplicate(p.Child("arch").Index(i), arch))
		}
	}
}

func (v *validation) content(p *field.Path, c Component, a Asset) {
	switch {
	case a.Type == "":
		v.add(field.Required(p.Child("type"), "one of "+strings.Join(knownTypes, ", ")))
	case !slices.Contains(knownTypes, a.Type):
		v.add(field.NotSupported(p.Child("type"), a.Type, knownTypes))
	case a.Type == TypeImage && a.Archive != nil:
		v.add(field.Forbidden(p.Child("archive"), "the asset's type is Image"))
	case a.Type == TypeArchive && a.Image != nil:
		v.add(field.Forbidden(p.Child("image"), "the asset's type is Archive"))
	case a.Type == TypeImage && a.Image == nil:
		v.add(field.Required(p.Child("image"), "the asset's type is Image"))
	case a.Type == TypeArchive && a.Archive == nil:
		v.add(field.Required(p.Child("archive"), "the asset's type is Archive"))
	}
	if a.Image != nil {
		v.image(p.Child("image"), c, *a.Image)
	}
	if a.Archive != nil {
		v.archive(p.Child("archive"), *a.Archive)
	}
}

func (v *validation) archive(p *field.Path, a Archive) {
	if a.URI == "" {
		v.add(field.Required(p.Child("uri"), "where the file is"))
	} else if err := checkFileURL(a.URI); err != nil {
		v.add(field.Invalid(p.Child("uri"), a.URI, err.Error()))
	} else if base := v.release.Annotations[AnnotationBaseURL]; base != "" && !strings.HasPrefix(a.URI, base+"/") {
		v.add(field.Invalid(p.Child("uri"), a.URI, fmt.Sprintf("is not under %s, which the annotation %s says of all files", base, AnnotationBaseURL)))
	}
	v.checksum(p.Child("sha256"), a.SHA256, sha256Pattern, "64 lower-case hex digits")
	v.checksum(p.Child("sha512"), a.SHA512, sha512Pattern, "128 lower-case hex digits")
}

func (v *validation) checksum(p *field.Path, sum string, want *regexp.Regexp, form string) {
	if sum == "" {
		v.add(field.Required(p, "want "+form))
	} else if !want.MatchString(sum) {
		v.add(field.Invalid(p, sum, "want "+form))
	}
}

func checkFileURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return fmt.Errorf("is no URL")
	case !slices.Contains([]string{"http", "https", "s3", "file"}, u.Scheme):
		return fmt.Errorf("want a URL that starts with https://, http://, s3:// or file://")
	case u.Host == "" && u.Scheme != "file":
		return fmt.Errorf("has no host")
	case u.User != nil:
		return fmt.Errorf("holds a user name: a published manifest must hold no credentials")
	}
	return nil
}
