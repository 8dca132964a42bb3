package images

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"golang.org/x/sync/errgroup"
)

// Push brings the index to the repository and gives it the tags.
//
// The order makes an interrupted push harmless: blobs, the images' manifests,
// the index by its digest, a look whether the registry has it, and only then
// tags. Blobs and manifests that are there are not sent again. Tags are checked
// before anything is sent, and again before each is written.
//
// Throttling (429, 503 with Retry-After), server errors and broken connections
// are waited out and tried again; ctx ends any wait.
//
// Errors are *TagConflictError, *RepositoryMissingError, *PushError, or ctx's.
func Push(ctx context.Context, repo name.Repository, idx v1.ImageIndex, tags []string, opts ...PushOption) error {
	p, err := newPusher(repo, tags, makePushOptions(opts))
	if err != nil {
		return err
	}
	content, err := gather(idx)
	if err != nil {
		return fmt.Errorf("push to %s: %w", repo, err)
	}
	if err := p.connect(ctx); err != nil {
		return err
	}
	if _, err := p.openTags(ctx, content.digest); err != nil {
		return err
	}
	if err := p.sendBlobs(ctx, content.blobs); err != nil {
		return err
	}
	for _, img := range content.images {
		if err := p.sendManifest(ctx, img); err != nil {
			return err
		}
	}
	if err := p.sendManifest(ctx, idx); err != nil {
		return err
	}
	if err := p.verify(ctx, p.repo.Digest(content.digest.String()), content.digest); err != nil {
		return err
	}
	open, err := p.openTags(ctx, content.digest)
	if err != nil {
		return err
	}
	for _, tag := range open {
		if err := p.do(ctx, "writing tag "+tag.TagStr(), func(ctx context.Context) error {
			return p.push.Put(ctx, tag, idx)
		}); err != nil {
			return err
		}
		if err := p.verify(ctx, tag, content.digest); err != nil {
			return err
		}
	}
	return nil
}

// content is what an index consists of.
type content struct {
	digest v1.Hash
	images []v1.Image
	blobs  []v1.Layer // layers and configs, each once
}

func gather(idx v1.ImageIndex) (*content, error) {
	digest, err := idx.Digest()
	if err != nil {
		return nil, err
	}
	m, err := idx.IndexManifest()
	if err != nil {
		return nil, err
	}
	c := &content{digest: digest}
	seen := map[v1.Hash]bool{}
	for _, d := range m.Manifests {
		img, err := idx.Image(d.Digest)
		if err != nil {
			return nil, err
		}
		c.images = append(c.images, img)
		layers, err := img.Layers()
		if err != nil {
			return nil, err
		}
		config, err := partial.ConfigLayer(img)
		if err != nil {
			return nil, err
		}
		for _, l := range append(layers, config) {
			h, err := l.Digest()
			if err != nil {
				return nil, err
			}
			if !seen[h] {
				seen[h] = true
				c.blobs = append(c.blobs, l)
			}
		}
	}
	return c, nil
}

type pusher struct {
	*pushOptions
	repo    name.Repository
	tags    []name.Tag
	secrets *secrets
	retry   *retrier
	push    *remote.Pusher
	pull    *remote.Puller

	creating sync.Mutex
	created  bool
}

func newPusher(repo name.Repository, tags []string, o *pushOptions) (*pusher, error) {
	if o.insecure {
		var err error
		if repo, err = name.NewRepository(repo.Name(), name.Insecure); err != nil {
			return nil, err
		}
	}
	p := &pusher{pushOptions: o, repo: repo, secrets: &secrets{}}
	for _, t := range tags {
		tag, err := name.NewTag(repo.Name()+":"+t, name.StrictValidation)
		if err != nil {
			return nil, fmt.Errorf("push to %s: tag %q: %w", repo, t, err)
		}
		tag.Repository = repo // keeps plain http where it was asked for
		p.tags = append(p.tags, tag)
	}
	p.retry = &retrier{clock: o.clock, notice: o.notice, text: p.secrets.text, missing: p.create}
	return p, nil
}

// do is retrier.do with the error that a person gets.
func (p *pusher) do(ctx context.Context, doing string, f func(context.Context) error) error {
	n, err := p.retry.do(ctx, doing, f)
	if err == nil || ctx.Err() != nil {
		return err
	}
	return p.explain(doing, n, err)
}

