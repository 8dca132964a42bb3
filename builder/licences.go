package builder

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"

	"github.com/google/licensecheck"
	"github.com/rogpeppe/go-internal/dirhash"
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
// that images can be put together when the module cache is gone. sums are the
// lock's; modules of a source archive have none.
func (b *Builder) keepLicences(modules []sourceModule, sums map[string]string) error {
	for _, m := range modules {
		if err := b.keepLicence(Module{m.Path, m.Version, sums[m.Path+"@"+m.Version]}, m.Dir); err != nil {
			return fmt.Errorf("%s@%s: licence files: %w", m.Path, m.Version, err)
		}
	}
	return nil
}

// keepGoLicence does the same for the standard library.
func (b *Builder) keepGoLicence() error {
	return b.keepLicence(Module{Path: "std", Version: b.toolchain.Version}, b.toolchain.GOROOT)
}

// licenceSum is the file that holds the hash of the others in a licence folder.
const licenceSum = ".h1"

// licenceDir is named after the module's content too: one version may have
// another content in a channel of the user's own, or in a patched toolchain.
func (b *Builder) licenceDir(m Module) (string, error) {
	p, sum := m.Path, m.Sum
	if p == "std" {
		sum = b.toolchain.Library
	} else {
		var err error
		if p, err = module.EscapePath(m.Path); err != nil {
			return "", err
		}
	}
	key, err := keyOf(sum)
	if err != nil {
		return "", err
	}
	return b.cache.path("licences", filepath.FromSlash(p)+"@"+m.Version+"-"+key[:12]), nil
}

func (b *Builder) keepLicence(m Module, dir string) error {
	place, err := b.licenceDir(m)
	if err != nil {
		return err
	}
	if checkLicences(place) == nil {
		return nil
	}
	if err := os.RemoveAll(place); err != nil {
		return err
	}
	staged, err := os.MkdirTemp(b.temp, "licence-")
	if err != nil {
		return err
	}
	if err := copyLicences(dir, staged); err != nil {
		return err
	}
	sum, err := dirhash.HashDir(staged, "", dirhash.Hash1)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(staged, licenceSum), []byte(sum), 0o644); err != nil {
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

// checkLicences says whether a licence folder is as it was written.
func checkLicences(dir string) error {
	want, err := os.ReadFile(filepath.Join(dir, licenceSum))
	if err != nil {
		return err
	}
	names, err := dirhash.DirFiles(dir, "")
	if err != nil {
		return err
	}
	names = slices.DeleteFunc(names, func(n string) bool { return n == licenceSum })
	got, err := dirhash.Hash1(names, func(n string) (io.ReadCloser, error) { return os.Open(filepath.Join(dir, n)) })
	if err != nil {
		return err
	}
	if got != string(want) {
		return fmt.Errorf("hashes to %s, was written as %s", got, want)
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
	dir, err := b.licenceDir(m)
	if err != nil {
		return nil, err
	}
	if err := checkLicences(dir); err != nil {
		return nil, fmt.Errorf("%s@%s: its licence files in the cache are not whole: %w; remove the cache folder %s and build again", m.Path, m.Version, err, b.cache.Dir())
	}
	var texts []licenceText
	err = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == licenceSum {
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
