// Package builder turns pinned source into binaries and archives.
//
//	Channel ─NewPlan→ Plan ─Builder.Compile→ Binaries ─Archive→ archives
//
// Compilation is the go command's. What this package adds is that nothing but
// the pins decides the bytes: the environment is fixed, modules are hashed
// against the lock before they are compiled, and results are kept under a key
// of everything that can change them.
package builder

import (
	"context"
	"fmt"
	"time"

	"github.com/slipway-k8s/slipway/builder/debian"
	"github.com/slipway-k8s/slipway/distro"
)

// Options are what a Builder takes beside a plan. All are optional.
type Options struct {
	// Go is the go command; default "go".
	Go string
	// CacheDir is Slipway's cache folder; default: see DefaultCacheDir.
	CacheDir string
	// GoCache is the go command's build cache; default: the user's own. One that
	// is empty makes sure that everything is compiled.
	GoCache string
	// Debian fetches Debian packages; default: the host's own apt sources.
	DebianMirrors []string
	// OnEvent is told what happens, from one goroutine at a time.
	OnEvent func(Event)
	// SkipRun leaves out running the binaries to ask for their version.
	SkipRun bool
}

// Event is something that happened in a build.
type Event struct {
	Kind EventKind
	Step string // "kubernetes linux/amd64"
	// Estimate is how long the step took before; 0 if it is not known.
	Estimate time.Duration
	// Elapsed is how long the step took, at its end.
	Elapsed time.Duration
	Text    string
}

// EventKind says what an Event is about.
type EventKind string

// The kinds of events.
const (
	StepStarted EventKind = "started"
	StepDone    EventKind = "done"
	StepCached  EventKind = "cached"
	Note        EventKind = "note"
)

// Builder compiles plans. It is safe for one build at a time; several Builders
// may share a cache folder, also in several processes.
type Builder struct {
	opts      Options
	cache     *Cache
	channel   *distro.Channel
	catalog   *distro.Catalog
	toolchain *Toolchain
	verifier  *moduleVerifier
	timings   *timings
	debian    *debian.Lock
	temp      string
	release   func()
}

// New prepares a builder for a channel: it opens the cache and finds the
// channel's toolchain. Close it.
func New(ctx context.Context, cat *distro.Catalog, ch *distro.Channel, opts Options) (*Builder, error) {
	cache, err := OpenCache(opts.CacheDir)
	if err != nil {
		return nil, err
	}
	tc, err := FindToolchain(ctx, opts.Go, ch, cache)
	if err != nil {
		return nil, err
	}
	if opts.GoCache != "" {
		if err := tc.useGoCache(opts.GoCache); err != nil {
			return nil, err
		}
	}
	raw, file, err := cat.DebianLock(ch)
	if err != nil {
		return nil, err
	}
	lock, err := readDebianLock(raw, file)
	if err != nil {
		return nil, err
	}
	temp, release, err := cache.Temp()
	if err != nil {
		return nil, err
	}
	tc.useTemp(temp)
	if opts.OnEvent == nil {
		opts.OnEvent = func(Event) {}
	}
	return &Builder{
		opts: opts, cache: cache, channel: ch, catalog: cat, toolchain: tc, debian: lock,
		verifier: &moduleVerifier{modCache: tc.ModCache, done: map[string]bool{}},
		timings:  readTimings(cache.path("timings.json")),
		temp:     temp, release: release,
	}, nil
}

// Close removes the builder's temporary files.
func (b *Builder) Close() { b.release() }

// Cache is the cache folder that the builder uses.
func (b *Builder) Cache() *Cache { return b.cache }

// Toolchain is the toolchain that the builder uses.
func (b *Builder) Toolchain() *Toolchain { return b.toolchain }

// Temp is a folder for unfinished work, removed by Close.
func (b *Builder) Temp() string { return b.temp }

// Note tells whoever listens something worth knowing.
func (b *Builder) Note(format string, args ...any) {
	b.opts.OnEvent(Event{Kind: Note, Text: fmt.Sprintf(format, args...)})
}

