package publish

import (
	"context"
	"fmt"
	"io"
	"path"
	"sort"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/builder"
	"github.com/slipway-k8s/slipway/builder/files"
	"github.com/slipway-k8s/slipway/distro"
	"github.com/slipway-k8s/slipway/distro/release"
	"github.com/slipway-k8s/slipway/images"
)

// packageComponent publishes all of a component: files, images, image tars,
// tarballs. It returns what the Release and the record say of it.
func (p *publisher) packageComponent(ctx context.Context, r *distro.Recipe) (*component, error) {
	vars, err := p.vars(r)
	if err != nil {
		return nil, err
	}
	pin := p.plan.Channel.Components[r.Unit()]
	w := &componentWriter{publisher: p, recipe: r, vars: vars, out: &component{
		release: release.Component{Name: r.Name, GitTag: pin.Version, GitCommit: pin.Commit},
		record:  release.RecordComponent{Name: r.Name, Version: pin.Version, Stamp: vars["stamp"], Commit: pin.Commit},
	}}
	if r.Source.Debian != "" {
		for _, platform := range p.plan.Linux() {
			if err := p.b.CheckDebian(r, platform.Arch); err != nil {
				return nil, err
			}
		}
	}
	if pin.Sha256 != "" {
		url, err := vars.Expand(r.Source.Archive)
		if err != nil {
			return nil, err
		}
		w.out.record.Source = &release.RecordSource{URL: url, SHA256: pin.Sha256}
	}
	for _, step := range []func(context.Context) error{w.files, w.images, w.tarballs, w.source, w.sources} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return w.out, nil
}

type componentWriter struct {
	*publisher
	recipe *distro.Recipe
	vars   distro.Vars
	out    *component
}

func (p *publisher) vars(r *distro.Recipe) (distro.Vars, error) {
	return p.plan.Catalog.Vars(p.plan.Channel, r)
}

// place is where a published file lies under the output's root.
func (w *componentWriter) place(pattern string, platform distro.Platform) (full, name string, err error) {
	name, err = w.vars.With(distro.PlatformVars(platform)).Expand(pattern)
	if err != nil {
		return "", "", err
	}
	if strings.HasPrefix(name, "/") {
		return strings.TrimPrefix(name, "/"), path.Base(name), nil
	}
	return path.Join(w.artifacts(), name), name, nil
}

// artifacts is the component's folder: a partial release has one of its own, so
// that it never replaces a file that a whole release names.
func (w *componentWriter) artifacts() string {
	ch := w.plan.Channel
	return path.Join("kubernetes-"+ch.Name, "releases", fmt.Sprint(ch.Release.Number)+w.plan.Suffix, "artifacts", w.recipe.Folder, w.vars["tag"])
}

// asset names a published file in the Release.
func (w *componentWriter) asset(name, description, place string, platform distro.Platform, s builder.Sums) {
	a := release.Asset{
		Name: name, Type: "Archive", Description: description, OS: platform.OS,
		Archive: &release.Archive{URI: w.opts.BaseURL + "/" + place, SHA256: s.Sha256, SHA512: s.Sha512},
	}
	if platform.Arch != "" {
		a.Arch = []string{platform.Arch}
	}
	w.out.release.Assets = append(w.out.release.Assets, a)
}

func (w *componentWriter) recordArchive(name, place string, platform distro.Platform, s builder.Sums) {
	a := release.RecordArchive{Name: name, Path: place, Size: s.Size, SHA256: s.Sha256, SHA512: s.Sha512}
	if platform.OS != "" {
		a.Platform = platform.String()
	}
	w.out.record.Archives = append(w.out.record.Archives, a)
}

// files publishes the component's binaries and records all of them.
func (w *componentWriter) files(context.Context) error {
	for _, platform := range w.plan.Platforms {
		for _, b := range w.recipe.Binaries {
			if !b.On(platform) {
				continue
			}
			bin, err := w.binary(w.recipe, b.Name, platform)
			if err != nil {
				return err
			}
			w.out.record.Binaries = append(w.out.record.Binaries, release.RecordBinary{
				Name: bin.Name, Package: b.Package, Platform: platform.String(), Size: bin.Size, SHA256: bin.Sha256, SHA512: bin.Sha512,
			})
			if b.Path == "" {
				continue
			}
			place, name, err := w.place(b.Path, platform)
			if err != nil {
				return err
			}
			sums, err := w.tree.PutBinary(place, bin)
			if err != nil {
				return err
			}
			if !b.Unlisted {
				w.asset(name, fmt.Sprintf("%s binary for %s", bin.Name, platform), place, platform, sums)
			}
		}
	}
	return nil
}

