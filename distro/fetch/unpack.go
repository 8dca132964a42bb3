package fetch

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// unpackLimits are what an archive may hold.
type unpackLimits struct {
	bytes int64 // unpacked
	files int
}

// sourceLimits are several times what Kubernetes' own source takes.
var sourceLimits = unpackLimits{bytes: 4 << 30, files: 200_000}

// ErrArchive is an archive that is not unpacked: it is damaged, holds what a
// source archive has no need of, or too much.
var ErrArchive = errors.New("not a source archive that is unpacked")

// Unpack unpacks a tar.gz file into the new folder dst and returns the folder
// that everything in it lies in, which source archives of Git hosts have.
// Entries and links that would leave that folder are an error; so are devices
// and hard links. Symbolic links within it are passed over: Go ignores them.
// Nothing is written outside dst, and after an error there is no dst.
func Unpack(archive, dst string) (string, error) {
	top, err := unpack(archive, dst, sourceLimits)
	if err != nil {
		_ = os.RemoveAll(dst)
		return "", fmt.Errorf("%s: unpack: %w", archive, err)
	}
	return filepath.Join(dst, top), nil
}

// NOTE: not go-getter's decompressor, which takes absolute paths for relative
// ones and turns links into empty files.
func unpack(archive, dst string, limits unpackLimits) (top string, err error) {
	f, err := os.Open(archive)
	if err != nil {
		return "", err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrArchive, err)
	}
	if err := os.MkdirAll(dst, 0o755); err != nil {
		return "", err
	}
	root, err := os.OpenRoot(dst)
	if err != nil {
		return "", err
	}
	defer root.Close()
	r := tar.NewReader(z)
	for n := 0; ; n++ {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return "", fmt.Errorf("%w: %w", ErrArchive, err)
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			continue // git archive's comment
		}
		if limits.bytes -= max(h.Size, 0); n >= limits.files || limits.bytes < 0 {
			return "", fmt.Errorf("%w: it is too large: more files or bytes than any source has", ErrArchive)
		}
		first, err := checkEntry(h)
		if err != nil {
			return "", err
		}
		if top == "" {
			top = first
		}
		if first != top {
			return "", fmt.Errorf("%w: entry %q: holds both %s and %s at its top, want one folder", ErrArchive, h.Name, top, first)
		}
		if err := writeEntry(root, h, r); err != nil {
			return "", err
		}
	}
	if info, err := root.Lstat(top); top == "" || err != nil || !info.IsDir() {
		return "", fmt.Errorf("%w: it holds no folder", ErrArchive)
	}
	return top, nil
}

// checkEntry returns the first element of an entry's path.
func checkEntry(h *tar.Header) (first string, err error) {
	name := path.Clean(h.Name)
	first, _, _ = strings.Cut(name, "/")
	if h.Name == "" || name == "." || !filepath.IsLocal(filepath.FromSlash(h.Name)) || strings.Contains(h.Name, `\`) {
		return "", fmt.Errorf("%w: entry %q: its path leaves the archive", ErrArchive, h.Name)
	}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeDir:
	case tar.TypeSymlink:
		to, local := path.Join(path.Dir(name), h.Linkname), !path.IsAbs(h.Linkname)
		if !local || to != first && !strings.HasPrefix(to, first+"/") {
			return "", fmt.Errorf("%w: entry %q: the link to %q leaves the archive", ErrArchive, h.Name, h.Linkname)
		}
	default:
		return "", fmt.Errorf("%w: entry %q: is of type %q: want files, folders and symbolic links", ErrArchive, h.Name, h.Typeflag)
	}
	return first, nil
}

func writeEntry(root *os.Root, h *tar.Header, content io.Reader) error {
	name := filepath.FromSlash(path.Clean(h.Name))
	switch h.Typeflag {
	case tar.TypeDir:
		return root.MkdirAll(name, 0o755)
	case tar.TypeSymlink:
		return nil
	}
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	// O_EXCL: a name that comes twice says two things.
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("%w: entry %q: %w", ErrArchive, h.Name, err)
	}
	if _, err := io.Copy(f, content); err != nil {
		f.Close()
		return fmt.Errorf("entry %q: %w", h.Name, err)
	}
	return f.Close()
}
