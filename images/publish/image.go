package publish

import (
	"context"
	"fmt"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/slipway-k8s/slipway/distro"
	"github.com/slipway-k8s/slipway/distro/release"
	"github.com/slipway-k8s/slipway/images"
)

// image assembles an image for the plan's linux platforms, once.
func (p *publisher) image(ctx context.Context, r *distro.Recipe, img distro.Image) (*assembled, error) {
	id := r.Name + "/" + img.Name
	if done := p.images[id]; done != nil {
		return done, nil
	}
	vars, err := p.vars(r)
	if err != nil {
		return nil, err
	}
	rec := release.RecordImage{Name: img.Name, Repository: img.Repository}
	var all []v1.Image
	for _, platform := range p.plan.Linux() {
		one, layers, err := p.platformImage(ctx, r, img, platform, vars)
		if err != nil {
			return nil, fmt.Errorf("image %s for %s: %w", img.Name, platform, err)
		}
		all = append(all, one)
		entry, err := recordPlatform(one, layers, platform)
		if err != nil {
			return nil, err
		}
		rec.Platforms = append(rec.Platforms, entry)
	}
	index, err := images.Index(p.annotations(r, img, vars).Map(), all...)
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", img.Name, err)
	}
	digest, err := index.Digest()
	if err != nil {
		return nil, err
	}
	rec.Index = digest.String()
	if rec.Tags, err = p.tags(img, vars); err != nil {
		return nil, err
	}
	done := &assembled{index: index, digest: digest.String(), record: rec}
	p.images[id] = done
	return done, nil
}

// tags are the release tag, the stamp and the recipe's aliases, in this order;
// those of a partial release end in its suffix. Only the release tag stays what
// it is: see movingTags.
func (p *publisher) tags(img distro.Image, vars distro.Vars) ([]string, error) {
	tags := []string{p.plan.Channel.ReleaseTag(vars["tag"], p.plan.Suffix), vars["stampTag"] + p.plan.Suffix}
	for _, a := range img.Aliases {
		t, err := vars.Expand(a)
		if err != nil {
			return nil, err
		}
		tags = append(tags, t+p.plan.Suffix)
	}
	return tags, nil
}

// movingTags is where the tags begin that a later release may move: the stamp
// names binaries, which stay the same when only the base below them is newer,
// and an alias is upstream's name for whatever is current.
const movingTags = 1

func (p *publisher) annotations(r *distro.Recipe, img distro.Image, vars distro.Vars) images.Annotations {
	source := r.Source.URL
	if source == "" {
		if unit, err := p.plan.Catalog.Recipe(r.Unit()); err == nil {
			source = unit.Source.URL
		}
	}
	a := images.Annotations{
		Source: source, Revision: vars["commit"], Version: vars["stamp"], Title: img.Name,
		Description: img.Description, Vendor: p.plan.Channel.Vendor,
	}
	if img.Base != "none" {
		a.BaseName = "slipway-minimal"
		if _, base, ok := strings.Cut(img.Base, "/"); ok {
			a.BaseName = base
		}
	}
	return a
}

func (p *publisher) platformImage(ctx context.Context, r *distro.Recipe, img distro.Image, platform distro.Platform, vars distro.Vars) (v1.Image, []*images.Layer, error) {
	layers, err := p.layers(ctx, r, img, platform)
	if err != nil {
		return nil, nil, err
	}
	var env []string
	for _, e := range img.Env {
		e, err := vars.With(distro.PlatformVars(platform)).Expand(e)
		if err != nil {
			return nil, nil, err
		}
		env = append(env, e)
	}
	spec := images.Spec{
		Platform: platform, Entrypoint: img.Entrypoint, Cmd: img.Cmd, Env: env, User: img.User,
		ExposedPorts: img.Ports, Annotations: p.annotations(r, img, vars).Map(),
		Labels: map[string]string{
			"org.opencontainers.image.version": vars["stamp"],
			"org.opencontainers.image.source":  p.annotations(r, img, vars).Source,
		},
	}
	for _, l := range layers {
		spec.Layers = append(spec.Layers, l)
	}
	one, err := images.Image(spec)
	return one, layers, err
}

// pushImage brings an image to the registry.
func (p *publisher) pushImage(ctx context.Context, r *distro.Recipe, img distro.Image, a *assembled, start time.Time) error {
	repo, err := p.repository(img)
	if err != nil {
		return err
	}
	if err := p.withdrawUnlessNamed(a.digest); err != nil {
		return err
	}
	fixed, moving := a.record.Tags[:movingTags], a.record.Tags[movingTags:]
	if err := images.Push(ctx, repo, a.index, fixed, p.opts.Push...); err != nil {
		return fmt.Errorf("image %s: %w", img.Name, err)
	}
	move := append(p.opts.Push[:len(p.opts.Push):len(p.opts.Push)], images.OverwriteTags())
	if err := images.Push(ctx, repo, a.index, moving, move...); err != nil {
		return fmt.Errorf("image %s: %w", img.Name, err)
	}
	res := ImageResult{
		Component: r.Name, Name: img.Name, Digest: a.digest, Elapsed: time.Since(start),
		Reference: p.named + "/" + img.Repository + ":" + a.record.Tags[0],
	}
	for _, pl := range a.record.Platforms {
		for _, l := range pl.Layers {
			res.Size += l.Size
		}
	}
	p.results = append(p.results, res)
	if p.opts.OnImage != nil {
		p.opts.OnImage(res)
	}
	return nil
}

func recordPlatform(img v1.Image, layers []*images.Layer, platform distro.Platform) (release.RecordImagePlatform, error) {
	manifest, err := img.Digest()
	if err != nil {
		return release.RecordImagePlatform{}, err
	}
	config, err := img.ConfigName()
	if err != nil {
		return release.RecordImagePlatform{}, err
	}
	rec := release.RecordImagePlatform{Platform: platform.String(), Manifest: manifest.String(), Config: config.String()}
	for _, l := range layers {
		lr := l.Record()
		rec.DiffIDs = append(rec.DiffIDs, lr.DiffID.String())
		rec.Layers = append(rec.Layers, release.RecordLayer{Digest: lr.Digest.String(), Size: lr.Size})
	}
	return rec, nil
}