// images assembles and pushes the component's images and writes their tars.
func (w *componentWriter) images(ctx context.Context) error {
	linux := w.plan.Linux()
	if len(linux) == 0 {
		return nil
	}
	var arches []string
	for _, p := range linux {
		arches = append(arches, p.Arch)
	}
	for _, img := range w.recipe.Images {
		start := time.Now()
		a, err := w.image(ctx, w.recipe, img)
		if err != nil {
			return err
		}
		if err := w.pushImage(ctx, w.recipe, img, a, start); err != nil {
			return err
		}
		w.out.record.Images = append(w.out.record.Images, a.record)
		w.out.release.Assets = append(w.out.release.Assets, release.Asset{
			Name: img.Name + "-image", Type: "Image", Description: img.Description, OS: "linux", Arch: arches,
			Image: &release.Image{URI: w.named + "/" + img.Repository + ":" + a.record.Tags[0], ImageDigest: a.digest},
		})
		if !img.Tar {
			continue
		}
		for _, platform := range linux {
			if err := w.imageTar(ctx, w.recipe, img, platform, true); err != nil {
				return err
			}
		}
	}
	return nil
}

// imageTar writes <name>.tar, .docker_tag and .docker_image_name. The name in
// the tar is the one that kOps expects of a tar (pkg/model/components/context.go)
// and holds no address of ours, so the tar's checksum does not hang on one.
func (w *componentWriter) imageTar(ctx context.Context, r *distro.Recipe, img distro.Image, platform distro.Platform, list bool) error {
	a, err := w.image(ctx, r, img)
	if err != nil {
		return err
	}
	place, name, tag := w.imageTarPlace(r, img, platform)
	dockerName := fmt.Sprintf("registry.k8s.io/%s-%s:%s", img.Name, platform.Arch, tag)
	sums, err := w.tree.Put(place, cacheKey("tar", a.digest, platform, dockerName), func(out io.Writer) error {
		return images.WriteLayoutTar(out, a.index, []string{dockerName}, platform)
	})
	if err != nil {
		return err
	}
	base := strings.TrimSuffix(place, ".tar")
	if _, err := w.tree.PutBytes(base+".docker_tag", []byte(tag)); err != nil {
		return err
	}
	if _, err := w.tree.PutBytes(base+".docker_image_name", []byte(dockerName)); err != nil {
		return err
	}
	if list {
		w.asset(name, fmt.Sprintf("%s %s OCI image tar", img.Name, platform), place, platform, sums)
		w.recordArchive(name, place, platform, sums)
	}
	return nil
}

func (w *componentWriter) imageTarPlace(r *distro.Recipe, img distro.Image, platform distro.Platform) (place, name, tag string) {
	owner := *w
	owner.recipe = r
	name = fmt.Sprintf("bin/%s/%s/%s.tar", platform.OS, platform.Arch, img.Name)
	return path.Join(owner.artifacts(), name), name, w.vars["stampTag"] + w.plan.Suffix
}

// tarballs writes the component's archives with their licences.
func (w *componentWriter) tarballs(ctx context.Context) error {
	for _, a := range w.recipe.Archives {
		for _, platform := range w.plan.Platforms {
			if !a.On(platform) {
				continue
			}
			if err := w.tarball(ctx, a, platform); err != nil {
				return fmt.Errorf("archive %s: %w", a.Name, err)
			}
		}
	}
	return nil
}

