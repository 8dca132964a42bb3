package debian

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/builder/files"
)

// mergedUsr are the folders that are links into /usr since Debian 12. Packages
// still have files below the old names; dpkg writes them through the links.
var mergedUsr = []string{"bin", "sbin", "lib", "lib32", "lib64", "libx32"}

// dropped are trees that an image leaves out: documentation (copyright files
// stay, see keep), what only a shell or an administrator uses, and what the
// image's base layer or the container runtime provides.
var dropped = []string{
	"usr/share/man", "usr/share/info", "usr/share/locale", "usr/share/lintian", "usr/share/bug",
	"usr/share/doc-base", "usr/share/bash-completion", "usr/share/menu", "usr/share/base-files",
	"usr/share/initramfs-tools", "usr/share/zsh", "usr/share/fish",
	"etc/passwd", "etc/group", "etc/shadow", "etc/gshadow", "etc/nsswitch.conf",
	"etc/hosts", "etc/hostname", "etc/resolv.conf",
	"run", "tmp", "var/run", "var/lock", "var/tmp", "dev", "proc", "sys",
}

// Root merges packages into the files of one root:
//
//   - bin, sbin and lib (and lib64 where it has content) are links into usr;
//   - usr/share/doc holds copyright files alone; manuals and translations go,
//     and so do folders that hold nothing;
//   - var/lib/dpkg/status.d has each package's control file and, as
//     <name>.md5sums, its checksums: image scanners look there, since
//     distroless images have them so.
//
// No maintainer script has run: what one would make, such as links, is
// the caller's to add, and so is what a base layer has (etc/passwd, tmp, run).
// Two packages with different files at one path are an error.
func Root(packages []*Unpacked) ([]files.File, error) {
	m := merger{byPath: map[string]files.File{}, owner: map[string]string{}}
	for _, p := range packages {
		for _, f := range p.Files {
			if err := m.add(p.Name, f); err != nil {
				return nil, err
			}
		}
		status := "var/lib/dpkg/status.d/" + p.Name
		records := []files.File{files.Bytes(status, 0o644, p.Control)}
		if p.MD5Sums != nil {
			records = append(records, files.Bytes(status+".md5sums", 0o644, p.MD5Sums))
		}
		for _, f := range records {
			if err := m.add(p.Name, f); err != nil {
				return nil, err
			}
		}
	}
	all := withoutEmptyFolders(m.byPath)
	for _, name := range mergedUsr {
		filled := slices.ContainsFunc(all, func(f files.File) bool { return strings.HasPrefix(f.Path, "usr/"+name+"/") })
		if !filled {
			if name != "bin" && name != "sbin" && name != "lib" {
				continue
			}
			all = append(all, files.Dir("usr/"+name, 0o755))
		}
		all = append(all, files.Symlink(name, "usr/"+name))
	}
	return files.Complete(all)
}

// SetRoot fetches and unpacks a set of the lock for one architecture and merges
// it; see Fetcher.Fetch, Unpack and Root. Content is kept in the folder spool.
func (f *Fetcher) SetRoot(ctx context.Context, l *Lock, set, arch, spool string) ([]files.File, error) {
	packages, err := l.PackagesOf(set, arch)
	if err != nil {
		return nil, err
	}
	var all []*Unpacked
	for _, p := range packages {
		deb, err := f.Fetch(ctx, p)
		if err != nil {
			return nil, err
		}
		u, err := Unpack(deb, spool)
		if err != nil {
			return nil, err
		}
		if u.Name != p.Name {
			return nil, fmt.Errorf("Debian package %s: the pinned file says that it is %q", p, u.Name)
		}
		all = append(all, u)
	}
	return Root(all)
}

// merger collects the files of several packages.
type merger struct {
	byPath map[string]files.File
	owner  map[string]string // the package that a path is from, for errors
}

func (m *merger) add(owner string, f files.File) error {
	top, rest, below := strings.Cut(f.Path, "/")
	if slices.Contains(mergedUsr, top) {
		switch {
		case below:
			f.Path = "usr/" + top + "/" + rest
		case f.Mode.IsDir(), f.Mode&fs.ModeSymlink != 0 && strings.TrimPrefix(f.Link, "/") == "usr/"+top:
			return nil // Root makes the link
		default:
			return fmt.Errorf("Debian package %s: /%s is neither a folder nor the link to usr/%s", owner, top, top)
		}
	}
	if !keep(f) {
		return nil
	}
	old, taken := m.byPath[f.Path]
	switch {
	case !taken:
		m.byPath[f.Path], m.owner[f.Path] = f, owner
	case old.Mode.IsDir() && f.Mode.IsDir():
		// Whoever comes first decides on its permissions, as with dpkg.
	case f.Mode&fs.ModeSymlink != 0 && old.Mode&fs.ModeSymlink != 0 && old.Link == f.Link:
	default:
		return fmt.Errorf("Debian packages %s and %s both have /%s", m.owner[f.Path], owner, f.Path)
	}
	return nil
}

func keep(f files.File) bool {
	for _, tree := range dropped {
		if f.Path == tree || strings.HasPrefix(f.Path, tree+"/") {
			return false
		}
	}
	if doc, ok := strings.CutPrefix(f.Path, "usr/share/doc/"); ok && !f.Mode.IsDir() {
		// usr/share/doc/<package> itself may be a link to another package's.
		_, file, nested := strings.Cut(doc, "/")
		return !nested || file == "copyright"
	}
	return true
}

// withoutEmptyFolders leaves out folders with no file below them: they are for
// software or administrators that the image does not have.
func withoutEmptyFolders(byPath map[string]files.File) []files.File {
	needed := map[string]bool{}
	for name, f := range byPath {
		if f.Mode.IsDir() {
			continue
		}
		for dir := path.Dir(name); dir != "." && !needed[dir]; dir = path.Dir(dir) {
			needed[dir] = true
		}
	}
	var all []files.File
	for name, f := range byPath {
		if !f.Mode.IsDir() || needed[name] {
			all = append(all, f)
		}
	}
	return all
}
