package release

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// ErrAddress is a registry or base URL given to Render that is none.
var ErrAddress = errors.New("not an address")

// Render returns a copy of r whose images are under registry and whose files are
// under baseURL; either may be empty, and then stays as it is. Only the part
// before an image's repository (etcd-io/etcd:…) and before a file's path
// (kubernetes-1-36/releases/…) changes: tags, digests and checksums do not.
//
// What that part is, the annotations AnnotationRegistry and AnnotationBaseURL
// say, and Render updates them. EKS Distro's releases have none: there it is
// what stands before the owners that EKS Distro's repositories are known by,
// or what all images share; and what stands before /kubernetes-1-XX/ in the
// files' URLs.
//
// registry is host[:port][/prefix]; baseURL a URL without query; an error about
// them is an ErrAddress. Any other error names the first image or file that is not
// under the present prefix.
func Render(r *Release, registry, baseURL string) (*Release, error) {
	out := r.DeepCopy()
	if registry != "" {
		if err := CheckRegistry(registry); err != nil {
			return nil, err
		}
		if err := moveImages(out, registry); err != nil {
			return nil, fmt.Errorf("%s: %w", r.Name, err)
		}
	}
	if baseURL != "" {
		if err := CheckBaseURL(baseURL); err != nil {
			return nil, err
		}
		if err := moveFiles(out, baseURL); err != nil {
			return nil, fmt.Errorf("%s: %w", r.Name, err)
		}
	}
	return out, nil
}

func moveImages(r *Release, to string) error {
	from := r.Annotations[AnnotationRegistry]
	if from == "" {
		var err error
		if from, err = guessRegistry(r); err != nil {
			return err
		}
	}
	err := eachAsset(r, func(p *field.Path, a *Asset) error {
		if a.Image == nil {
			return nil
		}
		return move(p.Child("image", "uri"), &a.Image.URI, from, to, AnnotationRegistry)
	})
	annotate(r, AnnotationRegistry, to)
	return err
}

func moveFiles(r *Release, to string) error {
	from := r.Annotations[AnnotationBaseURL]
	err := eachAsset(r, func(p *field.Path, a *Asset) error {
		if a.Archive == nil {
			return nil
		}
		if from == "" {
			before, _, ok := strings.Cut(a.Archive.URI, "/kubernetes-"+r.Spec.Channel+"/")
			if !ok {
				return fmt.Errorf("%s: %q: has no /kubernetes-%s/, so its base URL is not known", p.Child("archive", "uri"), a.Archive.URI, r.Spec.Channel)
			}
			from = before
		}
		return move(p.Child("archive", "uri"), &a.Archive.URI, from, to, AnnotationBaseURL)
	})
	annotate(r, AnnotationBaseURL, to)
	return err
}

func move(p *field.Path, uri *string, from, to, annotation string) error {
	rest, ok := strings.CutPrefix(*uri, from+"/")
	if !ok {
		return fmt.Errorf("%s: %q: is not under %s, as the others are or the annotation %s says", p, *uri, from, annotation)
	}
	*uri = to + "/" + rest
	return nil
}

// owners are the first parts of the repositories that EKS Distro publishes.
var owners = []string{"kubernetes", "kubernetes-csi", "kubernetes-sigs", "etcd-io", "coredns"}

// guessRegistry is the longest prefix, in whole path parts, of what stands
// before the known owners, or before the last part where there is none (EKS
// Distro's csi-components/csi-attacher).
func guessRegistry(r *Release) (string, error) {
	var common, hosts []string
	first := true
	_ = eachAsset(r, func(_ *field.Path, a *Asset) error {
		if a.Image == nil {
			return nil
		}
		host, repository, _ := splitImage(a.Image.URI)
		parts := strings.Split(repository, "/")
		end := slices.IndexFunc(parts, func(s string) bool { return slices.Contains(owners, s) })
		if end < 0 {
			end = len(parts) - 1
		}
		prefix := append([]string{host}, parts[:end]...)
		if !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
		if first {
			common, first = prefix, false
		}
		common = commonPrefix(common, prefix)
		return nil
	})
	if first {
		return "", nil // no images: nothing to move
	}
	if len(common) == 0 || common[0] == "" {
		return "", fmt.Errorf("its images are not all in one registry (found %q): set the annotation %s", hosts, AnnotationRegistry)
	}
	return strings.Join(common, "/"), nil
}

func commonPrefix(a, b []string) []string {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return a[:n]
}

func annotate(r *Release, key, value string) {
	if r.Annotations == nil {
		r.Annotations = map[string]string{}
	}
	r.Annotations[key] = value
}

// eachAsset calls f with every asset and its path, until f fails.
func eachAsset(r *Release, f func(*field.Path, *Asset) error) error {
	for i := range r.Status.Components {
		c := &r.Status.Components[i]
		for j := range c.Assets {
			p := field.NewPath("status", "components").Index(i).Child("assets").Index(j)
			if err := f(p, &c.Assets[j]); err != nil {
				return err
			}
		}
	}
	return nil
}

// CheckRegistry checks an address that images may be published under:
// host[:port][/prefix]. Its error is an ErrAddress.
func CheckRegistry(registry string) error {
	if err := checkRegistry(registry); err != nil {
		return fmt.Errorf("%w: registry %q: %w", ErrAddress, registry, err)
	}
	return nil
}

// CheckBaseURL checks an address that files may be published under: an http or
// https URL without query. Its error is an ErrAddress.
func CheckBaseURL(base string) error {
	if err := checkBaseURL(base); err != nil {
		return fmt.Errorf("%w: base URL %q: %w", ErrAddress, base, err)
	}
	return nil
}

func checkBaseURL(base string) error {
	if err := checkFileURL(base); err != nil {
		return err
	}
	u, err := url.Parse(base)
	if err != nil || u.RawQuery != "" || u.Fragment != "" || strings.HasSuffix(base, "/") {
		return fmt.Errorf("want no query, no fragment and no slash at the end, such as https://files.example.com/distro")
	}
	return nil
}
