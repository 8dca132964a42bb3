package images

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sort"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"golang.org/x/sync/errgroup"

	"github.com/slipway-k8s/slipway/distro"
)

// Listed is what a tag of a registry names.
type Listed struct {
	Repository string  `json:"repository"` // path in the registry
	Tag        string  `json:"tag"`
	Digest     v1.Hash `json:"digest"` // of the index
	// Platforms that the index has images for; none if the tag names a single
	// image or something that is none.
	Platforms []distro.Platform `json:"platforms,omitempty"`
	// Size in bytes of all blobs, each counted once, as they are stored.
	Size int64 `json:"size"`
}

// listJobs is how many tags are looked at together.
const listJobs = 8

// List returns what the tags of the registry's repositories under prefix name,
// sorted by repository and tag; no prefix means all. It asks for the registry's
// catalog, which not every registry has.
func List(ctx context.Context, registry name.Registry, prefix string, options ...remote.Option) ([]Listed, error) {
	puller, err := remote.NewPuller(options...)
	if err != nil {
		return nil, err
	}
	l := lister{puller: puller, registry: registry, secrets: &secrets{}}
	all, err := l.list(ctx, prefix)
	if err != nil {
		return nil, err
	}
	sort.Slice(all, func(i, j int) bool {
		a, b := all[i], all[j]
		return a.Repository < b.Repository || a.Repository == b.Repository && a.Tag < b.Tag
	})
	return all, nil
}

type lister struct {
	puller   *remote.Puller
	registry name.Registry
	secrets  *secrets
}

// failed is the error for what could not be read.
func (l lister) failed(what string, err error) error {
	status := 0
	var te *transport.Error
	if errors.As(err, &te) {
		status = te.StatusCode
	}
	text := fmt.Sprintf("list %s: %s", what, l.secrets.text(err))
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		text += fmt.Sprintf(": use `docker login %s` with credentials that may read it", l.registry)
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		text += ": the registry has no such list"
	}
	return &listError{text, err}
}

type listError struct {
	text string
	err  error
}

func (e *listError) Error() string { return e.text }
func (e *listError) Unwrap() error { return e.err }

func (l lister) list(ctx context.Context, prefix string) ([]Listed, error) {
	repositories, err := l.repositories(ctx, prefix)
	if err != nil {
		return nil, err
	}
	var refs []name.Tag
	for _, r := range repositories {
		repo := l.registry.Repo(r)
		tags, err := l.puller.List(ctx, repo)
		var te *transport.Error
		if errors.As(err, &te) && te.StatusCode == http.StatusNotFound {
			continue // nothing there has a tag
		}
		if err != nil {
			return nil, l.failed(repo.Name(), err)
		}
		for _, t := range tags {
			refs = append(refs, repo.Tag(t))
		}
	}
	all := make([]Listed, len(refs))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(listJobs)
	for i, ref := range refs {
		g.Go(func() error {
			found, err := l.look(ctx, ref)
			if err != nil {
				return l.failed(ref.Name(), err)
			}
			all[i] = found
			return nil
		})
	}
	return all, g.Wait()
}

// repositories under prefix: it may be one itself, or a folder of some.
func (l lister) repositories(ctx context.Context, prefix string) ([]string, error) {
	catalog, err := l.puller.Catalogger(ctx, l.registry)
	if err != nil {
		return nil, l.failed(l.registry.Name(), err)
	}
	var found []string
	for catalog.HasNext() {
		page, err := catalog.Next(ctx)
		if err != nil {
			return nil, l.failed(l.registry.Name()+"'s catalog of repositories", err)
		}
		for _, r := range page.Repos {
			if prefix == "" || r == prefix || strings.HasPrefix(r, prefix+"/") {
				found = append(found, r)
			}
		}
	}
	return found, nil
}

func (l lister) look(ctx context.Context, ref name.Tag) (Listed, error) {
	found := Listed{Repository: ref.RepositoryStr(), Tag: ref.TagStr()}
	d, err := l.puller.Get(ctx, ref)
	if err != nil {
		return found, err
	}
	found.Digest = d.Digest
	seen := map[v1.Hash]int64{}
	switch {
	case d.MediaType.IsImage():
		img, err := d.Image()
		if err != nil {
			return found, err
		}
		err = sizes(img, seen)
		found.Size = total(seen)
		return found, err
	case !d.MediaType.IsIndex():
		found.Size = d.Size
		return found, nil
	}
	idx, err := d.ImageIndex()
	if err != nil {
		return found, err
	}
	m, err := idx.IndexManifest()
	if err != nil {
		return found, err
	}
	for _, child := range m.Manifests {
		if child.Platform != nil {
			found.Platforms = append(found.Platforms, distro.Platform{OS: child.Platform.OS, Arch: child.Platform.Architecture})
		}
		if !child.MediaType.IsImage() {
			continue
		}
		img, err := idx.Image(child.Digest)
		if err != nil {
			return found, err
		}
		if err := sizes(img, seen); err != nil {
			return found, err
		}
	}
	found.Size = total(seen)
	return found, nil
}

// sizes adds the blobs of an image, each by its digest.
func sizes(img v1.Image, seen map[v1.Hash]int64) error {
	m, err := img.Manifest()
	if err != nil {
		return err
	}
	seen[m.Config.Digest] = m.Config.Size
	for _, layer := range m.Layers {
		seen[layer.Digest] = layer.Size
	}
	return nil
}

func total(sizes map[v1.Hash]int64) (sum int64) {
	for _, n := range sizes {
		sum += n
	}
	return sum
}
