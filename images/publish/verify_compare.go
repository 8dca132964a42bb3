package publish

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/builder"
	"github.com/slipway-k8s/slipway/distro"
	"github.com/slipway-k8s/slipway/distro/release"
)

// comparer compares a published release with its rebuild.
type comparer struct {
	plan        *builder.Plan
	published   *published
	rebuilt     *Result
	rebuiltRoot string
	files       *publishedFiles
	out         *Verification
}

func (c *comparer) add(i Compared) { c.out.Items = append(c.out.Items, i) }

// sameCompressor: another version of it may give other bytes for the same
// content.
func (c *comparer) sameCompressor() bool {
	return c.published.record.Compressor == c.rebuilt.Record.Compressor
}

func (c *comparer) all(ctx context.Context) error {
	if !c.sameCompressor() {
		c.out.Notes = append(c.out.Notes, fmt.Sprintf("the release was compressed with %s, this Slipway has %s: images are compared by their configs and diffIDs, archives by what is in them",
			compressorText(c.published.record.Compressor), compressorText(c.rebuilt.Record.Compressor)))
	}
	for _, r := range c.plan.Recipes {
		p, q := c.published.record.Component(r.Name), c.rebuilt.Record.Component(r.Name)
		if err := c.binaries(ctx, r, p.Binaries, q.Binaries); err != nil {
			return err
		}
		if err := c.archives(ctx, r.Name, p.Archives, q.Archives); err != nil {
			return err
		}
		c.images(r.Name, p.Images, q.Images)
	}
	if n := c.files.note(); n != "" {
		c.out.Notes = append(c.out.Notes, n)
	}
	if err := c.restOfRecord(); err != nil {
		return err
	}
	return c.manifest()
}

func compressorText(c release.Compressor) string {
	return strings.Join(strings.Fields(c.Version+" "+c.Name+" "+c.Level), " ")
}

func (c *comparer) binaries(ctx context.Context, r *distro.Recipe, published, rebuilt []release.RecordBinary) error {
	key := func(b release.RecordBinary) string { return b.Name + " " + b.Platform }
	for _, k := range unionOf(published, rebuilt, key) {
		p, q := find(published, key, k), find(rebuilt, key, k)
		item := Compared{Kind: KindBinary, Component: r.Name, Status: Equal}
		if p == nil || q == nil {
			item.Name, item.Platform, _ = strings.Cut(k, " ")
			c.oneSided(item, p != nil)
			continue
		}
		item.Name, item.Platform, item.Published, item.Rebuilt = p.Name, p.Platform, p.SHA256, q.SHA256
		// What it printed depends on whether that machine could run it.
		a, b := *p, *q
		if a != b {
			item.Status, item.Note = Different, fieldsText(a, b)
		}
		place, err := c.placeOf(r, p)
		if err != nil {
			return err
		}
		if err := c.bytes(ctx, &item, place); err != nil {
			return err
		}
		c.add(item)
	}
	return nil
}

// placeOf is where a binary is published on its own, empty if it is not.
func (c *comparer) placeOf(r *distro.Recipe, b *release.RecordBinary) (string, error) {
	platform, err := distro.ParsePlatform(b.Platform)
	if err != nil {
		return "", fmt.Errorf("record: %s: %w", b.Name, err)
	}
	bin, ok := r.Binary(strings.TrimSuffix(b.Name, platform.Exe()))
	if !ok || bin.Path == "" {
		return "", nil
	}
	p := &publisher{plan: c.plan}
	vars, err := p.vars(r)
	if err != nil {
		return "", err
	}
	place, _, err := (&componentWriter{publisher: p, recipe: r, vars: vars}).place(bin.Path, platform)
	return place, err
}

func (c *comparer) archives(ctx context.Context, component string, published, rebuilt []release.RecordArchive) error {
	key := func(a release.RecordArchive) string { return a.Name + " " + a.Platform }
	for _, k := range unionOf(published, rebuilt, key) {
		p, q := find(published, key, k), find(rebuilt, key, k)
		item := Compared{Kind: KindFile, Component: component, Status: Equal}
		if p == nil || q == nil {
			item.Name, item.Platform, _ = strings.Cut(k, " ")
			c.oneSided(item, p != nil)
			continue
		}
		item.Name, item.Platform, item.Published, item.Rebuilt = p.Name, p.Platform, p.SHA256, q.SHA256
		if *p != *q {
			item.Status, item.Note = Different, fieldsText(*p, *q)
		}
		if err := c.bytes(ctx, &item, p.Path); err != nil {
			return err
		}
		c.add(item)
	}
	return nil
}

