package builder

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/slipway-k8s/slipway/internal/atomicfile"
)

// Cache is Slipway's folder under the user's cache folder. Entries are keyed by
// everything that can change them, written beside their place and moved into
// it, and checked before use; so a run that is killed leaves nothing that a
// later one could mistake for whole, and two runs at once do not disturb each
// other.
type Cache struct {
	dir string
}

// DefaultCacheDir is "slipway" in the user's cache folder.
func DefaultCacheDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache folder: %w: set HOME or XDG_CACHE_HOME, or name one with --cache", err)
	}
	return filepath.Join(dir, "slipway"), nil
}

// OpenCache opens or makes a cache folder ("" for the default) and removes what
// killed runs left in it.
func OpenCache(dir string) (*Cache, error) {
	if dir == "" {
		var err error
		if dir, err = DefaultCacheDir(); err != nil {
			return nil, err
		}
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	c := &Cache{dir: abs}
	for _, sub := range []string{"tmp", "locks", "binaries", "memo"} {
		if err := os.MkdirAll(c.path(sub), 0o755); err != nil {
			return nil, fmt.Errorf("cache folder: %w: %s", err, cacheAdvice)
		}
	}
	c.removeStale()
	return c, nil
}

const cacheAdvice = "make it writable and see that its disk is not full, or name another with --cache"

// Dir is the cache's folder.
func (c *Cache) Dir() string { return c.dir }

func (c *Cache) path(elem ...string) string {
	return filepath.Join(append([]string{c.dir}, elem...)...)
}

// Lock takes a named lock, waiting for another run that holds it.
func (c *Cache) Lock(ctx context.Context, name string) (unlock func(), err error) {
	l := flock.New(c.path("locks", name))
	if _, err := l.TryLockContext(ctx, 200*time.Millisecond); err != nil {
		return nil, fmt.Errorf("cache folder: lock %s: %w", name, err)
	}
	return func() { _ = l.Unlock() }, nil
}

// Temp makes a folder for a run's unfinished work, on the cache's file system
// so that results can be moved. It is held by a lock until release, which
// removes it; a killed run's folder is removed by a later run.
func (c *Cache) Temp() (dir string, release func(), err error) {
	fail := func(err error) (string, func(), error) {
		return "", nil, fmt.Errorf("cache folder: %w: %s", err, cacheAdvice)
	}
	f, err := os.CreateTemp(c.path("tmp"), "run-*"+lockEnding)
	if err != nil {
		return fail(err)
	}
	f.Close()
	// The lock before the folder: a folder without a lock would be fair game for
	// a run that starts at the same time.
	l := flock.New(f.Name())
	if err := l.Lock(); err != nil {
		return fail(err)
	}
	dir = strings.TrimSuffix(f.Name(), lockEnding)
	if err := os.Mkdir(dir, 0o755); err != nil {
		_ = os.Remove(f.Name())
		_ = l.Unlock()
		return fail(err)
	}
	return dir, func() {
		_ = os.RemoveAll(dir)
		_ = os.Remove(f.Name())
		_ = l.Unlock()
	}, nil
}

const lockEnding = ".lock"

// removeStale removes temporary folders whose run is gone. A lock without a
// folder is left alone for an hour: its run may be about to make the folder.
func (c *Cache) removeStale() {
	entries, err := os.ReadDir(c.path("tmp"))
	if err != nil {
		return
	}
	for _, e := range entries {
		dir := c.path("tmp", strings.TrimSuffix(e.Name(), lockEnding))
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			if info, err := e.Info(); err != nil || time.Since(info.ModTime()) < time.Hour {
				continue
			}
		}
		l := flock.New(dir + lockEnding)
		if ok, err := l.TryLock(); err != nil || !ok {
			continue
		}
		_ = os.RemoveAll(dir)
		_ = os.Remove(dir + lockEnding)
		_ = l.Unlock()
	}
}

// remember returns what compute gave for key before, or computes it.
func (c *Cache) remember(kind, key string, compute func() (string, error)) (string, error) {
	file := c.path("memo", kind+"-"+key)
	if b, err := os.ReadFile(file); err == nil && len(b) > 0 {
		return string(b), nil
	}
	value, err := compute()
	if err != nil {
		return "", err
	}
	return value, atomicfile.Write(file, []byte(value), 0o644)
}

// writeJSON writes a value as a JSON file, whole or not at all.
func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return err
	}
	return atomicfile.Write(path, append(b, '\n'), 0o644)
}

// keyOf is the hash of a value's JSON: 64 hex digits.
func keyOf(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}
