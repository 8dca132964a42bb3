package builder

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/slipway-k8s/slipway/builder/debian"
	"github.com/slipway-k8s/slipway/builder/files"
	"github.com/slipway-k8s/slipway/distro"
)

func readDebianLock(raw []byte, file string) (*debian.Lock, error) {
	return debian.ReadLock(bytes.NewReader(raw), file)
}

// DebianPackages are the packages of a set of the channel's Debian lock.
func (b *Builder) DebianPackages(set, arch string) ([]Package, error) {
	locked, err := b.debian.PackagesOf(set, arch)
	if err != nil {
		return nil, err
	}
	list := make([]Package, len(locked))
	for i, p := range locked {
		list[i] = Package{Name: p.Name, Version: p.Version, Architecture: p.Architecture, Sha256: p.SHA256}
	}
	return list, nil
}

// checkPin compares a component's pinned version with the package that it comes
// from: Debian's 1.1.5+ds1-1+deb12u1 is upstream's v1.1.5.
func (b *Builder) checkPin(component, set string, packages []Package) error {
	pin := strings.TrimPrefix(b.channel.Components[component].Version, "v")
	for _, p := range packages {
		if p.Name != set && p.Name != set+"-static" {
			continue
		}
		if !isUpstream(p.Version, pin) {
			return fmt.Errorf("channel %s: component %s: is pinned at %s, the Debian lock has %s %s: make channel.yaml and the lock agree",
				b.channel.Name, component, b.channel.Components[component].Version, p.Name, p.Version)
		}
		return nil
	}
	return fmt.Errorf("component %s: the Debian set %s has no package of that name", component, set)
}

// isUpstream says whether a Debian version, [epoch:]upstream[-revision], is of
// that upstream version. Repacked sources add to it: 1.1.5+ds1-1.
func isUpstream(version, upstream string) bool {
	if _, after, ok := strings.Cut(version, ":"); ok {
		version = after
	}
	rest, ok := strings.CutPrefix(version, upstream)
	return ok && (rest == "" || strings.ContainsAny(rest[:1], "-+~"))
}

// DebianKey is a hash of a set's packages.
func (b *Builder) DebianKey(set, arch string) (string, error) { return b.debianHash(set, arch) }

func (b *Builder) debianHash(set, arch string) (string, error) {
	list, err := b.DebianPackages(set, arch)
	if err != nil {
		return "", err
	}
	return keyOf(list)
}

// CheckDebian checks a component whose source is a set of Debian packages.
func (b *Builder) CheckDebian(r *distro.Recipe, arch string) error {
	packages, err := b.DebianPackages(r.Source.Debian, arch)
	if err != nil {
		return err
	}
	return b.checkPin(r.Name, r.Source.Debian, packages)
}

// DebianRoot fetches and unpacks a set of packages into the entries of a layer.
// Content stays in the builder's temporary folder until Close.
func (b *Builder) DebianRoot(ctx context.Context, set, arch string) ([]files.File, error) {
	f, err := b.debianFetcher()
	if err != nil {
		return nil, err
	}
	spool, err := os.MkdirTemp(b.temp, "debian-")
	if err != nil {
		return nil, err
	}
	return f.SetRoot(ctx, b.debian, set, arch, spool)
}

func (b *Builder) debianFetcher() (*debian.Fetcher, error) {
	mirrors, err := debian.FindMirrors(b.opts.DebianMirrors, debian.AptFolder, b.debian.Snapshot)
	if err != nil {
		return nil, err
	}
	return &debian.Fetcher{Mirrors: mirrors, Cache: b.cache.path("debian")}, nil
}

// extractDebian takes binaries out of Debian packages.
func (b *Builder) extractDebian(ctx context.Context, s Step, jobs []*job) error {
	root, err := b.DebianRoot(ctx, s.Unit.Source.Debian, s.Platform.Arch)
	if err != nil {
		return err
	}
	packages, err := b.DebianPackages(s.Unit.Source.Debian, s.Platform.Arch)
	if err != nil {
		return err
	}
	if err := b.checkPin(s.Unit.Name, s.Unit.Source.Debian, packages); err != nil {
		return err
	}
	for _, j := range jobs {
		if err := b.extractFile(s, j, root, packages); err != nil {
			return err
		}
	}
	return nil
}

func (b *Builder) extractFile(s Step, j *job, root []files.File, packages []Package) error {
	for _, f := range root {
		if f.Path != j.ref.Binary.Package || !f.Mode.IsRegular() {
			continue
		}
		file := filepath.Join(b.temp, "extracted-"+s.Platform.Arch+"-"+j.ref.Binary.Name)
		if err := copyEntry(f, file); err != nil {
			return err
		}
		bin := &Binary{
			Component: j.ref.Recipe.Name, Name: j.ref.Binary.Name, Package: j.ref.Binary.Package,
			Platform: s.Platform, Packages: packages,
		}
		j.result = bin
		return b.cache.store(j.key, file, bin, b.temp)
	}
	return fmt.Errorf("no file %s in the Debian packages of the set %s", j.ref.Binary.Package, s.Unit.Source.Debian)
}

func copyEntry(f files.File, place string) error {
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := os.Create(place)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, r)
	if e := w.Close(); err == nil {
		err = e
	}
	return err
}
