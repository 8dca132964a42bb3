// Package registry is an OCI registry over a folder, in process: the reference
// implementation (github.com/distribution/distribution/v3) behind a small face.
//
// It has no referrers API: clients get 404 there and fall back to the tag
// sha256-<hex>, as the OCI distribution spec lays down.
package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	"github.com/distribution/distribution/v3/registry/storage"
	"github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
	"github.com/gofrs/flock"
)

// Registry serves the images in a folder. Several may be open on one folder, in
// one process or in many: content is written under its digest and by renaming.
type Registry struct {
	dir    string
	app    *handlers.App
	driver driver.StorageDriver
	lock   *flock.Flock // nil when read-only
}

// Option changes what Open does.
type Option func(*options)

type options struct{ readOnly bool }

// ReadOnly refuses pushes (405) and leaves the folder as it is; the folder must
// exist. The default is to take pushes from whoever can reach the handler: there
// are no users.
func ReadOnly() Option { return func(o *options) { o.readOnly = true } }

// Open opens the registry in dir, which is made if it is not there, and removes
// uploads that a killed process left, unless another process has it open.
func Open(dir string, opts ...Option) (*Registry, error) {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("registry %s: %w", dir, err)
	}
	r := &Registry{dir: dir}
	if o.readOnly {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return nil, fmt.Errorf("registry %s: not there: build and push something first, or name another folder", dir)
		}
	} else if err := r.prepare(); err != nil {
		return nil, fmt.Errorf("registry %s: %w; name a folder that can be written", dir, err)
	}
	quiet()
	if r.app, err = newApp(dir, o.readOnly); err != nil {
		r.unlock()
		return nil, fmt.Errorf("registry %s: %w", dir, err)
	}
	r.driver = filesystem.New(filesystem.DriverParameters{RootDirectory: dir, MaxThreads: 100})
	return r, nil
}

// prepare makes the folder, takes a shared lock on it until Close, and purges.
func (r *Registry) prepare() error {
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		return err
	}
	r.lock = flock.New(filepath.Join(r.dir, ".lock"))
	alone, err := r.lock.TryLock()
	if err != nil {
		return err
	}
	if alone {
		if err := purgeUploads(r.dir); err != nil {
			r.unlock()
			return err
		}
		if err := r.lock.Unlock(); err != nil {
			return err
		}
	}
	return r.lock.RLock()
}

// purgeUploads removes the folders of unfinished uploads. distribution's own
// purger waits up to an hour before its first run, and logs to a global.
func purgeUploads(dir string) error {
	root := filepath.Join(dir, "docker", "registry", "v2", "repositories")
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil || !d.IsDir():
			return err
		case d.Name() == "_uploads":
			if err := os.RemoveAll(path); err != nil {
				return err
			}
			return fs.SkipDir
		case d.Name()[0] == '_':
			return fs.SkipDir
		}
		return nil
	})
}

func newApp(dir string, readOnly bool) (app *handlers.App, err error) {
	// NewApp panics on a configuration that it does not like.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	c := &configuration.Configuration{
		Storage: configuration.Storage{
			"filesystem": {"rootdirectory": dir},
			// NOTE: map[any]any, or NewApp panics.
			"maintenance": {
				"uploadpurging": map[any]any{"enabled": false},
				"readonly":      map[any]any{"enabled": readOnly},
			},
		},
	}
	// Locations without a host work behind whatever address leads here.
	c.HTTP.RelativeURLs = true
	// The default is set where a configuration file is read, which none is here;
	// without it every list is refused. 1000 is what clients ask for at most.
	c.Catalog.MaxEntries = 1000
	return handlers.NewApp(context.Background(), c), nil
}

// ServeHTTP answers /v2/….
func (r *Registry) ServeHTTP(w http.ResponseWriter, req *http.Request) { r.app.ServeHTTP(w, req) }

// Repositories lists the repositories that hold something, sorted.
func (r *Registry) Repositories(ctx context.Context) ([]string, error) {
	names, err := r.repositories(ctx)
	if err != nil {
		return nil, fmt.Errorf("registry %s: listing repositories: %w", r.dir, err)
	}
	return names, nil
}

func (r *Registry) repositories(ctx context.Context) ([]string, error) {
	ns, err := storage.NewRegistry(ctx, r.driver)
	if err != nil {
		return nil, err
	}
	var all []string
	page := make([]string, 256)
	for last := ""; ; last = all[len(all)-1] {
		n, err := ns.Repositories(ctx, page, last)
		all = append(all, page[:n]...)
		var missing driver.PathNotFoundError
		if errors.Is(err, io.EOF) || errors.As(err, &missing) {
			return all, nil // all listed, or nothing was ever pushed
		}
		if err != nil || n == 0 {
			return all, err
		}
	}
}

// Close releases the folder. Requests that are still served end as they would.
func (r *Registry) Close() error {
	err := r.app.Shutdown()
	r.unlock()
	return err
}

func (r *Registry) unlock() {
	if r.lock != nil {
		_ = r.lock.Unlock()
	}
}
