// Package publish takes a plan all the way: it compiles, packages each
// component as soon as its binaries are there, pushes its images, and at the
// end, when everything that it names is in place, writes the Release.
package publish

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/slipway-k8s/slipway/builder"
	"github.com/slipway-k8s/slipway/distro"
	"github.com/slipway-k8s/slipway/distro/release"
	"github.com/slipway-k8s/slipway/images"
	"github.com/slipway-k8s/slipway/images/registry"
	"golang.org/x/sync/errgroup"
)

// DefaultBaseURL is where "slipway-images serve" puts the file repository.
const DefaultBaseURL = "http://" + registry.DefaultAddr

// Options of a build.
type Options struct {
	// Out is the output folder; default "out".
	Out string
	// Registry is HOST[/PREFIX]; empty for the embedded registry in the output
	// folder, which the Release then names as registry.DefaultAddr.
	Registry string
	// BaseURL stands before the path of every file in the Release; default
	// DefaultBaseURL.
	BaseURL string
	// Compression of layers; default zstd.
	Compression images.Compression
	// Push are further options of each push.
	Push []images.PushOption
	// OnImage is told of each image that is in the registry.
	OnImage func(ImageResult)
}

// ImageResult is an image that was published.
type ImageResult struct {
	Component string        `json:"component"`
	Name      string        `json:"name"`
	Reference string        `json:"reference"` // with the release tag
	Digest    string        `json:"digest"`    // of the index
	Size      int64         `json:"size"`      // compressed layers of all platforms, in bytes
	Elapsed   time.Duration `json:"elapsed"`   // assembling and pushing
}

// Result is what a build made.
type Result struct {
	Release  *release.Release
	Record   *release.Record
	Manifest string // path of the Release
	Images   []ImageResult
}

// Run builds a plan and publishes it. It may be interrupted at any point and
// run again. The Release is written last; one of an earlier run is removed
// before the first file that it names is replaced.
func Run(ctx context.Context, b *builder.Builder, plan *builder.Plan, opts Options) (*Result, error) {
	p, err := newPublisher(b, plan, opts)
	if err != nil {
		return nil, err
	}
	defer p.close()
	res, err := p.run(ctx)
	return res, advise(err)
}

func (p *publisher) run(ctx context.Context) (*Result, error) {
	unlock, err := p.tree.Lock(ctx, func() { p.b.Note("waiting for another build that writes to %s", p.tree.Root()) })
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := p.connect(ctx); err != nil {
		return nil, err
	}
	if err := p.build(ctx); err != nil {
		return nil, err
	}
	return p.finish()
}

// advise says what to do about a disk that does not take what it should.
func advise(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w: the disk is full: make room there, or choose another place with --out or --cache, and run again; what is built is kept", err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: make it writable, or choose another place with --out or --cache, and run again", err)
	}
	return err
}

type publisher struct {
	b     *builder.Builder
	plan  *builder.Plan
	opts  Options
	store *images.Store
	tree  *builder.Tree

	// pushTo is where images go, named is what the Release calls it.
	pushTo, named string
	shutdown      func()

	binaries map[binaryKey]*builder.Binary
	images   map[string]*assembled // by component/image
	done     map[string]*component
	results  []ImageResult
}

type binaryKey struct {
	component, name string
	platform        distro.Platform
}

// assembled is an image of all platforms.
type assembled struct {
	index  v1.ImageIndex
	digest string
	record release.RecordImage
}

// component is what was published of one.
type component struct {
	release release.Component
	record  release.RecordComponent
}

// checkAddresses looks at addresses before a build, not after it: a registry
// without a host would mean Docker Hub to a registry client.
func checkAddresses(opts Options) error {
	if opts.Registry != "" {
		if err := release.CheckRegistry(opts.Registry); err != nil {
			return err
		}
	}
	return release.CheckBaseURL(opts.BaseURL)
}

