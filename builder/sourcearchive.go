package builder

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/slipway-k8s/slipway/distro"
	"github.com/slipway-k8s/slipway/distro/fetch"
)

// maxSourceArchive is the size in bytes that a source archive may have.
const maxSourceArchive = 256 << 20

// vendorFlags are distro.BuildFlags for source that brings its dependencies in
// a vendor folder.
func vendorFlags() []string {
	flags := make([]string, len(distro.BuildFlags))
	for i, f := range distro.BuildFlags {
		if f == "-mod=readonly" {
			f = "-mod=vendor"
		}
		flags[i] = f
	}
	return flags
}

// compileArchive builds a unit from a source archive that is pinned by sha256.
func (b *Builder) compileArchive(ctx context.Context, s Step, jobs []*job) error {
	archive, err := b.sourceArchive(ctx, s.Unit)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(b.temp, "source-")
	if err != nil {
		return err
	}
	root, err := fetch.Unpack(archive, filepath.Join(dir, "unpacked"))
	if err != nil {
		return err
	}
	modules, err := b.vendoredModules(ctx, s, root, jobs)
	if err != nil {
		return err
	}
	if err := b.keepLicences(modules, nil); err != nil {
		return err
	}
	return b.goBuild(ctx, s, jobs, root, vendorFlags(), b.unitTags(s))
}

// sourceArchive returns the unit's archive in the cache, fetched if need be.
func (b *Builder) sourceArchive(ctx context.Context, unit *distro.Recipe) (string, error) {
	pin := b.channel.Components[unit.Name]
	vars, err := b.catalog.Vars(b.channel, unit)
	if err != nil {
		return "", err
	}
	url, err := vars.Expand(unit.Source.Archive)
	if err != nil {
		return "", err
	}
	place := b.cache.path("sources", pin.Sha256+".tar.gz")
	if sum, _, _, err := hashFile(place); err == nil && sum == pin.Sha256 {
		return place, nil
	}
	if err := os.MkdirAll(filepath.Dir(place), 0o755); err != nil {
		return "", err
	}
	err = fetch.File(ctx, url+"?checksum=sha256:"+pin.Sha256, place, fetch.Options{MaxBytes: maxSourceArchive})
	if err != nil {
		return "", fmt.Errorf("source archive: %w", err)
	}
	return place, nil
}

// vendoredModules are the modules of a source archive that the packages use:
// the archive's own, and those in its vendor folder.
func (b *Builder) vendoredModules(ctx context.Context, s Step, root string, jobs []*job) ([]sourceModule, error) {
	pin := b.channel.Components[s.Unit.Name]
	args := append([]string{"list", "-mod=vendor", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}{{end}}{{end}}"}, packagesOf(jobs)...)
	out, err := runGo(b.toolchain.Command(ctx, root, s.Platform, args...))
	if err != nil {
		return nil, err
	}
	list := []sourceModule{{Path: s.Unit.Source.ArchiveModule, Version: pin.Version, Dir: root}}
	seen := map[string]bool{}
	for _, line := range splitLines(out) {
		var m sourceModule
		if _, err := fmt.Sscan(line, &m.Path, &m.Version); err != nil || seen[m.Path] {
			continue
		}
		seen[m.Path] = true
		m.Dir = filepath.Join(root, "vendor", filepath.FromSlash(m.Path))
		list = append(list, m)
	}
	return list, nil
}
