// Package debian takes binary packages from Debian into images: pinned in a
// lock that names no host, fetched from any mirror that serves the very bytes,
// unpacked in Go without running anything of theirs.
package debian

import (
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

// The two archives that Debian publishes a release in.
const (
	Main     = "debian"
	Security = "debian-security"
)

// SnapshotForm is the layout of Lock.Snapshot, in UTC.
const SnapshotForm = "20060102T150405Z"

// Lock pins the packages of one Debian release.
type Lock struct {
	// Suite is the release's code name: "bookworm".
	Suite string `json:"suite"`
	// Snapshot is the time, in SnapshotForm, at which Debian's permanent
	// archive has every package of the lock.
	Snapshot string `json:"snapshot"`
	// Architectures are Debian's names: amd64, arm64.
	Architectures []string `json:"architectures"`
	Sets          []Set    `json:"sets"`
	// Packages is sorted by name, then architecture.
	Packages []Package `json:"packages"`
}

// Set is a group of packages that are unpacked into one root.
type Set struct {
	Name string `json:"name"`
	// Roots are the packages that were asked for.
	Roots []string `json:"roots"`
	// Omit names packages, virtual ones too, that the closure leaves out with
	// all they need: what only maintainer scripts use, which never run here.
	Omit []string `json:"omit,omitempty"`
	// Closure is, for each architecture, the names of the roots and of all
	// they depend on, sorted.
	Closure map[string][]string `json:"closure"`
}

// Package is one .deb file.
type Package struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	// Architecture is amd64, arm64 or all.
	Architecture string `json:"architecture"`
	// Archive is Main or Security.
	Archive string `json:"archive"`
	// Path is relative to the archive's root: "pool/main/i/iptables/….deb".
	Path string `json:"path"`
	// SHA256 is 64 lower-case hex digits.
	SHA256 string `json:"sha256"`
	// Size is the file's length in bytes.
	Size int64 `json:"size"`
}

// String is "name version (architecture)".
func (p Package) String() string { return fmt.Sprintf("%s %s (%s)", p.Name, p.Version, p.Architecture) }

// Spec is what a lock was made from, to make it anew.
func (l *Lock) Spec() Spec {
	s := Spec{Suite: l.Suite, Architectures: l.Architectures}
	for _, set := range l.Sets {
		s.Sets = append(s.Sets, SetSpec{Name: set.Name, Roots: set.Roots, Omit: set.Omit})
	}
	return s
}

// ReadLock reads a lock; name is what errors call it. Unknown fields, malformed
// values, and sets whose packages are not pinned are errors.
func ReadLock(r io.Reader, name string) (*Lock, error) {
	text, err := io.ReadAll(io.LimitReader(r, 16<<20))
	if err != nil {
		return nil, fmt.Errorf("Debian lock %s: %w", name, err)
	}
	l := &Lock{}
	if err := yaml.UnmarshalStrict(text, l); err != nil {
		return nil, fmt.Errorf("Debian lock %s: %w", name, err)
	}
	if err := l.check(); err != nil {
		return nil, fmt.Errorf("Debian lock %s: %w; make it anew with %s", name, err, RefreshCommand)
	}
	return l, nil
}

// Write writes the lock as YAML; equal locks give equal bytes.
func (l *Lock) Write(w io.Writer) error {
	if err := l.check(); err != nil {
		return fmt.Errorf("Debian lock: %w", err)
	}
	text, err := yaml.Marshal(l)
	if err != nil {
		return err
	}
	header := "# Debian packages that images are made of, pinned by digest. No host is named:\n" +
		"# any mirror that serves these bytes will do. Made by: " + RefreshCommand + "\n"
	_, err = io.WriteString(w, header+string(text))
	return err
}

