package builder

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"sort"
	"strings"

	"github.com/google/licensecheck"
	"github.com/slipway-k8s/slipway"
	"github.com/slipway-k8s/slipway/builder/files"
	"github.com/slipway-k8s/slipway/builder/programs"
	"golang.org/x/mod/module"
)

// licenceName matches the files that a module's licence obliges us to hand on.
var licenceName = regexp.MustCompile(`(?i)^(un)?(licen[cs]e|copying|notice|copyright|patents|authors|third[-_]party)([-_.].*)?$`)

// maxLicence is the largest licence file that is taken; larger ones are no
// licences.
const maxLicence = 1 << 20

// keepLicences copies the licence files of verified modules into the cache, so
// that images can be put together when the module cache is gone.
func (b *Builder) keepLicences(modules []sourceModule) error {
	for _, m := range modules {
		if err := b.keepLicence(m.Path, m.Version, m.Dir); err != nil {
			return fmt.Errorf("%s@%s: licence files: %w", m.Path, m.Version, err)
		}
	}
	return nil
}

// keepGoLicence does the same for the standard library.
func (b *Builder) keepGoLicence() error {
	return b.keepLicence("std", b.toolchain.Version, b.toolchain.GOROOT)
}

func (b *Builder) licenceDir(modulePath, version string) (string, error) {
	p := modulePath
	if p != "std" {
		var err error
		if p, err = module.EscapePath(modulePath); err != nil {
			return "", err
		}
	}
	return b.cache.path("licences", filepath.FromSlash(p)+"@"+version), nil
}

func (b *Builder) keepLicence(modulePath, version, dir string) error {
	place, err := b.licenceDir(modulePath, version)
	if err != nil {
		return err
	}
	if _, err := os.Stat(place); err == nil {
		return nil
	}
	staged, err := os.MkdirTemp(b.temp, "licence-")
	if err != nil {
		return err
	}
	if err := copyLicences(dir, staged); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(place), 0o755); err != nil {
		return err
	}
	// Another run may have been faster; its copy is the same.
	if err := os.Rename(staged, place); err != nil && !errors.Is(err, fs.ErrExist) {
		if _, statErr := os.Stat(place); statErr != nil {
			return err
		}
	}
	return nil
}

// copyLicences copies the licence files of a module's root, and of folders that
// hold code with a licence of its own.
func copyLicences(from, to string) error {
	return filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, p)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == "testdata" || (filepath.Base(from) == "go" && rel == "test") {
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() || !licenceName.MatchString(d.Name()) || strings.HasSuffix(d.Name(), ".go") {
			return nil
		}
		info, err := d.Info()
		if err != nil || info.Size() > maxLicence {
			return err
		}
		content, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		dest := filepath.Join(to, rel)
		if err := os.MkdirAll(filepath.Dir(dest), 0o755); err != nil {
			return err
		}
		return os.WriteFile(dest, content, 0o644)
	})
}

// Licences are the licence files of modules under LICENSES/<module>/ and an
// ATTRIBUTION.txt that lists module, version and licence, as entries of an
// archive or a layer. The modules must have been compiled by a Builder with
// this cache.
func (b *Builder) Licences(modules []Module) ([]files.File, error) {
	var list []files.File
	var table bytes.Buffer
	fmt.Fprintf(&table, "This contains software of the following Go modules. Their licences are in\nLICENSES/<module>/.\n\n")
	for _, m := range SortModules(modules) {
		texts, err := b.licenceTexts(m)
		if err != nil {
			return nil, err
		}
		ids := map[string]bool{}
		for _, t := range texts {
			list = append(list, files.Bytes(path.Join("LICENSES", m.Path, t.name), 0o644, t.content))
			for _, match := range licensecheck.Scan(t.content).Match {
				ids[match.ID] = true
			}
		}
		names := strings.Join(sortedKeys(ids), ", ")
		switch {
		case len(texts) == 0:
			names = "no licence file in the module; see " + m.Path
		case names == "":
			names = "see the file"
		}
		fmt.Fprintf(&table, "%s %s: %s\n", m.Path, m.Version, names)
	}
	return append(list, files.Bytes("ATTRIBUTION.txt", 0o644, table.Bytes())), nil
}

type licenceText struct {
	name    string
	content []byte
}

func (b *Builder) licenceTexts(m Module) ([]licenceText, error) {
	if m.Path == programs.Module {
		return []licenceText{{"LICENSE", slipway.Licence}}, nil
	}
	dir, err := b.licenceDir(m.Path, m.Version)
	if err != nil {
		return nil, err
	}
	var texts []licenceText
	err = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		content, err := os.ReadFile(p)
		texts = append(texts, licenceText{filepath.ToSlash(rel), content})
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s@%s: its licence files are not in the cache folder: something removed them; remove the cache folder's binaries and build again", m.Path, m.Version)
	}
	return texts, err
}

// SortModules sorts modules by path and version and drops repetitions.
func SortModules(modules []Module) []Module {
	seen := map[string]bool{}
	var list []Module
	for _, m := range modules {
		if id := m.Path + "@" + m.Version; !seen[id] {
			seen[id] = true
			list = append(list, m)
		}
	}
	sort.Slice(list, func(i, j int) bool {
		if list[i].Path != list[j].Path {
			return list[i].Path < list[j].Path
		}
		return list[i].Version < list[j].Version
	})
	return list
}
