package debian

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// RefreshCommand makes the lock anew.
const RefreshCommand = "slipway-release debian --refresh"

// ErrSuperseded: no mirror that answered has the pinned version any more.
// Mirrors keep only the newest version of a package.
var ErrSuperseded = errors.New("the pinned version is superseded")

// maxDeb is the largest package that is fetched, in bytes.
const maxDeb = 512 << 20

// Fetcher gets pinned packages into a folder of the user's.
type Fetcher struct {
	// Mirrors are tried in order.
	Mirrors Mirrors
	// Cache is the folder that keeps packages, as <sha256>.deb. It may be
	// shared by runs at the same time.
	Cache string
	// Get fetches one file; nil is FetchGet.
	Get Get
}

// DefaultCache is slipway/debian in the user's cache folder.
func DefaultCache() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("cache of Debian packages: %w", err)
	}
	return filepath.Join(dir, "slipway", "debian"), nil
}

// Fetch returns the path of the package's file, whose digest was just checked.
// Without a good copy in the cache it tries each mirror in turn; one that lacks
// the file or serves other bytes is passed over. The error tells what each
// mirror gave, and is ErrSuperseded when those that answered lack the file.
func (f *Fetcher) Fetch(ctx context.Context, p Package) (string, error) {
	if err := p.check([]string{p.Architecture}); err != nil {
		return "", fmt.Errorf("Debian package %s: %w", p, err)
	}
	cached := filepath.Join(f.Cache, p.SHA256+".deb")
	if err := checkFile(cached, p.SHA256, p.Size); err == nil {
		return cached, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		// Cut off by a crash or changed since: never used, fetched again.
		if err := os.Remove(cached); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("Debian package %s: the cached file is damaged: %w", p, err)
		}
	}
	if err := os.MkdirAll(f.Cache, 0o755); err != nil {
		return "", fmt.Errorf("Debian package %s: %w", p, err)
	}
	mirrors := f.Mirrors.Of(p.Archive)
	if len(mirrors) == 0 {
		return "", fmt.Errorf("Debian package %s: no mirror of the archive %s is known: name one by flag", p, p.Archive)
	}
	var tried []string
	missing, unusable := 0, 0
	for _, m := range mirrors {
		err := f.fetchFrom(ctx, m, p, cached)
		if err == nil {
			return cached, nil
		}
		if ctx.Err() != nil {
			return "", fmt.Errorf("Debian package %s: %w", p, ctx.Err())
		}
		var local *localError
		if errors.As(err, &local) {
			return "", fmt.Errorf("Debian package %s: %w", p, err) // no other mirror mends a full disk
		}
		switch {
		case errors.Is(err, ErrNotFound):
			missing++
		case errors.Is(err, errOtherBytes):
			unusable++
		}
		tried = append(tried, fmt.Sprintf("\n  %s/%s (from %s): %v", m.URL, p.Path, m.Origin, err))
	}
	detail := strings.Join(tried, "")
	if missing > 0 && unusable == 0 {
		return "", fmt.Errorf("Debian package %s: %w; run %s to pin the newest one, or name a mirror that keeps old versions:%s", p, ErrSuperseded, RefreshCommand, detail)
	}
	return "", fmt.Errorf("Debian package %s: no mirror has it with sha256 %s; check the network, or name another mirror by flag:%s", p, p.SHA256, detail)
}

// errOtherBytes: a mirror answered, but not with the pinned file.
var errOtherBytes = errors.New("other bytes")

// localError is a failure of this machine, not of a mirror.
type localError struct{ error }

func (e *localError) Unwrap() error { return e.error }

// fetchFrom fetches beside the cached file and renames when the digest is right,
// so that the cache never shows half a file, also with two runs at once.
func (f *Fetcher) fetchFrom(ctx context.Context, m Mirror, p Package, cached string) error {
	part, err := os.CreateTemp(f.Cache, "part-*")
	if err != nil {
		return &localError{err}
	}
	defer os.Remove(part.Name())
	if err := part.Close(); err != nil {
		return &localError{err}
	}
	get := f.Get
	if get == nil {
		get = FetchGet
	}
	if err := get(ctx, m.URL+"/"+p.Path, part.Name(), p.Size); err != nil {
		var local *fs.PathError
		if errors.As(err, &local) {
			return &localError{err}
		}
		return err
	}
	if err := checkFile(part.Name(), p.SHA256, p.Size); err != nil {
		return fmt.Errorf("%w: %w", errOtherBytes, err)
	}
	if err := os.Chmod(part.Name(), 0o644); err != nil {
		return &localError{err}
	}
	if err := os.Rename(part.Name(), cached); err != nil {
		return &localError{err}
	}
	return nil
}
