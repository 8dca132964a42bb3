package publish

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/distro/release"
)

// restOfRecord compares what of the record is no binary, file or image:
// versions, stamps, modules, packages, toolchain.
func (c *comparer) restOfRecord() error {
	p, err := c.restOf(c.published.record)
	if err != nil {
		return err
	}
	q, err := c.restOf(c.rebuilt.Record)
	if err != nil {
		return err
	}
	c.addFields(KindRecord, release.RecordFile(c.out.Release), p, q)
	return nil
}

func (c *comparer) restOf(r *release.Record) (map[string]string, error) {
	var b bytes.Buffer
	if err := release.WriteRecord(&b, r); err != nil { // sorts
		return nil, err
	}
	rest, err := release.ReadRecord(&b, "record")
	if err != nil {
		return nil, err
	}
	rest.Compressor.Version = "" // said in a note
	rest.Components = slices.DeleteFunc(rest.Components, func(x release.RecordComponent) bool { return !c.planned(x.Name) })
	for i := range rest.Components {
		rest.Components[i].Binaries, rest.Components[i].Archives, rest.Components[i].Images = nil, nil, nil
	}
	return flatten(rest)
}

// manifest compares the manifests with the same addresses in both.
func (c *comparer) manifest() error {
	p, err := c.comparable(c.published.release)
	if err != nil {
		c.add(Compared{Kind: KindManifest, Name: c.out.Release, Status: Different, Note: err.Error()})
		return nil
	}
	q, err := c.comparable(c.asRecorded(c.rebuilt.Release))
	if err != nil {
		return err
	}
	c.addFields(KindManifest, c.out.Release+".yaml", p, q)
	return nil
}

func (c *comparer) comparable(r *release.Release) (map[string]string, error) {
	out, err := release.Render(r, "localhost", "http://localhost")
	if err != nil {
		return nil, err
	}
	delete(out.Annotations, release.AnnotationRecordSHA256) // the records are compared
	out.Status.Components = slices.DeleteFunc(out.Status.Components, func(x release.Component) bool { return !c.planned(x.Name) })
	return flatten(out)
}

// asRecorded gives what compression decided the values of the published record,
// if another compressor version was at work: then the manifest is held to its
// record, which was compared by content.
func (c *comparer) asRecorded(r *release.Release) *release.Release {
	if c.sameCompressor() {
		return r
	}
	r = r.DeepCopy()
	for i := range r.Status.Components {
		comp := &r.Status.Components[i]
		rec := c.published.record.Component(comp.Name)
		for j := range comp.Assets {
			a := &comp.Assets[j]
			if a.Image != nil {
				if p := find(rec.Images, func(x release.RecordImage) string { return x.Name + "-image" }, a.Name); p != nil {
					a.Image.ImageDigest = p.Index
				}
			} else if p := find(rec.Archives, func(x release.RecordArchive) string { return x.Name }, a.Name); p != nil {
				a.Archive.SHA256, a.Archive.SHA512 = p.SHA256, p.SHA512
			}
		}
	}
	return r
}

func (c *comparer) planned(component string) bool {
	for _, r := range c.plan.Recipes {
		if r.Name == component {
			return true
		}
	}
	return false
}

// addFields adds an item for each field that differs, or one that none does.
func (c *comparer) addFields(kind, name string, p, q map[string]string) {
	fields := differing(p, q)
	if len(fields) == 0 {
		c.add(Compared{Kind: kind, Name: name, Status: Equal})
	}
	for _, f := range fields {
		c.add(Compared{Kind: kind, Name: f, Status: Different, Published: p[f], Rebuilt: q[f]})
	}
}

// fieldsText says which fields of two values differ: "sha256: published …,
// rebuilt …". It is empty when none does.
func fieldsText(published, rebuilt any) string {
	p, err := flatten(published)
	if err != nil {
		return err.Error()
	}
	q, err := flatten(rebuilt)
	if err != nil {
		return err.Error()
	}
	var parts []string
	for _, f := range differing(p, q) {
		parts = append(parts, fmt.Sprintf("%s: published %s, rebuilt %s", f, orAbsent(brief(p[f])), orAbsent(brief(q[f]))))
	}
	return strings.Join(parts, "; ")
}

func differing(p, q map[string]string) []string {
	all := maps.Clone(p)
	maps.Copy(all, q)
	return slices.DeleteFunc(slices.Sorted(maps.Keys(all)), func(f string) bool { return p[f] == q[f] })
}

// flatten turns a value into the paths of its JSON fields. Elements of lists are
// called by what identifies them, so that one more shifts no other:
// "components[etcd].modules[golang.org/x/net].version".
func flatten(v any) (map[string]string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var tree any
	if err := d.Decode(&tree); err != nil {
		return nil, err
	}
	out := map[string]string{}
	flattenInto(out, "", tree)
	return out, nil
}

func flattenInto(out map[string]string, at string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			flattenInto(out, strings.TrimPrefix(at+"."+k, "."), x)
		}
	case []any:
		for i, x := range v {
			flattenInto(out, fmt.Sprintf("%s[%s]", at, elementName(i, x)), x)
		}
	case nil:
	default:
		out[at] = fmt.Sprint(v)
	}
}

func elementName(i int, v any) string {
	m, ok := v.(map[string]any)
	if !ok {
		return fmt.Sprint(i)
	}
	var parts []string
	for _, k := range []string{"name", "path", "platform", "architecture"} {
		if s, ok := m[k].(string); ok && (k != "path" || len(parts) == 0) {
			parts = append(parts, s)
		}
	}
	if len(parts) == 0 {
		return fmt.Sprint(i)
	}
	return strings.Join(parts, " ")
}
