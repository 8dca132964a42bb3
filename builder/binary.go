package builder

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"

	"github.com/slipway-k8s/slipway/builder/files"
	"github.com/slipway-k8s/slipway/distro"
)

// Binary is a compiled command, or a file out of a Debian package, in the cache.
type Binary struct {
	Component string          `json:"component"`
	Name      string          `json:"name"`
	Package   string          `json:"package"`
	Platform  distro.Platform `json:"platform"`
	Size      int64           `json:"size"`
	Sha256    string          `json:"sha256"`
	Sha512    string          `json:"sha512"`
	// Modules are those compiled in, the standard library as "std".
	Modules []Module `json:"modules,omitempty"`
	// Packages are the Debian packages that it comes from.
	Packages []Package `json:"packages,omitempty"`
	// VersionLine is what the binary said of itself; empty if it was not run.
	VersionLine string `json:"versionLine,omitempty"`

	// Stat is what the file looked like when it was hashed.
	Stat string `json:"stat"`

	path string
}

// Module is a Go module that is compiled into a binary.
type Module struct {
	Path    string `json:"path"`
	Version string `json:"version"`
	Sum     string `json:"sum,omitempty"` // as in go.sum: "h1:…"
}

// Package is a Debian package.
type Package struct {
	Name         string `json:"name"`
	Version      string `json:"version"`
	Architecture string `json:"architecture"`
	Sha256       string `json:"sha256"`
}

// Path is where the binary lies in the cache. Read it through Open.
func (b *Binary) Path() string { return b.path }

// Open reads the binary and checks it on the way: at the end, other bytes than
// those that were built are an error.
func (b *Binary) Open() (io.ReadCloser, error) {
	f, err := os.Open(b.path)
	if err != nil {
		return nil, err
	}
	return &checkedReader{f: f, h: sha256.New(), want: b.Sha256}, nil
}

// File is the binary as an entry of an archive or a layer (mode 0755, root).
func (b *Binary) File(name string) files.File {
	f := files.Bytes(name, 0o755, nil)
	f.Size, f.Open = b.Size, b.Open
	return f
}

type checkedReader struct {
	f    *os.File
	h    hash.Hash
	want string
}

func (r *checkedReader) Read(p []byte) (int, error) {
	n, err := r.f.Read(p)
	r.h.Write(p[:n])
	if err == io.EOF {
		if got := hex.EncodeToString(r.h.Sum(nil)); got != r.want {
			return n, fmt.Errorf("%s: cache entry has sha256 %s, was built with %s: something changed it; remove it and build again", r.f.Name(), got, r.want)
		}
	}
	return n, err
}

func (r *checkedReader) Close() error { return r.f.Close() }

const entryFile = "entry.json"

func (c *Cache) binaryDir(key string) string { return c.path("binaries", key[:2], key) }

// Binary finds a cached binary. An entry that is not whole, or whose bytes are
// not those that were built, is removed and not found.
func (c *Cache) Binary(key string) (*Binary, bool) {
	dir := c.binaryDir(key)
	raw, err := os.ReadFile(filepath.Join(dir, entryFile))
	if err != nil {
		return nil, false
	}
	b := &Binary{}
	if json.Unmarshal(raw, b) != nil || b.Name == "" || filepath.Base(b.Name) != b.Name {
		_ = os.RemoveAll(dir)
		return nil, false
	}
	b.path = filepath.Join(dir, b.Name)
	info, err := os.Lstat(b.path)
	if err != nil || !info.Mode().IsRegular() || info.Size() != b.Size {
		_ = os.RemoveAll(dir)
		return nil, false
	}
	if statKey(info) == b.Stat {
		return b, true
	}
	sum256, _, _, err := hashFile(b.path)
	if err != nil || sum256 != b.Sha256 {
		_ = os.RemoveAll(dir)
		return nil, false
	}
	b.Stat = statKey(info)
	_ = writeJSON(filepath.Join(dir, entryFile), b)
	return b, true
}

// store moves a file that was built into the cache and hashes it there.
func (c *Cache) store(key, file string, b *Binary, temp string) error {
	staged, err := os.MkdirTemp(temp, "entry-")
	if err != nil {
		return err
	}
	if err := os.Chmod(staged, 0o755); err != nil {
		return err
	}
	placed := filepath.Join(staged, b.Name)
	if err := os.Rename(file, placed); err != nil {
		return err
	}
	if err := os.Chmod(placed, 0o755); err != nil {
		return err
	}
	if b.Sha256, b.Sha512, b.Size, err = hashFile(placed); err != nil {
		return err
	}
	info, err := os.Lstat(placed)
	if err != nil {
		return err
	}
	b.Stat = statKey(info)
	if err := writeJSON(filepath.Join(staged, entryFile), b); err != nil {
		return err
	}
	dir := c.binaryDir(key)
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	_ = os.RemoveAll(dir) // an entry that Binary refused
	if err := os.Rename(staged, dir); err != nil {
		return err
	}
	b.path = filepath.Join(dir, b.Name)
	return nil
}

// hashFile reads a file once for both checksums, in hex.
func hashFile(path string) (sum256, sum512 string, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", "", 0, err
	}
	defer f.Close()
	h256, h512 := sha256.New(), sha512.New()
	size, err = io.Copy(io.MultiWriter(h256, h512), f)
	return hex.EncodeToString(h256.Sum(nil)), hex.EncodeToString(h512.Sum(nil)), size, err
}
