package release

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

func (v *validation) image(p *field.Path, c Component, image Image) {
	v.imageURI(p.Child("uri"), c, image.URI)
	if image.ImageDigest == "" {
		v.add(field.Required(p.Child("imageDigest"), "the digest of the image index: a tag alone does not say which image it is"))
	} else if !digestPattern.MatchString(image.ImageDigest) {
		v.add(field.Invalid(p.Child("imageDigest"), image.ImageDigest, "want sha256: and 64 lower-case hex digits"))
	}
}

// imageURI reports the first thing that is wrong, since what follows it in the
// URI would be wrong for the same reason.
func (v *validation) imageURI(p *field.Path, c Component, uri string) {
	invalid := func(format string, args ...any) {
		v.add(field.Invalid(p, uri, fmt.Sprintf(format, args...)))
	}
	host, repository, tag := splitImage(uri)
	registry := v.release.Annotations[AnnotationRegistry]
	switch {
	case uri == "":
		v.add(field.Required(p, "registry, repository and tag of the image"))
	case strings.Contains(uri, "://"):
		invalid("has a URL scheme: an image URI starts with the registry's host")
	case host == "":
		invalid("has no registry: want host/repository:tag, such as registry.example.com/etcd-io/etcd:v3.6.8-slipway-1-36-1")
	case strings.Contains(uri, "@"):
		invalid("holds a digest: that belongs in imageDigest")
	case !repositoryPattern.MatchString(repository):
		invalid("repository %q: want lower-case letters, digits and separators, parts joined by single slashes", repository)
	case tag == "":
		invalid("has no tag")
	case !tagPattern.MatchString(tag):
		invalid("tag %q: want at most 128 letters, digits, dots, dashes and underscores", tag)
	case v.id == nil:
	case !strings.HasSuffix(tag, v.id.tagEnd()):
		invalid("tag %q disagrees with channel and number of the release: want %q", tag, v.id.Tag(c.GitTag))
	case c.GitTag != "" && tag != v.id.Tag(c.GitTag):
		invalid("tag %q disagrees with the component's gitTag %q: want %q", tag, c.GitTag, v.id.Tag(c.GitTag))
	case registry != "" && !strings.HasPrefix(uri, registry+"/"):
		invalid("is not under %s, which the annotation %s says of all images", registry, AnnotationRegistry)
	}
}

// checkRegistry accepts a host, with a port or not, and a repository prefix or
// not: "registry.example.com:5000/team/distro".
func checkRegistry(registry string) error {
	host, prefix, _ := strings.Cut(registry, "/")
	switch {
	case strings.Contains(registry, "://"):
		return fmt.Errorf("has a URL scheme: want host[:port][/prefix], such as registry.example.com/distro")
	case !isHost(host):
		return fmt.Errorf("has no registry host: want host[:port][/prefix], where the host has a dot or a port or is localhost")
	case strings.Contains(registry, "/") && !repositoryPattern.MatchString(prefix):
		return fmt.Errorf("prefix %q: want lower-case letters, digits and separators, parts joined by single slashes, no slash at the end", prefix)
	}
	return nil
}
