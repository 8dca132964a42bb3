package release

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

func findings(r *Release) []string {
	var out []string
	for _, e := range Validate(r) {
		out = append(out, e.Error())
	}
	return out
}

func TestASoundReleaseHasNoFindings(t *testing.T) {
	if got := findings(sound()); len(got) > 0 {
		t.Errorf("findings:\n%s", strings.Join(got, "\n"))
	}
}

func TestPublishedReleasesHaveExactlyTheKnownFindings(t *testing.T) {
	for _, file := range eksdReleases {
		t.Run(file, func(t *testing.T) {
			got := strings.Join(findings(readEKSD(t, file)), "\n") + "\n"
			golden := filepath.Join("testdata", "findings", strings.TrimSuffix(file, ".yaml")+".txt")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("findings differ from %s (-want +got), -update writes it:\n%s", golden, diff)
			}
		})
	}
}

func TestTheSevenCSIImagesWithoutDigestAreReported(t *testing.T) {
	r, missing := readEKSD(t, eksd133), 0
	for _, e := range Validate(r) {
		if strings.HasSuffix(e.Field, ".image.imageDigest") {
			missing++
		}
	}
	if missing != 7 {
		t.Errorf("%d images are reported without a digest, want the 7 CSI images", missing)
	}
}

// Each fault must be found at its own path, and nowhere else.
func TestValidateNamesTheFieldThatIsWrong(t *testing.T) {
	image := func(r *Release) *Image { return r.Status.Components[0].Assets[0].Image }
	archive := func(r *Release) *Archive { return r.Status.Components[0].Assets[1].Archive }
	asset := func(r *Release, i int) *Asset { return &r.Status.Components[0].Assets[i] }
	const (
		imagePath   = "status.components[0].assets[0].image"
		archivePath = "status.components[0].assets[1].archive"
	)
	for _, c := range []struct {
		fault string
		spoil func(*Release)
		path  string
		want  string
	}{
		{"empty registry", func(r *Release) { image(r).URI = "/etcd:v1" }, imagePath + ".uri", "has no registry"},
		{"no registry host", func(r *Release) { image(r).URI = "etcd-io/etcd:v3.6.8-slipway-1-36-1" }, imagePath + ".uri", "has no registry"},
		{"URL scheme", func(r *Release) { image(r).URI = "https://localhost:5050/etcd:v1" }, imagePath + ".uri", "scheme"},
		{"no repository", func(r *Release) { image(r).URI = "localhost:5050/:v1" }, imagePath + ".uri", "repository"},
		{"upper-case repository", func(r *Release) { image(r).URI = "localhost:5050/Etcd:v1" }, imagePath + ".uri", "repository"},
		{"no tag", func(r *Release) { image(r).URI = "localhost:5050/etcd-io/etcd" }, imagePath + ".uri", "has no tag"},
		{"empty tag", func(r *Release) { image(r).URI = "localhost:5050/etcd-io/etcd:" }, imagePath + ".uri", "has no tag"},
		{"bad tag", func(r *Release) { image(r).URI = "localhost:5050/etcd-io/etcd:v1+x" }, imagePath + ".uri", "tag"},
		{"digest in URI", func(r *Release) { image(r).URI += "@sha256:00" }, imagePath + ".uri", "imageDigest"},
		{"tag of another channel", func(r *Release) { image(r).URI = "localhost:5050/etcd-io/etcd:v3.6.8-slipway-1-35-1" }, imagePath + ".uri", "disagrees with channel"},
		{"tag of another number", func(r *Release) { image(r).URI = "localhost:5050/etcd-io/etcd:v3.6.8-slipway-1-36-11" }, imagePath + ".uri", "disagrees with channel"},
		{"tag of another vendor", func(r *Release) { image(r).URI = "localhost:5050/etcd-io/etcd:v3.6.8-eks-1-36-1" }, imagePath + ".uri", "disagrees with channel"},
		{"tag of another version", func(r *Release) { image(r).URI = "localhost:5050/etcd-io/etcd:v3.6.7-slipway-1-36-1" }, imagePath + ".uri", "gitTag"},
		{"image elsewhere", func(r *Release) { image(r).URI = "localhost:6060/etcd-io/etcd:v3.6.8-slipway-1-36-1" }, imagePath + ".uri", "is not under localhost:5050"},
		{"no image URI", func(r *Release) { image(r).URI = "" }, imagePath + ".uri", "Required"},
		{"no digest", func(r *Release) { image(r).ImageDigest = "" }, imagePath + ".imageDigest", "Required"},
		{"digest without algorithm", func(r *Release) { image(r).ImageDigest = strings.Repeat("a", 64) }, imagePath + ".imageDigest", "sha256:"},
		{"short digest", func(r *Release) { image(r).ImageDigest = "sha256:abc" }, imagePath + ".imageDigest", "64"},
		{"upper-case digest", func(r *Release) { image(r).ImageDigest = "sha256:" + strings.Repeat("A", 64) }, imagePath + ".imageDigest", "lower-case"},
		{"no sha256", func(r *Release) { archive(r).SHA256 = "" }, archivePath + ".sha256", "Required"},
		{"short sha256", func(r *Release) { archive(r).SHA256 = "ab" }, archivePath + ".sha256", "64"},
		{"no sha512", func(r *Release) { archive(r).SHA512 = "" }, archivePath + ".sha512", "Required"},
		{"sha256 as sha512", func(r *Release) { archive(r).SHA512 = archive(r).SHA256 }, archivePath + ".sha512", "128"},
		{"no file URI", func(r *Release) { archive(r).URI = "" }, archivePath + ".uri", "Required"},
		{"file URI without host", func(r *Release) { archive(r).URI = "https:///etcd" }, archivePath + ".uri", "no host"},
		{"file URI of another scheme", func(r *Release) { archive(r).URI = "ftp://h/etcd" }, archivePath + ".uri", "https://"},
		{"credentials in file URI", func(r *Release) { archive(r).URI = "http://u:p@localhost:5050/etcd" }, archivePath + ".uri", "credentials"},
		{"file elsewhere", func(r *Release) { archive(r).URI = "http://localhost:6060/etcd" }, archivePath + ".uri", "is not under http://localhost:5050"},
		{"asset twice", func(r *Release) { *asset(r, 1) = *asset(r, 0) }, "status.components[0].assets[1].name", "Duplicate"},
		{"asset without name", func(r *Release) { asset(r, 0).Name = "" }, "status.components[0].assets[0].name", "Required"},
		{"unknown type", func(r *Release) { asset(r, 0).Type = "Chart" }, "status.components[0].assets[0].type", "Unsupported"},
		{"no type", func(r *Release) { asset(r, 0).Type = "" }, "status.components[0].assets[0].type", "Required"},
		{"image and archive", func(r *Release) { asset(r, 0).Archive = archive(r) }, "status.components[0].assets[0].archive", "Forbidden"},
		{"archive and image", func(r *Release) { asset(r, 1).Image = image(r) }, "status.components[0].assets[1].image", "Forbidden"},
		{"neither image nor archive", func(r *Release) { asset(r, 0).Image = nil }, "status.components[0].assets[0].image", "Required"},
		{"archive without archive", func(r *Release) { asset(r, 1).Archive = nil }, "status.components[0].assets[1].archive", "Required"},
		{"unknown OS", func(r *Release) { asset(r, 0).OS = "plan9" }, "status.components[0].assets[0].os", "Unsupported"},
		{"no OS", func(r *Release) { asset(r, 1).OS = "" }, "status.components[0].assets[1].os", "Required"},
		{"no architecture", func(r *Release) { asset(r, 1).Arch = nil }, "status.components[0].assets[1].arch", "Required"},
		{"unknown architecture", func(r *Release) { asset(r, 0).Arch[1] = "mips" }, "status.components[0].assets[0].arch[1]", "Unsupported"},
		{"architecture twice", func(r *Release) { asset(r, 0).Arch[1] = "amd64" }, "status.components[0].assets[0].arch[1]", "Duplicate"},
		{"component twice", func(r *Release) { r.Status.Components[1].Name = "etcd" }, "status.components[1].name", "Duplicate"},
		{"component without name", func(r *Release) { r.Status.Components[1].Name = "" }, "status.components[1].name", "Required"},
		{"component without assets", func(r *Release) { r.Status.Components[1].Assets = nil }, "status.components[1].assets", "Required"},
		{"component without tag", func(r *Release) { r.Status.Components[1].GitTag = "" }, "status.components[1].gitTag", "Required"},
		{"short commit", func(r *Release) { r.Status.Components[0].GitCommit = "abc" }, "status.components[0].gitCommit", "40"},
		{"no components", func(r *Release) { r.Status.Components = nil }, "status.components", "Required"},
		{"no date", func(r *Release) { r.Status.Date = "" }, "status.date", "Required"},
		{"bad date", func(r *Release) { r.Status.Date = "2026-08-01" }, "status.date", "RFC 3339"},
		{"number 0", func(r *Release) { r.Spec.Number = 0 }, "spec.number", "1 or more"},
		{"no channel", func(r *Release) { r.Spec.Channel = "" }, "spec.channel", "Required"},
		{"channel with a dot", func(r *Release) { r.Spec.Channel = "1.36" }, "spec.channel", "dash"},
		{"short build commit", func(r *Release) { r.Spec.BuildRepoCommit = "abc" }, "spec.buildRepoCommit", "40"},
		{"no name", func(r *Release) { r.Name = "" }, "metadata.name", "Required"},
		{"another kind of name", func(r *Release) { r.Name = "release-1" }, "metadata.name", "kubernetes-<channel>"},
		{"name of another channel", func(r *Release) { r.Spec.Channel = "1-35" }, "metadata.name", `spec.channel is "1-35"`},
		{"name of another number", func(r *Release) { r.Spec.Number = 2 }, "metadata.name", "spec.number is 2"},
		{"partial mark on a whole release", func(r *Release) { r.Annotations[AnnotationPartial] = "true" }, "metadata.annotations[slipway.dev/partial]", "whole release"},
		{"partial mark of another value", func(r *Release) { r.Annotations[AnnotationPartial] = "false" }, "metadata.annotations[slipway.dev/partial]", "Unsupported"},
		{"short record sum", func(r *Release) { r.Annotations[AnnotationRecordSHA256] = "ab" }, "metadata.annotations[slipway.dev/record-sha256]", "64"},
	} {
		t.Run(c.fault, func(t *testing.T) {
			r := sound()
			c.spoil(r)
			errs := Validate(r)
			if len(errs) != 1 {
				t.Fatalf("want one finding, got %q", findings(r))
			}
			if e := errs[0]; e.Field != c.path || !strings.Contains(e.Error(), c.want) {
				t.Errorf("got %q, want path %q and %q", e, c.path, c.want)
			}
		})
	}
}

