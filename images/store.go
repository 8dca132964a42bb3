package images

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// ErrNotStored is wrapped by errors about a blob that the store does not hold,
// or no longer holds because its bytes had changed.
var ErrNotStored = errors.New("not in the blob store")

// staleAfter is the age at which a temporary file is certainly a leftover: no
// layer takes a day to write.
const staleAfter = 24 * time.Hour

// Store is a folder of blobs named by their content. Several processes may use
// one at once: a blob appears under its name whole (temporary file, then
// rename) or not at all.
//
//	blobs/sha256/<hex>     the blobs, as in an OCI layout
//	verified/<hex>         size and time of a blob whose digest was last right
//	layers/<hex>.json      which layer a key of CachedLayer stands for
//	tmp/                   what is being written
//
// A blob is read only if it is what its name says: its size is compared each
// time, and its bytes are hashed again unless size and modification time are
// those of the last time they were right.
type Store struct{ dir string }

// OpenStore opens the store in dir, which is made if it is not there.
func OpenStore(dir string) (*Store, error) {
	s := &Store{dir: dir}
	for _, sub := range []string{"blobs/sha256", "verified", "layers", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, fmt.Errorf("blob store %s: %w; name a folder that can be written", dir, err)
		}
	}
	s.dropLeftovers(time.Now().Add(-staleAfter))
	return s, nil
}

// dropLeftovers removes temporary files of killed processes. Failing to is no
// reason to stop.
func (s *Store) dropLeftovers(before time.Time) {
	entries, _ := os.ReadDir(filepath.Join(s.dir, "tmp"))
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.ModTime().Before(before) {
			_ = os.Remove(filepath.Join(s.dir, "tmp", e.Name()))
		}
	}
}

func (s *Store) blobPath(h v1.Hash) string {
	return filepath.Join(s.dir, "blobs", "sha256", h.Hex)
}

func (s *Store) memoPath(h v1.Hash) string { return filepath.Join(s.dir, "verified", h.Hex) }

// open returns the blob with the given digest and size, checked as Store says.
// A blob that is not what its name says is removed. The error wraps
// ErrNotStored when there is no such blob.
func (s *Store) open(h v1.Hash, size int64) (*os.File, error) {
	f, err := os.Open(s.blobPath(h))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("blob %s: %w (%s)", h, ErrNotStored, s.dir)
	}
	if err != nil {
		return nil, fmt.Errorf("blob %s: %w", h, err)
	}
	if err := s.check(f, h, size); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func (s *Store) check(f *os.File, h v1.Hash, size int64) error {
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("blob %s: %w", h, err)
	}
	if info.Size() != size {
		return s.discard(h, fmt.Sprintf("has %d bytes, not %d", info.Size(), size))
	}
	memo, err := os.ReadFile(s.memoPath(h))
	if err == nil && string(memo) == memoOf(info) {
		return nil
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return fmt.Errorf("blob %s: %w", h, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != h.Hex {
		return s.discard(h, "has the digest sha256:"+got)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("blob %s: %w", h, err)
	}
	return s.remember(h, info)
}

func (s *Store) discard(h v1.Hash, why string) error {
	_ = os.Remove(s.memoPath(h))
	_ = os.Remove(s.blobPath(h))
	return fmt.Errorf("blob %s in %s %s: it was changed after it was written and has been removed; run again to make it anew: %w",
		h, s.dir, why, ErrNotStored)
}

func memoOf(info fs.FileInfo) string {
	return strconv.FormatInt(info.Size(), 10) + " " + strconv.FormatInt(info.ModTime().UnixNano(), 10)
}

func (s *Store) remember(h v1.Hash, info fs.FileInfo) error {
	return s.put(s.memoPath(h), []byte(memoOf(info)))
}

// put writes a small file whole or not at all.
func (s *Store) put(path string, content []byte) error {
	t, err := s.temp()
	if err != nil {
		return err
	}
	defer t.drop()
	if _, err := t.Write(content); err != nil {
		return err
	}
	return t.rename(path)
}

// temp is a file in tmp/ that ends as a blob or is dropped.
type temp struct {
	*os.File
	done bool
}

func (s *Store) temp() (*temp, error) {
	f, err := os.CreateTemp(filepath.Join(s.dir, "tmp"), "")
	if err != nil {
		return nil, fmt.Errorf("blob store %s: %w", s.dir, err)
	}
	return &temp{File: f}, nil
}

// drop removes the file unless it was renamed.
func (t *temp) drop() {
	if !t.done {
		t.Close()
		_ = os.Remove(t.Name())
	}
}

func (t *temp) rename(path string) error {
	if err := t.Close(); err != nil {
		return err
	}
	if err := os.Rename(t.Name(), path); err != nil {
		return err
	}
	t.done = true
	return nil
}

// keep files t under its digest.
func (s *Store) keep(t *temp, h v1.Hash) error {
	info, err := t.Stat()
	if err != nil {
		return err
	}
	if err := t.rename(s.blobPath(h)); err != nil {
		return err
	}
	return s.remember(h, info)
}