func (w *componentWriter) tarball(ctx context.Context, a distro.Archive, platform distro.Platform) error {
	place, name, err := w.place(a.Name, platform)
	if err != nil {
		return err
	}
	vars := w.vars.With(distro.PlatformVars(platform))
	description, err := vars.Expand(a.Description)
	if err != nil {
		return err
	}
	var entries []files.File
	var modules []builder.Module
	key := []any{"tarball", a}
	for _, f := range a.Files {
		inside, err := vars.Expand(f.Path)
		if err != nil {
			return err
		}
		if f.Image != "" {
			more, id, err := w.imageEntries(ctx, f.Image, inside, platform)
			if err != nil {
				return err
			}
			entries, key = append(entries, more...), append(key, id)
			continue
		}
		bin, err := w.binary(w.recipe, f.Binary, platform)
		if err != nil {
			return err
		}
		entries, key = append(entries, bin.File(inside)), append(key, inside, bin.Sha256)
		modules = append(modules, bin.Modules...)
	}
	modules = builder.SortModules(modules)
	sums, err := w.tree.Put(place, cacheKey(append(key, modules)...), func(out io.Writer) error {
		licences, err := w.b.Licences(modules)
		if err != nil {
			return err
		}
		return builder.WriteTarGz(out, append(entries, licences...))
	})
	if err != nil {
		return err
	}
	if !a.Unlisted {
		w.asset(name, description, place, platform, sums)
	}
	w.recordArchive(name, place, platform, sums)
	return nil
}

// imageEntries are an image's tar and docker_tag as entries of a tarball.
func (w *componentWriter) imageEntries(ctx context.Context, ref, inside string, platform distro.Platform) ([]files.File, string, error) {
	r, img, err := w.plan.Image(w.recipe, ref)
	if err != nil {
		return nil, "", err
	}
	if err := w.imageTar(ctx, r, img, platform, false); err != nil {
		return nil, "", err
	}
	place, _, tag := w.imageTarPlace(r, img, platform)
	tar, sums, err := w.tree.File(place)
	if err != nil {
		return nil, "", err
	}
	tar.Path = inside + ".tar"
	return []files.File{tar, files.Bytes(inside+".docker_tag", 0o644, []byte(tag))}, sums.Sha256 + tag, nil
}

// source writes the tarball of the component's own source.
func (w *componentWriter) source(ctx context.Context) error {
	if w.recipe.SourceArchive == "" {
		return nil
	}
	none := distro.Platform{}
	place, name, err := w.place(w.recipe.SourceArchive, none)
	if err != nil {
		return err
	}
	lock, err := w.plan.Channel.Lock(w.recipe.Unit())
	if err != nil {
		return err
	}
	key := cacheKey("source", w.recipe.Source.Modules[0], w.vars["tag"], string(lock.Sum))
	sums, err := w.tree.Put(place, key, func(out io.Writer) error {
		entries, err := w.b.SourceFiles(ctx, w.recipe)
		if err != nil {
			return err
		}
		return builder.WriteTarGz(out, entries)
	})
	if err != nil {
		return err
	}
	w.asset(name, "Source tarball of "+w.recipe.Name, place, none, sums)
	w.recordArchive(name, place, none, sums)
	return nil
}

// sources records the modules and the Debian packages that went in.
func (w *componentWriter) sources(context.Context) error {
	var modules []builder.Module
	packages := map[string]builder.Package{}
	for _, platform := range w.plan.Platforms {
		for _, b := range w.recipe.Binaries {
			if b.On(platform) {
				bin, err := w.binary(w.recipe, b.Name, platform)
				if err != nil {
					return err
				}
				modules = append(modules, bin.Modules...)
				for _, pkg := range bin.Packages {
					packages[pkg.Name+pkg.Architecture] = pkg
				}
			}
		}
		for _, img := range w.recipe.Images {
			if img.Debian == "" || platform.OS != "linux" {
				continue
			}
			list, err := w.b.DebianPackages(img.Debian, platform.Arch)
			if err != nil {
				return err
			}
			for _, pkg := range list {
				packages[pkg.Name+pkg.Architecture] = pkg
			}
		}
	}
	for _, m := range builder.SortModules(modules) {
		w.out.record.Modules = append(w.out.record.Modules, release.RecordModule{Path: m.Path, Version: m.Version, Sum: m.Sum})
	}
	for _, pkg := range packages {
		w.out.record.Packages = append(w.out.record.Packages, release.RecordPackage{
			Name: pkg.Name, Version: pkg.Version, Architecture: pkg.Architecture, SHA256: pkg.Sha256,
		})
	}
	sort.Slice(w.out.record.Packages, func(i, j int) bool {
		a, b := w.out.record.Packages[i], w.out.record.Packages[j]
		return a.Name+" "+a.Architecture < b.Name+" "+b.Architecture
	})
	return nil
}
