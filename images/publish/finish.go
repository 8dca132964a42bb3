package publish

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/slipway-k8s/slipway/distro/release"
	"github.com/slipway-k8s/slipway/images"
)

// folder is where the Release lies under the output's root.
func (p *publisher) folder() string { return "kubernetes-" + p.plan.Channel.Name }

func (p *publisher) manifestPath() string {
	return path.Join(p.folder(), p.plan.ReleaseName()+".yaml")
}

// withdraw removes the Release of an earlier run and what lies beside it: a file
// that it names is about to be replaced, and no manifest may name what is not
// there.
func (p *publisher) withdraw() error {
	return withdraw(filepath.Join(p.tree.Root(), filepath.FromSlash(p.manifestPath())))
}

func withdraw(manifest string) error {
	record := strings.TrimSuffix(manifest, ".yaml") + ".record.json"
	dir := filepath.Dir(manifest)
	// The manifest first: without it, the rest names nothing.
	for _, f := range []string{
		manifest, manifest + ".sha256", manifest + ".sha512", record, record + ".sha256", record + ".sha512",
		filepath.Join(dir, "SHA256SUM"), filepath.Join(dir, "SHA512SUM"),
	} {
		if err := os.Remove(f); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// withdrawFor withdraws every Release that names a file which is about to be
// replaced: this one's own, and, where the file is shared by releases (kOps'
// boot parts are, by kOps' layout), those whose record has its checksum.
func (p *publisher) withdrawFor(name string) error {
	if name == p.manifestPath() {
		return nil // it is written last and replaced in one move; its record is new already
	}
	if err := p.withdraw(); err != nil {
		return err
	}
	if strings.HasPrefix(name, p.folder()+"/") {
		return nil
	}
	root := p.tree.Root()
	sum, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)) + ".sha256")
	if err != nil || len(sum) < 64 {
		return nil // not a file that a finished build left
	}
	records, err := filepath.Glob(filepath.Join(root, "kubernetes-*", "*.record.json"))
	if err != nil {
		return err
	}
	for _, r := range records {
		raw, err := os.ReadFile(r)
		if err != nil {
			return err
		}
		if !bytes.Contains(raw, sum[:64]) {
			continue
		}
		p.b.Note("withdrawing %s: its %s is replaced", filepath.Base(strings.TrimSuffix(r, ".record.json")), name)
		if err := withdraw(strings.TrimSuffix(r, ".record.json") + ".yaml"); err != nil {
			return err
		}
	}
	return nil
}

// withdrawUnlessNamed withdraws the Release of an earlier run that names another
// image: its tags are about to move.
func (p *publisher) withdrawUnlessNamed(digest string) error {
	raw, err := os.ReadFile(filepath.Join(p.tree.Root(), filepath.FromSlash(p.manifestPath())))
	if errors.Is(err, fs.ErrNotExist) || err == nil && bytes.Contains(raw, []byte(digest)) {
		return nil
	}
	return p.withdraw()
}

// finish writes the record and then, as the last thing, the Release.
func (p *publisher) finish() (*Result, error) {
	rel, rec := p.describe()
	var raw bytes.Buffer
	if err := release.WriteRecord(&raw, rec); err != nil {
		return nil, err
	}
	release.Bind(rel, raw.Bytes())
	release.Sort(rel)
	if errs := release.Validate(rel); len(errs) > 0 {
		return nil, errs.ToAggregate() // a fault of this program: nothing wrong is published
	}
	if err := p.putCompanions(); err != nil {
		return nil, err
	}
	if _, err := p.tree.PutBytes(path.Join(p.folder(), release.RecordFile(p.plan.ReleaseName())), raw.Bytes()); err != nil {
		return nil, err
	}
	if err := p.tree.Close(); err != nil {
		return nil, err
	}
	var manifest bytes.Buffer
	if err := release.Write(&manifest, rel); err != nil {
		return nil, err
	}
	if _, err := p.tree.PutBytes(p.manifestPath(), manifest.Bytes()); err != nil {
		return nil, err
	}
	if err := p.tree.Close(); err != nil {
		return nil, err
	}
	return &Result{
		Release: rel, Record: rec, Images: p.results,
		Manifest: filepath.Join(p.opts.Out, filepath.FromSlash(p.manifestPath())),
	}, nil
}

func (p *publisher) describe() (*release.Release, *release.Record) {
	ch := p.plan.Channel
	rel := release.New(release.Identity{
		Vendor: ch.Vendor, Channel: ch.Name, Number: ch.Release.Number, Partial: strings.TrimPrefix(p.plan.Suffix, "-"),
	})
	rel.Status.Date = ch.Release.Date
	rel.Annotations = withAnnotations(rel.Annotations, map[string]string{
		release.AnnotationRegistry: p.named,
		release.AnnotationBaseURL:  p.opts.BaseURL,
	})
	rec := &release.Record{
		SchemaVersion: release.RecordSchemaVersion, Release: rel.Name, Vendor: ch.Vendor,
		Toolchain:  release.Toolchain{Version: p.b.Toolchain().Version, Identity: p.b.Toolchain().Library},
		Compressor: release.Compressor{Name: string(p.opts.Compression), Version: images.CompressorVersion(), Level: images.CompressorLevel(p.opts.Compression)},
	}
	for _, pl := range p.plan.Platforms {
		rec.Platforms = append(rec.Platforms, pl.String())
	}
	for _, r := range p.plan.Recipes {
		c := p.done[r.Name]
		rel.Status.Components = append(rel.Status.Components, c.release)
		rec.Components = append(rec.Components, c.record)
	}
	return rel, rec
}

func withAnnotations(have, more map[string]string) map[string]string {
	if have == nil {
		have = map[string]string{}
	}
	for k, v := range more {
		have[k] = v
	}
	return have
}

// putCompanions writes the CRDs and, for a whole release, the channel's object.
func (p *publisher) putCompanions() error {
	crds := release.CRDs()
	names, err := fs.Glob(crds, "*.yaml")
	if err != nil {
		return err
	}
	for _, n := range names {
		b, err := fs.ReadFile(crds, n)
		if err != nil {
			return err
		}
		if _, err := p.tree.PutBytes(path.Join("crds", n), b); err != nil {
			return err
		}
	}
	if !p.plan.Whole {
		return nil
	}
	var b bytes.Buffer
	if err := release.WriteChannel(&b, release.NewChannel(p.plan.Channel.Name, p.plan.Channel.Release.Number)); err != nil {
		return err
	}
	_, err = p.tree.PutBytes(path.Join("releasechannels", p.plan.Channel.Name+".yaml"), b.Bytes())
	return err
}