// PackagesOf lists the packages of a set for one architecture, in the set's order.
func (l *Lock) PackagesOf(set, arch string) ([]Package, error) {
	for _, s := range l.Sets {
		if s.Name != set {
			continue
		}
		names, ok := s.Closure[arch]
		if !ok {
			return nil, fmt.Errorf("Debian lock for %s: set %s has nothing for architecture %q; it has %s",
				l.Suite, set, arch, strings.Join(l.Architectures, ", "))
		}
		packages := make([]Package, 0, len(names))
		for _, name := range names {
			p, ok := l.find(name, arch)
			if !ok {
				return nil, fmt.Errorf("Debian lock for %s: set %s needs %s for %s, which is not pinned", l.Suite, set, name, arch)
			}
			packages = append(packages, p)
		}
		return packages, nil
	}
	var have []string
	for _, s := range l.Sets {
		have = append(have, s.Name)
	}
	return nil, fmt.Errorf("Debian lock for %s: no set is called %q; there are %s", l.Suite, set, strings.Join(have, ", "))
}

func (l *Lock) find(name, arch string) (Package, bool) {
	for _, want := range []string{arch, "all"} {
		for _, p := range l.Packages {
			if p.Name == name && p.Architecture == want {
				return p, true
			}
		}
	}
	return Package{}, false
}

var (
	nameForm   = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]+$`)
	digestForm = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

func (l *Lock) check() error {
	if !nameForm.MatchString(l.Suite) {
		return fmt.Errorf("suite %q is not a release's code name", l.Suite)
	}
	if _, err := time.Parse(SnapshotForm, l.Snapshot); err != nil {
		return fmt.Errorf("snapshot %q is not a time such as 20260102T150405Z", l.Snapshot)
	}
	if len(l.Architectures) == 0 || len(l.Sets) == 0 {
		return fmt.Errorf("it has %d architectures and %d sets, want at least one of each", len(l.Architectures), len(l.Sets))
	}
	seen := map[string]bool{}
	for i, p := range l.Packages {
		if err := p.check(l.Architectures); err != nil {
			return fmt.Errorf("packages[%d] (%s): %w", i, p.Name, err)
		}
		if key := p.Name + " " + p.Architecture; seen[key] {
			return fmt.Errorf("packages[%d]: %s is pinned twice", i, key)
		} else {
			seen[key] = true
		}
	}
	names := map[string]bool{}
	for i, s := range l.Sets {
		if !nameForm.MatchString(s.Name) || names[s.Name] {
			return fmt.Errorf("sets[%d]: name %q is malformed or there twice", i, s.Name)
		}
		names[s.Name] = true
		for _, arch := range l.Architectures {
			packages, err := l.PackagesOf(s.Name, arch)
			if err != nil {
				return err
			}
			for _, root := range s.Roots {
				if !slices.ContainsFunc(packages, func(p Package) bool { return p.Name == root }) {
					return fmt.Errorf("set %s for %s lacks its root %s", s.Name, arch, root)
				}
			}
		}
	}
	return nil
}

func (p Package) check(architectures []string) error {
	switch {
	case !nameForm.MatchString(p.Name):
		return fmt.Errorf("name %q is malformed", p.Name)
	case p.Version == "":
		return fmt.Errorf("version is missing")
	case p.Architecture != "all" && !slices.Contains(architectures, p.Architecture):
		return fmt.Errorf("architecture %q is neither all nor one of the lock's: %s", p.Architecture, strings.Join(architectures, ", "))
	case p.Archive != Main && p.Archive != Security:
		return fmt.Errorf("archive %q is neither %s nor %s", p.Archive, Main, Security)
	case !strings.HasPrefix(p.Path, "pool/") || path.Clean(p.Path) != p.Path || !strings.HasSuffix(p.Path, ".deb"):
		return fmt.Errorf("path %q is not a .deb file below pool/", p.Path)
	case !digestForm.MatchString(p.SHA256):
		return fmt.Errorf("sha256 %q is not 64 lower-case hex digits", p.SHA256)
	case p.Size <= 0 || p.Size > maxDeb:
		return fmt.Errorf("size %d is not between 1 and %d bytes", p.Size, maxDeb)
	}
	return nil
}
