package builder

import (
	"context"
	"debug/buildinfo"

	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime/debug"
	"sort"
	"strings"

	"github.com/slipway-k8s/slipway/builder/programs"
	"github.com/slipway-k8s/slipway/distro"
)

// linkFlags are the linker's flags of one binary: the common ones, the stamps
// of its recipe and of its unit, and its own.
func (b *Builder) linkFlags(s Step, ref BinaryRef) (string, error) {
	vars, err := b.catalog.Vars(b.channel, s.Unit)
	if err != nil {
		return "", err
	}
	stamps := map[string]string{}
	for _, set := range []map[string]string{s.Unit.Go.Stamps, ref.Recipe.Go.Stamps, ref.Binary.Stamps} {
		for k, v := range set {
			stamps[k] = v
		}
	}
	flags := append([]string{}, distro.LinkFlags...)
	for _, name := range sortedKeys(stamps) {
		value, err := vars.Expand(stamps[name])
		if err != nil {
			return "", fmt.Errorf("stamp %s: %w", name, err)
		}
		if strings.ContainsAny(value, " '\"") {
			return "", fmt.Errorf("stamp %s: value %q holds a space or a quote", name, value)
		}
		flags = append(flags, "-X", name+"="+value)
	}
	return strings.Join(append(flags, ref.Binary.LinkFlags...), " "), nil
}

// originHash covers source that no lock does: embedded programs and Debian
// packages.
func (b *Builder) originHash(s Step) (string, error) {
	switch {
	case s.Unit.Source.Programs:
		content := map[string][]byte{}
		tree := programs.Sources()
		err := fs.WalkDir(tree, ".", func(p string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				content[p], err = fs.ReadFile(tree, p)
			}
			return err
		})
		if err != nil {
			return "", err
		}
		return keyOf(content)
	case s.Unit.Source.Debian != "":
		return b.debianHash(s.Unit.Source.Debian, s.Platform.Arch)
	}
	return "", nil
}

// compileModules builds a unit from its module lock.
func (b *Builder) compileModules(ctx context.Context, s Step, jobs []*job) error {
	lock, err := b.channel.Lock(s.Unit.Name)
	if err != nil {
		return err
	}
	dir, err := b.wrapper(lock)
	if err != nil {
		return err
	}
	tags := b.unitTags(s)
	modules, err := b.toolchain.usedModules(ctx, dir, s.Platform, tags, packagesOf(jobs))
	if err != nil {
		return err
	}
	if err := b.verifier.verify(ctx, parseSums(lock.Sum), modules); err != nil {
		return err
	}
	if err := b.keepLicences(modules, parseSums(lock.Sum)); err != nil {
		return err
	}
	return b.goBuild(ctx, s, jobs, dir, distro.BuildFlags, tags)
}

// compilePrograms builds Slipway's own programs from their embedded source.
func (b *Builder) compilePrograms(ctx context.Context, s Step, jobs []*job) error {
	dir, err := os.MkdirTemp(b.temp, "programs-")
	if err != nil {
		return err
	}
	if err := os.CopyFS(dir, programs.Sources()); err != nil {
		return err
	}
	return b.goBuild(ctx, s, jobs, dir, distro.BuildFlags, nil)
}

// goBuild compiles the jobs in a module's folder: one go command for all that
// share the linker's flags, so that it can use every core.
func (b *Builder) goBuild(ctx context.Context, s Step, jobs []*job, dir string, flags, tags []string) error {
	if err := b.keepGoLicence(); err != nil {
		return err
	}
	byFlags := map[string][]*job{}
	for _, j := range jobs {
		byFlags[j.ldflags] = append(byFlags[j.ldflags], j)
	}
	for _, ldflags := range sortedKeys(byFlags) {
		group := byFlags[ldflags]
		out, err := os.MkdirTemp(b.temp, "out-")
		if err != nil {
			return err
		}
		args := append([]string{"build"}, flags...)
		if len(tags) > 0 {
			args = append(args, "-tags="+strings.Join(tags, ","))
		}
		args = append(args, "-ldflags="+ldflags, "-o", out+string(filepath.Separator))
		if _, err := runGo(b.toolchain.Command(ctx, dir, s.Platform, append(args, packagesOf(group)...)...)); err != nil {
			return err
		}
		for _, j := range group {
			if err := b.finish(ctx, s, j, filepath.Join(out, goOutputName(j.ref.Binary.Package)+s.Platform.Exe())); err != nil {
				return err
			}
		}
	}
	return nil
}

// finish reads what was compiled in, checks the version and stores a binary.
func (b *Builder) finish(ctx context.Context, s Step, j *job, file string) error {
	bin := &Binary{
		Component: j.ref.Recipe.Name, Name: j.ref.Binary.Name + s.Platform.Exe(),
		Package: j.ref.Binary.Package, Platform: s.Platform,
	}
	var err error
	if bin.Modules, err = compiledModules(file, b.toolchain.Version); err != nil {
		return fmt.Errorf("%s: %w", bin.Name, err)
	}
	if module := s.Unit.Source.ArchiveModule; module != "" {
		for i := range bin.Modules {
			if bin.Modules[i].Path == module { // Go calls what it finds in a folder "(devel)"
				bin.Modules[i].Version = b.channel.Components[s.Unit.Name].Version
			}
		}
	}
	if err := os.Chmod(file, 0o755); err != nil {
		return err
	}
	if bin.VersionLine, err = b.checkVersion(ctx, s, j.ref.Binary, file); err != nil {
		return err
	}
	j.result = bin
	return b.cache.store(j.key, file, bin, b.temp)
}

// compiledModules reads from a binary which modules are in it. The standard
// library stands first, as "std".
func compiledModules(file, goVersion string) ([]Module, error) {
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("build information: %w", err)
	}
	if info.GoVersion != goVersion {
		return nil, fmt.Errorf("was compiled by %s, want %s", info.GoVersion, goVersion)
	}
	list := []Module{{Path: "std", Version: goVersion}}
	for _, m := range append([]*debug.Module{&info.Main}, info.Deps...) {
		if m.Replace != nil {
			m = m.Replace
		}
		if m.Path != "" {
			list = append(list, Module{Path: m.Path, Version: m.Version, Sum: m.Sum})
		}
	}
	sort.SliceStable(list[1:], func(i, j int) bool { return list[i+1].Path < list[j+1].Path })
	return list, nil
}

// goOutputName is what go build calls the binary of a package: the last element
// of its import path, or the one before when that is a major version.
func goOutputName(pkg string) string {
	base := path.Base(pkg)
	if len(base) > 1 && base[0] == 'v' && strings.Trim(base[1:], "0123456789") == "" && base != "v1" && base != "v0" {
		return path.Base(path.Dir(pkg))
	}
	return base
}

// unitTags are the build tags of all recipes of the unit, whether or not they
// are built now: a selection must not change a binary.
func (b *Builder) unitTags(s Step) []string {
	set := map[string]bool{}
	for _, r := range b.catalog.Recipes() {
		if r.Unit() != s.Unit.Name {
			continue
		}
		for _, t := range r.Go.Tags {
			set[t] = true
		}
	}
	return sortedKeys(set)
}

func packagesOf(jobs []*job) []string {
	list := make([]string, len(jobs))
	for i, j := range jobs {
		list[i] = j.ref.Binary.Package
	}
	return list
}