func newPublisher(b *builder.Builder, plan *builder.Plan, opts Options) (*publisher, error) {
	if opts.Out == "" {
		opts.Out = "out"
	}
	if opts.BaseURL == "" {
		opts.BaseURL = DefaultBaseURL
	}
	if opts.Compression == "" {
		opts.Compression = images.Zstd
	}
	opts.BaseURL = strings.TrimRight(opts.BaseURL, "/")
	if err := checkAddresses(opts); err != nil {
		return nil, err
	}
	tree, err := builder.OpenTree(opts.Out, b.Cache())
	if err != nil {
		return nil, err
	}
	store, err := images.OpenStore(filepath.Join(b.Cache().Dir(), "images"))
	if err != nil {
		return nil, err
	}
	p := &publisher{
		b: b, plan: plan, opts: opts, tree: tree, store: store, shutdown: func() {},
		binaries: map[binaryKey]*builder.Binary{}, images: map[string]*assembled{}, done: map[string]*component{},
	}
	tree.BeforeReplace = p.withdrawFor
	return p, nil
}

func (p *publisher) close() { p.shutdown() }

// connect starts the embedded registry, unless another one is named. Images go
// to it over HTTP as they would to any other.
func (p *publisher) connect(ctx context.Context) error {
	if p.opts.Registry != "" {
		p.pushTo, p.named = p.opts.Registry, p.opts.Registry
		return nil
	}
	reg, err := registry.Open(filepath.Join(p.tree.Root(), registry.StorageFolder))
	if err != nil {
		return err
	}
	srv, err := registry.Start(ctx, "127.0.0.1:0", reg)
	if err != nil {
		_ = reg.Close()
		return err
	}
	p.pushTo, p.named = srv.Addr(), registry.DefaultAddr
	if !p.plan.Whole {
		// A partial release is a trial: in one's own embedded registry its tags move.
		p.opts.Push = append(p.opts.Push[:len(p.opts.Push):len(p.opts.Push)], images.OverwriteTags())
	}
	p.shutdown = func() {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		_ = srv.Shutdown(stop)
		_ = reg.Close()
	}
	return nil
}

// build compiles step after step (the compiler uses every core) and packages
// beside it what is ready.
func (p *publisher) build(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	compiled := make(chan []*builder.Binary, len(p.plan.Steps)+1)
	g.Go(func() error {
		defer close(compiled)
		for _, s := range p.plan.Steps {
			bins, err := p.b.Compile(ctx, s)
			if err != nil {
				return err
			}
			compiled <- bins
		}
		return nil
	})
	g.Go(func() error {
		for bins := range compiled {
			for _, bin := range bins {
				p.addBinary(bin)
			}
			if err := p.packageReady(ctx); err != nil {
				return err
			}
		}
		return p.packageReady(ctx) // components without a binary
	})
	return g.Wait()
}

func (p *publisher) addBinary(b *builder.Binary) {
	p.binaries[binaryKey{b.Component, trimExe(b), b.Platform}] = b
}

func trimExe(b *builder.Binary) string {
	return b.Name[:len(b.Name)-len(b.Platform.Exe())]
}

// packageReady packages every component whose binaries are all there.
func (p *publisher) packageReady(ctx context.Context) error {
	for _, r := range p.plan.Recipes {
		if p.done[r.Name] != nil || !p.ready(r) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		c, err := p.packageComponent(ctx, r)
		if err != nil {
			return fmt.Errorf("channel %s: component %s: %w", p.plan.Channel.Name, r.Name, err)
		}
		p.done[r.Name] = c
	}
	return nil
}

func (p *publisher) ready(r *distro.Recipe) bool {
	need := map[string]bool{}
	if err := p.plan.NeedsOf(r, need); err != nil {
		return false
	}
	for _, s := range p.plan.Steps {
		for _, ref := range s.Binaries {
			if need[ref.Recipe.Name+"/"+ref.Binary.Name] && p.binaries[binaryKey{ref.Recipe.Name, ref.Binary.Name, s.Platform}] == nil {
				return false
			}
		}
	}
	return true
}

// binary finds a compiled binary by a reference of a recipe.
func (p *publisher) binary(r *distro.Recipe, ref string, platform distro.Platform) (*builder.Binary, error) {
	c, n := r.Ref(ref)
	b := p.binaries[binaryKey{c, n, platform}]
	if b == nil {
		return nil, fmt.Errorf("binary %s/%s for %s was not built", c, n, platform)
	}
	return b, nil
}

// repository is where an image is pushed.
func (p *publisher) repository(img distro.Image) (name.Repository, error) {
	repo, err := name.NewRepository(p.pushTo + "/" + img.Repository)
	if err != nil {
		return name.Repository{}, fmt.Errorf("registry %q: %w: want HOST[:PORT][/PREFIX]", p.pushTo, err)
	}
	return repo, nil
}
