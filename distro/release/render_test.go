package release

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRenderMovesAllAddressesAndNothingElse(t *testing.T) {
	a := sound()
	b, err := Render(a, "registry.example.com:5000/team", "https://files.example.com/base")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sound(), a); diff != "" {
		t.Errorf("the release itself was changed:\n%s", diff)
	}
	text := strings.NewReplacer("http://localhost:5050", "https://files.example.com/base", "localhost:5050", "registry.example.com:5000/team").Replace(written(t, a))
	if diff := cmp.Diff(text, written(t, b)); diff != "" {
		t.Errorf("want the addresses replaced and no other byte:\n%s", diff)
	}
	if got := findings(b); len(got) > 0 {
		t.Errorf("the rendered release has findings: %q", got)
	}
}

func TestRenderThereAndBackGivesTheSameBytes(t *testing.T) {
	for _, file := range eksdReleases {
		there, err := Render(readEKSD(t, file), "registry.example.com/x", "https://files.example.com/y")
		if err != nil {
			t.Fatal(err)
		}
		again, err := Render(there, "localhost:5050", "http://localhost:5050")
		if err != nil {
			t.Fatal(err)
		}
		back, err := Render(again, "registry.example.com/x", "https://files.example.com/y")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(written(t, there), written(t, back)); diff != "" {
			t.Errorf("%s:\n%s", file, diff)
		}
	}
}

func TestRenderKnowsTheLayoutOfPublishedReleases(t *testing.T) {
	for file, want := range map[string][2]string{
		eksd118: {"localhost:5050/etcd-io/etcd:v3.4.14-eks-1-18-4", "localhost:5050/kubernetes-csi/external-attacher:v3.1.0-eks-1-18-4"},
		// Two prefixes share one registry: both stay apart under the new one.
		eksd133: {"localhost:5050/eks-distro/etcd-io/etcd:v3.5.21-eks-1-33-20", "localhost:5050/csi-components/csi-attacher:v4.9.0-eksbuild.3"},
	} {
		r, err := Render(readEKSD(t, file), "localhost:5050", "http://localhost:5050")
		if err != nil {
			t.Fatal(err)
		}
		_, etcd := r.Asset("etcd-image")
		_, attacher := r.Asset("external-attacher-image")
		if attacher == nil {
			_, attacher = r.Asset("csi-attacher-image")
		}
		if got := [2]string{etcd.Image.URI, attacher.Image.URI}; got != want {
			t.Errorf("%s: got %q, want %q", file, got, want)
		}
		_, kubelet := r.Asset("bin/linux/amd64/kubelet")
		if got := kubelet.Archive.URI; !strings.HasPrefix(got, "http://localhost:5050/kubernetes-"+r.Spec.Channel+"/releases/") {
			t.Errorf("%s: kubelet is at %s", file, got)
		}
	}
}

func TestRenderLeavesWhatIsNotGiven(t *testing.T) {
	r, err := Render(sound(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sound(), r); diff != "" {
		t.Error(diff)
	}
}

func TestRenderRefuses(t *testing.T) {
	astray := func(r *Release) { r.Status.Components[0].Assets[0].Image.URI = "elsewhere.example.com/etcd:v1" }
	for name, c := range map[string]struct {
		spoil          func(*Release)
		registry, base string
		want           string
	}{
		"an image that is elsewhere": {astray, "r.example.com", "", "status.components[0].assets[0].image.uri"},
		"a file that is elsewhere": {func(r *Release) { r.Status.Components[0].Assets[1].Archive.URI = "https://e/x" }, "", "https://f.example.com",
			"status.components[0].assets[1].archive.uri"},
		"images in two registries without an annotation": {func(r *Release) {
			delete(r.Annotations, AnnotationRegistry)
			r.Status.Components[1].Assets = append(r.Status.Components[1].Assets, Asset{Image: &Image{URI: "a.example.com/coredns/coredns:v1"}})
		}, "r.example.com", "", "not all in one registry"},
		"a registry without a host":   {nil, "team/distro", "", "no registry host"},
		"a registry with a scheme":    {nil, "https://r.example.com", "", "scheme"},
		"a registry with a slash":     {nil, "r.example.com/", "", "slash"},
		"a base URL without a scheme": {nil, "", "files.example.com", "https://"},
		"a base URL with a slash":     {nil, "", "https://files.example.com/", "slash"},
		"a base URL with a query":     {nil, "", "https://files.example.com?x=y", "query"},
	} {
		t.Run(name, func(t *testing.T) {
			r := sound()
			if c.spoil != nil {
				c.spoil(r)
			}
			_, err := Render(r, c.registry, c.base)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
