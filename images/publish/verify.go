package publish

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/slipway-k8s/slipway/builder"
	"github.com/slipway-k8s/slipway/distro"
	"github.com/slipway-k8s/slipway/distro/fetch"
	"github.com/slipway-k8s/slipway/distro/release"
	"github.com/slipway-k8s/slipway/images"
)

// VerifyOptions of a verification. Only Catalog is required.
type VerifyOptions struct {
	// Catalog has the channels and recipes to rebuild from.
	Catalog *distro.Catalog
	// Components limits what is rebuilt; default: all that the release has.
	Components []string
	// Builder are the builder's options. From its cache folder come Debian
	// packages and source archives, whose sums are checked before use, and
	// nothing that was compiled or assembled.
	Builder builder.Options
	// ReuseGoCache takes what the user's Go build cache has. By default the
	// rebuild has an empty one of its own, so that all is compiled again.
	ReuseGoCache bool
	// Temp is where the rebuild happens, in a folder that is removed; default:
	// the system's. A whole channel takes several gigabytes.
	Temp string
	// OnStart is told of the plan before anything is compiled.
	OnStart func(*builder.Builder, *builder.Plan)
}

// Verify builds a published release again, from this Slipway's pins, and
// compares: every binary, file and image, the rest of the record, and the
// manifest without its addresses. manifest is a path or URL, see fetch.File;
// the record must lie beside it and be its own (release.ErrNotBound).
//
// Files beside a manifest on disk are read and compared byte for byte. Those of
// a manifest behind a URL are fetched only when their sums differ, to say where.
//
// An error means that nothing was compared; differences are in the result.
func Verify(ctx context.Context, manifest string, opts VerifyOptions) (*Verification, error) {
	pub, err := readPublished(ctx, manifest)
	if err != nil {
		return nil, err
	}
	plan, err := planOf(opts.Catalog, pub)
	if err != nil {
		return nil, err
	}
	if plan, err = limitPlan(plan, opts.Components); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(opts.Temp, "slipway-verify-")
	if err != nil {
		return nil, fmt.Errorf("folder for the rebuild: %w", err)
	}
	defer os.RemoveAll(dir)
	res, err := rebuild(ctx, plan, pub, dir, opts)
	if err != nil {
		return nil, fmt.Errorf("release %s: rebuild: %w", pub.release.Name, err)
	}
	c := &comparer{
		plan: plan, published: pub, rebuilt: res, files: pub.files(dir),
		rebuiltRoot: filepath.Join(dir, outFolder),
		out:         &Verification{Release: pub.release.Name, Manifest: fetch.Redacted(manifest)},
	}
	return c.out, c.all(ctx)
}

// outFolder is the rebuild's output folder within its temporary one.
const outFolder = "out"

// published is a release as its publisher describes it.
type published struct {
	source  string
	release *release.Release
	record  *release.Record
}

func readPublished(ctx context.Context, manifest string) (*published, error) {
	rel, _, err := fetch.Release(ctx, manifest)
	if err != nil {
		return nil, err
	}
	if rel.Annotations[release.AnnotationRecordSHA256] == "" {
		// Not ErrNotBound: nothing was changed, there is nothing to compare with.
		return nil, fmt.Errorf("release %s: metadata.annotations[%s] is missing: only a release with a record, as slipway-build writes it, can be rebuilt and compared",
			rel.Name, release.AnnotationRecordSHA256)
	}
	rec, err := fetch.Record(ctx, manifest, rel)
	if err != nil {
		return nil, err
	}
	return &published{source: manifest, release: rel, record: rec}, nil
}

// rebuild builds the plan with caches of its own, as the release was built.
func rebuild(ctx context.Context, plan *builder.Plan, pub *published, dir string, opts VerifyOptions) (*Result, error) {
	compression, err := images.ParseCompression(pub.record.Compressor.Name)
	if err != nil {
		return nil, fmt.Errorf("record: compressor.name: %w", err)
	}
	o := opts.Builder
	o.CacheDir = filepath.Join(dir, "cache")
	if err := shareInputs(opts.Builder.CacheDir, o.CacheDir); err != nil {
		return nil, err
	}
	if !opts.ReuseGoCache {
		o.GoCache = filepath.Join(dir, "go-build")
	}
	b, err := builder.New(ctx, plan.Catalog, plan.Channel, o)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	if opts.OnStart != nil {
		opts.OnStart(b, plan)
	}
	return Run(ctx, b, plan, Options{Out: filepath.Join(dir, outFolder), Compression: compression})
}

// shareInputs lets the rebuild use fetched Debian packages and source archives
// of the user's cache, and keep what it fetches there: they are pinned by sha256
// and checked before use, as modules are. Mirrors drop old versions, so that
// without it a release of last month could not be verified any more.
func shareInputs(from, to string) error {
	if from == "" {
		var err error
		if from, err = builder.DefaultCacheDir(); err != nil {
			return err
		}
	}
	from, err := filepath.Abs(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for _, name := range []string{"debian", "sources"} {
		if err := os.MkdirAll(filepath.Join(from, name), 0o755); err != nil {
			return fmt.Errorf("cache folder: %w", err)
		}
		// Where there are no links, all is fetched again.
		if err := os.Symlink(filepath.Join(from, name), filepath.Join(to, name)); err != nil && !errors.Is(err, os.ErrPermission) && !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	return nil
}
