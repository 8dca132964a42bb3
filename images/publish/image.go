package publish

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/slipway-k8s/slipway/builder"
	"github.com/slipway-k8s/slipway/builder/files"
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

// tags are the release tag, the stamp and the recipe's aliases. Those of a
// partial release end in its suffix, aliases apart: they are fixed names.
func (p *publisher) tags(img distro.Image, vars distro.Vars) ([]string, error) {
	tags := []string{p.plan.Channel.ReleaseTag(vars["tag"], p.plan.Suffix), vars["stampTag"] + p.plan.Suffix}
	for _, a := range img.Aliases {
		t, err := vars.Expand(a)
		if err != nil {
			return nil, err
		}
		tags = append(tags, t)
	}
	return tags, nil
}

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

// layers are, from the bottom: the base, Debian packages, one layer for each
// binary (so that /go-runner is the same blob in every image that has it), the
// other files, and the licences of all that is compiled in.
func (p *publisher) layers(ctx context.Context, r *distro.Recipe, img distro.Image, platform distro.Platform) ([]*images.Layer, error) {
	layers, err := p.stack(ctx, r, img, platform)
	if err != nil {
		return nil, err
	}
	modules, err := p.modulesOf(r, img, platform)
	if err != nil {
		return nil, err
	}
	if len(modules) == 0 {
		return layers, nil
	}
	licences, err := p.store.CachedLayer(cacheKey("licences", modules), p.opts.Compression, func() ([]files.File, error) {
		return p.b.Licences(modules)
	})
	if err != nil {
		return nil, err
	}
	return append(layers, licences), nil
}

// stack is layers without the licences.
func (p *publisher) stack(ctx context.Context, r *distro.Recipe, img distro.Image, platform distro.Platform) ([]*images.Layer, error) {
	var layers []*images.Layer
	add := func(l *images.Layer, err error) error {
		if err == nil {
			layers = append(layers, l)
		}
		return err
	}
	switch img.Base {
	case "", "minimal":
		if err := add(p.baseLayer(img)); err != nil {
			return nil, err
		}
	case "none":
	default:
		owner, base, err := p.plan.Image(r, img.Base)
		if err != nil {
			return nil, err
		}
		if layers, err = p.stack(ctx, owner, base, platform); err != nil {
			return nil, err
		}
	}
	if img.Debian != "" {
		if err := add(p.debianLayer(ctx, img, platform)); err != nil {
			return nil, err
		}
	}
	for _, f := range img.Files {
		if f.Binary != "" {
			if err := add(p.binaryLayer(r, f, platform)); err != nil {
				return nil, err
			}
		}
	}
	if !hasOtherFiles(img) {
		return layers, nil
	}
	err := add(p.store.CachedLayer(cacheKey("files", r.Name, img.Files, p.plan.Channel.Components[r.Unit()]), p.opts.Compression, func() ([]files.File, error) {
		return p.otherFiles(ctx, r, img)
	}))
	return layers, err
}

func hasOtherFiles(img distro.Image) bool {
	for _, f := range img.Files {
		if f.Binary == "" {
			return true
		}
	}
	return false
}

// baseLayer is the minimal base, with an image's own accounts in it.
func (p *publisher) baseLayer(img distro.Image) (*images.Layer, error) {
	entries := append(images.BaseFiles(), images.BaseLicences()...)
	if err := addAccounts(entries, "etc/passwd", img.Passwd); err != nil {
		return nil, err
	}
	if err := addAccounts(entries, "etc/group", img.Group); err != nil {
		return nil, err
	}
	// The base is a few kilobytes: its content is its key.
	key, err := contentKey(entries)
	if err != nil {
		return nil, err
	}
	return p.store.CachedLayer("base "+key, p.opts.Compression, func() ([]files.File, error) { return entries, nil })
}

func (p *publisher) debianLayer(ctx context.Context, img distro.Image, platform distro.Platform) (*images.Layer, error) {
	key, err := p.b.DebianKey(img.Debian, platform.Arch)
	if err != nil {
		return nil, err
	}
	return p.store.CachedLayer("debian "+key, p.opts.Compression, func() ([]files.File, error) {
		return p.b.DebianRoot(ctx, img.Debian, platform.Arch)
	})
}

func (p *publisher) binaryLayer(r *distro.Recipe, f distro.ImageFile, platform distro.Platform) (*images.Layer, error) {
	bin, err := p.binary(r, f.Binary, platform)
	if err != nil {
		return nil, err
	}
	return p.store.CachedLayer(cacheKey("binary", bin.Sha256, f.Path, f.Capability), p.opts.Compression, func() ([]files.File, error) {
		entry := bin.File(strings.TrimPrefix(f.Path, "/"))
		switch f.Capability {
		case "":
		case "net_bind_service":
			entry.Xattrs = images.CapNetBindService()
		default:
			return nil, fmt.Errorf("%s: capability %q: only net_bind_service is known", f.Path, f.Capability)
		}
		return []files.File{entry}, nil
	})
}

// otherFiles are links, folders and files out of modules.
func (p *publisher) otherFiles(ctx context.Context, r *distro.Recipe, img distro.Image) ([]files.File, error) {
	var list []files.File
	for _, f := range img.Files {
		name := strings.TrimPrefix(f.Path, "/")
		switch {
		case f.Link != "":
			list = append(list, files.Symlink(name, f.Link))
		case f.Directory:
			dir := files.Dir(name, 0o755)
			dir.UID, dir.GID = f.UID, f.UID
			list = append(list, dir)
		case f.Module != "":
			content, err := p.b.ModuleFile(ctx, r, f.Module, f.File)
			if err != nil {
				return nil, err
			}
			list = append(list, files.Bytes(name, 0o644, content))
		}
	}
	return list, nil
}

// modulesOf are the modules of every binary in an image, its base included.
func (p *publisher) modulesOf(r *distro.Recipe, img distro.Image, platform distro.Platform) ([]builder.Module, error) {
	var all []builder.Module
	for _, f := range img.Files {
		if f.Binary == "" {
			continue
		}
		bin, err := p.binary(r, f.Binary, platform)
		if err != nil {
			return nil, err
		}
		all = append(all, bin.Modules...)
	}
	if img.Base != "" && img.Base != "minimal" && img.Base != "none" {
		owner, base, err := p.plan.Image(r, img.Base)
		if err != nil {
			return nil, err
		}
		more, err := p.modulesOf(owner, base, platform)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return builder.SortModules(all), nil
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
	if err := images.Push(ctx, repo, a.index, a.record.Tags, p.opts.Push...); err != nil {
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

// addAccounts appends lines to one of the base's account files.
func addAccounts(entries []files.File, name string, lines []string) error {
	if len(lines) == 0 {
		return nil
	}
	for i, f := range entries {
		if f.Path != name {
			continue
		}
		content, err := readAll(f)
		if err != nil {
			return err
		}
		content = append(content, (strings.Join(lines, "\n") + "\n")...)
		entries[i] = files.Bytes(name, f.Mode, content)
		return nil
	}
	return fmt.Errorf("base: has no /%s", path.Clean(name))
}

func cacheKey(parts ...any) string {
	b, err := json.Marshal(parts)
	if err != nil {
		panic(err) // strings and plain structs
	}
	return string(b)
}

// contentKey is a key of small entries: all that they are, content included.
func contentKey(entries []files.File) (string, error) {
	h := sha256.New()
	if err := files.WriteTar(h, entries); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func readAll(f files.File) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}
