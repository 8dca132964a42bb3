// Package files describes the content of archives and image layers and writes
// it as a tar stream that depends on nothing but that content.
package files

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"sort"
	"strings"
	"time"
)

// Epoch is the modification time of every entry in every archive and layer.
// It is the same in every release, so that an unchanged layer keeps its digest,
// and it is 1980 rather than 1970 because zip cannot say anything older and
// GNU tar warns about it.
var Epoch = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// File is one entry of an archive or a layer.
type File struct {
	// Path is relative and slash-separated: "usr/local/bin/etcd".
	Path string
	// Mode holds the type (regular, fs.ModeDir, fs.ModeSymlink) and the
	// permissions, with fs.ModeSetuid, fs.ModeSetgid and fs.ModeSticky.
	Mode fs.FileMode
	// UID and GID are the numeric owner; names are never written.
	UID, GID int
	// Link is the target of a symbolic link.
	Link string
	// Size is the length in bytes of what Open returns.
	Size int64
	// Xattrs are extended attributes by name, with raw values. They are written
	// as PAX SCHILY.xattr records, which is what container runtimes read.
	Xattrs map[string]string
	// Open returns the content of a regular file.
	Open func() (io.ReadCloser, error)
}

// Dir is a directory with the given permissions, owned by root.
func Dir(name string, perm fs.FileMode) File {
	return File{Path: clean(name), Mode: fs.ModeDir | perm}
}

// Symlink is a symbolic link owned by root.
func Symlink(name, target string) File {
	return File{Path: clean(name), Mode: fs.ModeSymlink | 0o777, Link: target}
}

// Bytes is a regular file owned by root with its content in memory.
func Bytes(name string, perm fs.FileMode, content []byte) File {
	return File{
		Path: clean(name), Mode: perm, Size: int64(len(content)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil },
	}
}

// OnDisk is a regular file owned by root whose content is read from source,
// which must have the given size when it is written.
func OnDisk(name string, perm fs.FileMode, source string, size int64) File {
	return File{
		Path: clean(name), Mode: perm, Size: size,
		Open: func() (io.ReadCloser, error) { return os.Open(source) },
	}
}

func clean(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }

// Complete returns the entries sorted by path with every missing parent
// directory added (root, 0755). It fails on a path that is absolute or leaves
// the tree, on a path given twice, and on a parent that is not a directory.
func Complete(entries []File) ([]File, error) {
	byPath := make(map[string]File, len(entries))
	for _, f := range entries {
		if f.Path == "" || f.Path != clean(f.Path) {
			return nil, fmt.Errorf("archive entry %q: not a clean relative path", f.Path)
		}
		if _, dup := byPath[f.Path]; dup {
			return nil, fmt.Errorf("archive entry %q: given twice", f.Path)
		}
		byPath[f.Path] = f
	}
	for _, f := range entries {
		for dir := path.Dir(f.Path); dir != "."; dir = path.Dir(dir) {
			parent, ok := byPath[dir]
			if !ok {
				byPath[dir] = Dir(dir, 0o755)
			} else if !parent.Mode.IsDir() {
				return nil, fmt.Errorf("archive entry %q: its parent %q is not a directory", f.Path, dir)
			}
		}
	}
	all := make([]File, 0, len(byPath))
	for _, f := range byPath {
		all = append(all, f)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Path < all[j].Path })
	return all, nil
}

// WriteTar writes the entries as a PAX tar stream: completed and sorted (see
// Complete), numeric owners, Epoch as every time. Equal entries give equal
// bytes, whatever their order.
func WriteTar(w io.Writer, entries []File) error {
	all, err := Complete(entries)
	if err != nil {
		return err
	}
	tw := tar.NewWriter(w)
	for _, f := range all {
		if err := writeEntry(tw, f); err != nil {
			return fmt.Errorf("archive entry %q: %w", f.Path, err)
		}
	}
	return tw.Close()
}

func writeEntry(tw *tar.Writer, f File) error {
	h := &tar.Header{
		Name: f.Path, Mode: tarMode(f.Mode), Uid: f.UID, Gid: f.GID,
		ModTime: Epoch, Format: tar.FormatPAX,
	}
	for name, value := range f.Xattrs {
		if h.PAXRecords == nil {
			h.PAXRecords = make(map[string]string, len(f.Xattrs))
		}
		h.PAXRecords["SCHILY.xattr."+name] = value
	}
	switch {
	case f.Mode.IsDir():
		h.Typeflag, h.Name = tar.TypeDir, f.Path+"/"
		return tw.WriteHeader(h)
	case f.Mode&fs.ModeSymlink != 0:
		h.Typeflag, h.Linkname = tar.TypeSymlink, f.Link
		return tw.WriteHeader(h)
	case !f.Mode.IsRegular():
		return fmt.Errorf("mode %v: only regular files, directories and symbolic links are written", f.Mode)
	}
	h.Typeflag, h.Size = tar.TypeReg, f.Size
	if err := tw.WriteHeader(h); err != nil {
		return err
	}
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	n, err := io.Copy(tw, r)
	if err == nil && n != f.Size {
		err = fmt.Errorf("has %d bytes where %d were announced: it changed while it was read", n, f.Size)
	}
	return err
}

// tarMode gives the permission bits as tar counts them (not as fs.FileMode does).
func tarMode(m fs.FileMode) int64 {
	bits := int64(m.Perm())
	if m&fs.ModeSetuid != 0 {
		bits |= 0o4000
	}
	if m&fs.ModeSetgid != 0 {
		bits |= 0o2000
	}
	if m&fs.ModeSticky != 0 {
		bits |= 0o1000
	}
	return bits
}
