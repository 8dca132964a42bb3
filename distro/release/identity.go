package release

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Identity is what a release's name and tags are made of.
type Identity struct {
	// Vendor is who built it: "slipway", "eks"; lower-case letters and digits.
	Vendor string
	// Channel is "1-36".
	Channel string
	// Number counts the releases of the channel from 1.
	Number int
	// Partial is empty for a whole release; else it says what is there, as the
	// end of name and tags: "linux-amd64".
	Partial string
}

var releaseName = regexp.MustCompile(`^kubernetes-([1-9][0-9]*-(?:0|[1-9][0-9]*))-([a-z][a-z0-9]*)-([1-9][0-9]*)(?:-([a-z0-9]+(?:[-.][a-z0-9]+)*))?$`)

// ParseName reads "kubernetes-1-36-slipway-1", for a partial release with its
// suffix: "kubernetes-1-36-slipway-1-linux-amd64".
func ParseName(name string) (Identity, error) {
	m := releaseName.FindStringSubmatch(name)
	if m == nil {
		return Identity{}, fmt.Errorf("release name %q: want kubernetes-<channel>-<vendor>-<number>, such as kubernetes-1-36-slipway-1", name)
	}
	number, err := strconv.Atoi(m[3])
	if err != nil {
		return Identity{}, fmt.Errorf("release name %q: number %s is too large", name, m[3])
	}
	return Identity{Channel: m[1], Vendor: m[2], Number: number, Partial: m[4]}, nil
}

// Name is the release's name: "kubernetes-1-36-slipway-1".
func (id Identity) Name() string { return "kubernetes-" + id.Channel + "-" + id.build() }

// Tag is the image tag of a component at an upstream tag:
// "v1.36.2-slipway-1-36-1". What a tag cannot hold ("+", ":", "/", "~") becomes
// "_", as in the versions of Debian packages.
func (id Identity) Tag(upstream string) string {
	return notInTags.ReplaceAllString(upstream, "_") + id.tagEnd()
}

var notInTags = regexp.MustCompile(`[^A-Za-z0-9_.-]`)

// tagEnd is what every image tag of the release ends with: "-slipway-1-36-1".
func (id Identity) tagEnd() string {
	end := fmt.Sprintf("-%s-%s-%d", id.Vendor, id.Channel, id.Number)
	if id.Partial != "" {
		end += "-" + id.Partial
	}
	return end
}

func (id Identity) build() string {
	build := fmt.Sprintf("%s-%d", id.Vendor, id.Number)
	if id.Partial != "" {
		build += "-" + id.Partial
	}
	return build
}

// RecordFile is the name of the record beside the manifest of a release.
func RecordFile(releaseName string) string { return releaseName + ".record.json" }

// splitImage cuts an image URI into host ("registry.example.com:5000"),
// repository ("prefix/etcd-io/etcd") and tag. A part that is not there is empty;
// what follows "@" stays with the tag, where it is no valid tag.
func splitImage(uri string) (host, repository, tag string) {
	rest := uri
	if first, after, ok := strings.Cut(uri, "/"); ok && isHost(first) {
		host, rest = first, after
	}
	if colon := strings.Index(rest, ":"); colon >= 0 {
		rest, tag = rest[:colon], rest[colon+1:]
	}
	return host, rest, tag
}

// isHost tells a registry from the first part of a repository as container
// engines do: it has a dot or a port, or is localhost.
func isHost(s string) bool {
	return s == "localhost" || strings.ContainsAny(s, ".:") && hostPattern.MatchString(s)
}

var hostPattern = regexp.MustCompile(`^(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9A-Fa-f:]+\])(?::[0-9]+)?$`)