// connect finds credentials and shakes hands with the registry, once for all
// requests of the push.
func (p *pusher) connect(ctx context.Context) error {
	return p.do(ctx, "connecting", func(ctx context.Context) error {
		auth, err := authn.Resolve(ctx, p.keychain, p.repo)
		if err != nil {
			return fmt.Errorf("finding credentials: %w", err)
		}
		config, err := authn.Authorization(ctx, auth)
		if err != nil {
			return fmt.Errorf("finding credentials: %w", err)
		}
		p.secrets.addConfig(config)

		var base http.RoundTripper = guard{
			newThrottle(watch{p.transport, p.secrets}, p.clock, p.notice), p.insecure}
		base = transport.NewUserAgent(base, "slipway")
		authed, err := transport.NewWithContext(ctx, p.repo.Registry, auth, base,
			[]string{p.repo.Scope(transport.PushScope)})
		if err != nil {
			return err
		}
		// A *transport.Wrapper, which remote uses as it is; one attempt, since
		// the retrier does the rest.
		options := []remote.Option{
			remote.WithTransport(authed), remote.WithJobs(p.jobs),
			remote.WithRetryBackoff(remote.Backoff{Steps: 1}),
			remote.WithRetryPredicate(func(error) bool { return false }),
		}
		if p.push, err = remote.NewPusher(options...); err != nil {
			return err
		}
		p.pull, err = remote.NewPuller(options...)
		return err
	})
}

// create makes the repository that the registry says is missing, once.
func (p *pusher) create(ctx context.Context) (bool, error) {
	if p.creator == nil {
		return false, nil
	}
	p.creating.Lock()
	defer p.creating.Unlock()
	if p.created {
		return true, nil // made, but the registry does not know everywhere yet
	}
	if err := p.creator.CreateRepository(ctx, p.repo.RegistryStr(), p.repo.RepositoryStr()); err != nil {
		return false, fmt.Errorf("creating the repository: %w", err)
	}
	p.created = true
	return true, nil
}

// head returns the digest that ref has in the registry, and whether it has one.
func (p *pusher) head(ctx context.Context, doing string, ref name.Reference) (digest v1.Hash, found bool, err error) {
	err = p.do(ctx, doing, func(ctx context.Context) error {
		d, err := p.pull.Head(ctx, ref)
		var failed *transport.Error
		if errors.As(err, &failed) && failed.StatusCode == http.StatusNotFound {
			return nil
		}
		if err == nil {
			digest, found = d.Digest, true
		}
		return err
	})
	return digest, found, err
}

// openTags returns the tags that are yet to be written, and a TagConflictError
// if one is taken.
func (p *pusher) openTags(ctx context.Context, want v1.Hash) ([]name.Tag, error) {
	var open []name.Tag
	for _, tag := range p.tags {
		have, found, err := p.head(ctx, "looking at tag "+tag.TagStr(), tag)
		switch {
		case err != nil:
			return nil, err
		case found && have == want:
			continue
		case found && !p.overwrite:
			return nil, &TagConflictError{tag.Name(), have, want}
		}
		open = append(open, tag)
	}
	return open, nil
}

func (p *pusher) sendBlobs(ctx context.Context, blobs []v1.Layer) error {
	count, err := newCounter(blobs, p.progress)
	if err != nil {
		return fmt.Errorf("push to %s: %w", p.repo, err)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(p.jobs)
	for _, b := range blobs {
		g.Go(func() error {
			h, err := b.Digest()
			if err != nil {
				return err
			}
			counted := &countedLayer{Layer: b, counter: count}
			if err := p.do(ctx, "sending blob "+h.String(), func(ctx context.Context) error {
				return p.push.Upload(ctx, p.repo, counted)
			}); err != nil {
				return err
			}
			return counted.complete()
		})
	}
	return g.Wait()
}

// sendManifest puts the manifest of an image or an index under its digest.
func (p *pusher) sendManifest(ctx context.Context, m interface {
	remote.Taggable
	partial.Describable
}) error {
	h, err := m.Digest()
	if err != nil {
		return fmt.Errorf("push to %s: %w", p.repo, err)
	}
	ref := p.repo.Digest(h.String())
	_, found, err := p.head(ctx, "looking for manifest "+h.String(), ref)
	if err != nil || found {
		return err
	}
	return p.do(ctx, "sending manifest "+h.String(), func(ctx context.Context) error {
		return p.push.Put(ctx, ref, m)
	})
}

// verify asks the registry for ref and compares.
func (p *pusher) verify(ctx context.Context, ref name.Reference, want v1.Hash) error {
	have, found, err := p.head(ctx, "verifying "+ref.Identifier(), ref)
	if err == nil && !found {
		err = fmt.Errorf("push to %s: the registry took %s and does not have it: see its log and run again", p.repo, ref.Identifier())
	}
	if err == nil && have != want {
		err = fmt.Errorf("push to %s: %s is %s after it was written as %s: somebody else pushes there; run again when they are done",
			p.repo, ref.Identifier(), have, want)
	}
	return err
}
