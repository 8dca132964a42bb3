package builder

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/slipway-k8s/slipway/builder/files"
	"github.com/slipway-k8s/slipway/distro"
	"github.com/slipway-k8s/slipway/internal/atomicfile"
)

// gzipLevel is that of every tarball. klauspost's level 6 is close to zlib's in
// size at a third of its time.
const gzipLevel = 6

// Sums are the size and both checksums, in hex, of a published file.
type Sums struct {
	Size   int64  `json:"size"`
	Sha256 string `json:"sha256"`
	Sha512 string `json:"sha512"`
}

// WriteTarGz writes a tarball whose bytes depend on the entries alone: no name
// and no time in the gzip header, one compressor that is pinned in go.mod (the
// standard library's output changes between Go versions).
func WriteTarGz(w io.Writer, entries []files.File) error {
	z, err := gzip.NewWriterLevel(w, gzipLevel)
	if err != nil {
		return err
	}
	z.ModTime = time.Unix(0, 0) // none; the zero time would come out as 2042
	z.OS = 255                  // unknown: the header must not say where it was made
	if err := files.WriteTar(z, entries); err != nil {
		return err
	}
	return z.Close()
}

// sumWriter counts and hashes what is written.
type sumWriter struct {
	w          io.Writer
	h256, h512 io.Writer
	sums       func() (string, string)
	n          int64
}

func newSumWriter(w io.Writer) *sumWriter {
	a, b := sha256.New(), sha512.New()
	return &sumWriter{w: w, h256: a, h512: b, sums: func() (string, string) {
		return hex.EncodeToString(a.Sum(nil)), hex.EncodeToString(b.Sum(nil))
	}}
}

func (s *sumWriter) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	s.n += int64(n)
	s.h256.Write(p[:n])
	s.h512.Write(p[:n])
	return n, err
}

func (s *sumWriter) result() Sums {
	a, b := s.sums()
	return Sums{Size: s.n, Sha256: a, Sha512: b}
}

// writeHashed writes a file whole or not at all and hashes it on the way.
func writeHashed(place string, write func(io.Writer) error) (sums Sums, err error) {
	if err := os.MkdirAll(filepath.Dir(place), 0o755); err != nil {
		return Sums{}, err
	}
	tmp, err := os.CreateTemp(filepath.Dir(place), atomicfile.TempPrefix+"*")
	if err != nil {
		return Sums{}, err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp.Name())
		}
	}()
	w := newSumWriter(tmp)
	err = write(w)
	if err == nil {
		err = tmp.Chmod(0o644)
	}
	if e := tmp.Close(); err == nil {
		err = e
	}
	if err != nil {
		return Sums{}, fmt.Errorf("%s: %w", place, err)
	}
	return w.result(), os.Rename(tmp.Name(), place)
}

// SourceFiles are the files of a component's first module under
// <component>-<version>/, for a tarball of the source.
func (b *Builder) SourceFiles(ctx context.Context, r *distro.Recipe) ([]files.File, error) {
	m, err := b.lockedModule(ctx, r, r.Source.Modules[0])
	if err != nil {
		return nil, err
	}
	prefix := r.Name + "-" + strings.TrimPrefix(m.Version, "v")
	var list []files.File
	err = filepath.WalkDir(m.Dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		rel, err := filepath.Rel(m.Dir, p)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		list = append(list, files.OnDisk(path.Join(prefix, filepath.ToSlash(rel)), 0o644, p, info.Size()))
		return nil
	})
	return list, err
}

func splitLines(b []byte) []string {
	return strings.Split(strings.TrimRight(string(b), "\n"), "\n")
}