// bytes compares the published file itself, where there is one to read.
func (c *comparer) bytes(ctx context.Context, item *Compared, place string) error {
	if place == "" {
		return nil
	}
	file, err := c.files.open(ctx, place, item.Status == Different)
	if err != nil {
		return err
	}
	if file == "" {
		if item.Status == Different {
			item.Note = join(item.Note, "the published file could not be read, so the sums are all there is")
		}
		c.judgeCompressed(item, place, "")
		return nil
	}
	rebuilt := filepath.Join(c.rebuiltRoot, filepath.FromSlash(place))
	r, err := compareFiles(file, rebuilt)
	if err != nil {
		return err
	}
	switch {
	case r != nil && item.Status == Equal:
		item.Status, item.Range = Different, r
		item.Note = "the published file is not the one in its record"
	case r != nil:
		item.Range = r
	case item.Status == Different:
		item.Note = join(item.Note, "the published file equals the rebuilt one, its record is wrong")
	default:
		if wrong := c.files.companions(file, rebuilt); wrong != "" {
			item.Status, item.Note = Different, wrong
		}
	}
	c.judgeCompressed(item, place, file)
	return nil
}

// judgeCompressed takes back a difference that another compressor explains.
func (c *comparer) judgeCompressed(item *Compared, place, file string) {
	if c.sameCompressor() || item.Status != Different || item.Kind == KindBinary || item.Published == item.Rebuilt {
		return
	}
	const why = "another compressor version gives other bytes"
	if file != "" && strings.HasSuffix(place, ".tar.gz") {
		r, err := compareGzip(file, filepath.Join(c.rebuiltRoot, filepath.FromSlash(place)))
		if err == nil && r == nil {
			item.Status, item.Range, item.Note = Equal, nil, why+"; what is in it is equal"
			return
		}
	}
	// A tarball that holds image tars holds compressed layers too.
	item.Status, item.Range = NotCompared, nil
	item.Note = why + "; see the comparison of the binaries and images in it"
}

func (c *comparer) oneSided(item Compared, published bool) {
	item.Status, item.Note = Different, "the rebuild has it, the release does not"
	if published {
		item.Note = "the release has it, the rebuild does not"
	}
	c.add(item)
}

func (c *comparer) images(component string, published, rebuilt []release.RecordImage) {
	key := func(i release.RecordImage) string { return i.Name }
	for _, k := range unionOf(published, rebuilt, key) {
		p, q := find(published, key, k), find(rebuilt, key, k)
		item := Compared{Kind: KindImage, Component: component, Name: k, Status: Equal}
		if p == nil || q == nil {
			c.oneSided(item, p != nil)
			continue
		}
		item.Published, item.Rebuilt = p.Index, q.Index
		a, b := *p, *q
		if !c.sameCompressor() {
			a, b = withoutCompressed(a), withoutCompressed(b)
		}
		if note := fieldsText(a, b); note != "" {
			item.Status, item.Note = Different, note
		} else if p.Index != q.Index {
			// Nothing shows that these digests lead to the configs and diffIDs
			// that the record gives for them.
			item.Status = NotCompared
			item.Note = "the record's configs and diffIDs are equal; its digests are another compressor's"
		}
		c.add(item)
	}
}

// withoutCompressed leaves what does not hang on the compressor.
func withoutCompressed(i release.RecordImage) release.RecordImage {
	i.Index = ""
	i.Platforms = slices.Clone(i.Platforms)
	for n := range i.Platforms {
		i.Platforms[n].Manifest, i.Platforms[n].Layers = "", nil
	}
	return i
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

// unionOf are the keys of both lists, in the order of the first, then of what
// only the second has.
func unionOf[T any](a, b []T, key func(T) string) []string {
	var all []string
	for _, list := range [][]T{a, b} {
		for _, x := range list {
			if k := key(x); !slices.Contains(all, k) {
				all = append(all, k)
			}
		}
	}
	return all
}

func find[T any](list []T, key func(T) string, k string) *T {
	for i := range list {
		if key(list[i]) == k {
			return &list[i]
		}
	}
	return nil
}