func TestAPartialReleaseIsNamedTaggedAndMarkedAsOne(t *testing.T) {
	r := sound()
	r.Name += "-linux-amd64"
	r.Annotations[AnnotationPartial] = "true"
	image := r.Status.Components[0].Assets[0].Image
	if errs := Validate(r); len(errs) != 1 || errs[0].Field != "status.components[0].assets[0].image.uri" {
		t.Errorf("a partial release with the tags of a whole one: got %v", errs)
	}
	image.URI += "-linux-amd64"
	if got := findings(r); len(got) > 0 {
		t.Errorf("findings: %q", got)
	}
	delete(r.Annotations, AnnotationPartial)
	if errs := Validate(r); len(errs) != 1 || errs[0].Field != "metadata.annotations[slipway.dev/partial]" {
		t.Errorf("a partial release without its mark: got %v", errs)
	}
}

func TestIdentityNamesAndTags(t *testing.T) {
	for name, tag := range map[string]string{
		"kubernetes-1-36-slipway-1":             "v1.2.3-slipway-1-36-1",
		"kubernetes-1-36-slipway-1-linux-amd64": "v1.2.3-slipway-1-36-1-linux-amd64",
		"kubernetes-1-33-eks-20":                "v1.2.3-eks-1-33-20",
	} {
		id, err := ParseName(name)
		if err != nil {
			t.Fatal(err)
		}
		if id.Name() != name || id.Tag("v1.2.3") != tag {
			t.Errorf("%s: got name %s, tag %s, want tag %s", name, id.Name(), id.Tag("v1.2.3"), tag)
		}
	}
	for _, bad := range []string{"", "kubernetes-1-36", "kubernetes-1-36-slipway", "kubernetes-1-36-slipway-0", "kubernetes-1-36-slipway-1-",
		"kubernetes-1.36-slipway-1", "kubernetes-1-36-slipway-99999999999999999999", "kubernetes-1-36-slipway-1/../x"} {
		if id, err := ParseName(bad); err == nil {
			t.Errorf("%q is read as %+v", bad, id)
		}
	}
	if got := (Identity{Vendor: "slipway", Channel: "1-36", Number: 1}).Tag("1:1.37.0-6+b3"); !tagPattern.MatchString(got) {
		t.Errorf("a Debian version gives the tag %q, which no registry takes", got)
	}
}