// Compile returns the binaries of a step, in the step's order: from the cache
// where they are there, compiled where they are not.
func (b *Builder) Compile(ctx context.Context, s Step) ([]*Binary, error) {
	fail := func(err error) ([]*Binary, error) {
		return nil, fmt.Errorf("channel %s: component %s: %s: %w", b.channel.Name, s.Unit.Name, s.Platform, err)
	}
	jobs, err := b.jobs(s)
	if err != nil {
		return fail(err)
	}
	if found, ok := b.cached(jobs); ok {
		b.opts.OnEvent(Event{Kind: StepCached, Step: s.String()})
		return found, nil
	}
	// Another run may be compiling the same: wait for it and take its result.
	unlock, err := b.cache.Lock(ctx, s.Unit.Name+"-"+s.Platform.Dashed())
	if err != nil {
		return fail(err)
	}
	defer unlock()
	if found, ok := b.cached(jobs); ok {
		b.opts.OnEvent(Event{Kind: StepCached, Step: s.String()})
		return found, nil
	}
	b.opts.OnEvent(Event{Kind: StepStarted, Step: s.String(), Estimate: b.timings.estimate(s)})
	start := time.Now()
	switch {
	case s.Unit.Source.Debian != "":
		err = b.extractDebian(ctx, s, missing(jobs))
	case s.Unit.Source.Programs:
		err = b.compilePrograms(ctx, s, missing(jobs))
	case s.Unit.Source.Archive != "":
		err = b.compileArchive(ctx, s, missing(jobs))
	default:
		err = b.compileModules(ctx, s, missing(jobs))
	}
	if err != nil {
		return fail(err)
	}
	elapsed := time.Since(start)
	b.timings.learn(s, elapsed)
	b.opts.OnEvent(Event{Kind: StepDone, Step: s.String(), Elapsed: elapsed})
	out := make([]*Binary, len(jobs))
	for i, j := range jobs {
		out[i] = j.result
	}
	return out, nil
}

// job is one binary of a step.
type job struct {
	ref     BinaryRef
	key     string
	ldflags string
	result  *Binary
}

func (b *Builder) jobs(s Step) ([]*job, error) {
	inputs, err := b.catalog.InputHash(b.channel, s.Unit.Name)
	if err != nil {
		return nil, err
	}
	origin, err := b.originHash(s)
	if err != nil {
		return nil, err
	}
	jobs := make([]*job, len(s.Binaries))
	for i, ref := range s.Binaries {
		flags, err := b.linkFlags(s, ref)
		if err != nil {
			return nil, err
		}
		key, err := keyOf(struct {
			Format                                                             int
			Inputs, Origin, Toolchain, Unit, Component, Name, Package, Ldflags string
			Tags                                                               []string
			Platform                                                           distro.Platform
			Version                                                            *distro.VersionCheck
			VersionAsked                                                       bool
		}{2, inputs, origin, b.toolchain.Identity, s.Unit.Name, ref.Recipe.Name, ref.Binary.Name, ref.Binary.Package, flags,
			b.unitTags(s), s.Platform, ref.Binary.Version, b.canRun(s.Platform)})
		if err != nil {
			return nil, err
		}
		jobs[i] = &job{ref: ref, key: key, ldflags: flags}
	}
	return jobs, nil
}

// cached looks every job up and says whether all are there.
func (b *Builder) cached(jobs []*job) ([]*Binary, bool) {
	out := make([]*Binary, len(jobs))
	all := true
	for i, j := range jobs {
		found, ok := b.cache.Binary(j.key)
		if ok {
			j.result, out[i] = found, found
		}
		all = all && ok
	}
	return out, all
}

// missing are the jobs that the cache did not have.
func missing(jobs []*job) []*job {
	var list []*job
	for _, j := range jobs {
		if j.result == nil {
			list = append(list, j)
		}
	}
	return list
}

// Cached says whether nothing of a step has to be compiled.
func (b *Builder) Cached(s Step) (bool, error) {
	jobs, err := b.jobs(s)
	if err != nil {
		return false, err
	}
	_, ok := b.cached(jobs)
	return ok, nil
}

// Remaining is how long what is not cached of a plan is estimated to compile.
func (b *Builder) Remaining(p *Plan) (time.Duration, error) {
	var sum time.Duration
	for _, s := range p.Steps {
		cached, err := b.Cached(s)
		if err != nil {
			return 0, err
		}
		if !cached {
			sum += b.Estimate(s)
		}
	}
	return sum, nil
}
