package release

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// How something differs between two releases.
const (
	Added   = "added"
	Gone    = "gone"
	Changed = "changed"
)

// Changes is how a release differs from another. Each list is sorted by
// component, then by name. Where something was Added, From is empty; where it
// is Gone, To is.
type Changes struct {
	From       string            `json:"from"` // name of the first release
	To         string            `json:"to"`
	Components []ComponentChange `json:"components,omitempty"`
	Images     []AssetChange     `json:"images,omitempty"`
	Archives   []AssetChange     `json:"archives,omitempty"`
}

// ComponentChange is a component added, gone, or at another tag or commit.
type ComponentChange struct {
	Name   string `json:"name"`
	Change string `json:"change"`
	From   string `json:"from,omitempty"` // gitTag
	To     string `json:"to,omitempty"`
	// FromCommit and ToCommit are set where both are known and differ.
	FromCommit string `json:"fromCommit,omitempty"`
	ToCommit   string `json:"toCommit,omitempty"`
}

// AssetChange is an asset added, gone or changed.
type AssetChange struct {
	Component string `json:"component"`
	Name      string `json:"name"`
	Change    string `json:"change"`
	// Fields are what differs of a changed asset, sorted by field.
	Fields []FieldChange `json:"fields,omitempty"`
}

// FieldChange is a field of an asset with its two values.
type FieldChange struct {
	Field string `json:"field"` // as in the manifest: "image.imageDigest"
	From  string `json:"from,omitempty"`
	To    string `json:"to,omitempty"`
}

// Empty is whether nothing differs.
func (c Changes) Empty() bool {
	return len(c.Components)+len(c.Images)+len(c.Archives) == 0
}

// Diff says how b differs from a: components, versions, content and platforms of
// assets. Order and addresses do not count, nor does the release in an image's
// tag: an image is the same when its digest is. Where one side has no digest,
// the tags are compared too, and the missing digest is a
// difference by itself.
func Diff(a, b *Release) Changes {
	out := Changes{From: a.Name, To: b.Name}
	before, after := componentsByName(a), componentsByName(b)
	for _, name := range unionOfKeys(before, after) {
		x, inA := before[name]
		y, inB := after[name]
		switch {
		case !inA:
			out.Components = append(out.Components, ComponentChange{Name: name, Change: Added, To: y.GitTag})
		case !inB:
			out.Components = append(out.Components, ComponentChange{Name: name, Change: Gone, From: x.GitTag})
		default:
			if change, differs := diffComponent(x, y); differs {
				out.Components = append(out.Components, change)
			}
		}
		out.diffAssets(name, x, y)
	}
	return out
}

func diffComponent(x, y Component) (ComponentChange, bool) {
	change := ComponentChange{Name: x.Name, Change: Changed, From: x.GitTag, To: y.GitTag}
	if x.GitCommit != "" && y.GitCommit != "" && x.GitCommit != y.GitCommit {
		change.FromCommit, change.ToCommit = x.GitCommit, y.GitCommit
	}
	return change, x.GitTag != y.GitTag || change.FromCommit != ""
}

func (c *Changes) diffAssets(component string, x, y Component) {
	before, after := assetsByName(x), assetsByName(y)
	for _, name := range unionOfKeys(before, after) {
		p, inA := before[name]
		q, inB := after[name]
		change := AssetChange{Component: component, Name: name, Change: Changed}
		switch {
		case !inA:
			change.Change = Added
		case !inB:
			change.Change = Gone
		default:
			if change.Fields = diffFields(p, q); len(change.Fields) == 0 {
				continue
			}
		}
		if p.Type == TypeImage || q.Type == TypeImage {
			c.Images = append(c.Images, change)
		} else {
			c.Archives = append(c.Archives, change)
		}
	}
}

func diffFields(p, q Asset) []FieldChange {
	before, after := contentFields(p), contentFields(q)
	// Without a digest on both sides the tag is all there is to compare.
	if before["image.imageDigest"] == "" || after["image.imageDigest"] == "" {
		before["image.uri"], after["image.uri"] = tagOf(p), tagOf(q)
	}
	var out []FieldChange
	for _, f := range unionOfKeys(before, after) {
		if before[f] != after[f] {
			out = append(out, FieldChange{Field: f, From: before[f], To: after[f]})
		}
	}
	return out
}

// contentFields are the fields that say what an asset is, not where.
func contentFields(a Asset) map[string]string {
	arch := slices.Clone(a.Arch)
	slices.Sort(arch)
	out := map[string]string{"type": a.Type, "os": a.OS, "arch": strings.Join(arch, ",")}
	if a.Image != nil {
		out["image.imageDigest"] = a.Image.ImageDigest
	}
	if a.Archive != nil {
		out["archive.sha256"], out["archive.sha512"] = a.Archive.SHA256, a.Archive.SHA512
	}
	return out
}

func tagOf(a Asset) string {
	if a.Image == nil {
		return ""
	}
	_, _, tag := splitImage(a.Image.URI)
	return tag
}

// WriteText writes the changes as tables for people, or that there are none.
// Checksums are cut short; JSON has all of them.
func (c Changes) WriteText(w io.Writer) error {
	fmt.Fprintf(w, "from %s to %s\n", c.From, c.To)
	if c.Empty() {
		_, err := fmt.Fprintln(w, "no difference")
		return err
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(c.Components) > 0 {
		fmt.Fprintln(tw, "\nCOMPONENT\tCHANGE\tFROM\tTO")
		for _, x := range c.Components {
			fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", x.Name, x.Change, withCommit(x.From, x.FromCommit), withCommit(x.To, x.ToCommit))
		}
	}
	writeAssets(tw, "IMAGE", c.Images)
	writeAssets(tw, "ARCHIVE", c.Archives)
	return tw.Flush()
}

func writeAssets(w io.Writer, title string, changes []AssetChange) {
	if len(changes) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\tCOMPONENT\tCHANGE\tFIELD\tFROM\tTO\n", title)
	for _, x := range changes {
		if len(x.Fields) == 0 {
			fmt.Fprintf(w, "%s\t%s\t%s\n", x.Name, x.Component, x.Change)
		}
		for i, f := range x.Fields {
			// The fields are sorted: the sha256 before it says as much.
			if f.Field == "archive.sha512" && i > 0 && x.Fields[i-1].Field == "archive.sha256" {
				continue
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", x.Name, x.Component, x.Change, f.Field, orNone(short(f.From)), orNone(short(f.To)))
		}
	}
}

// short cuts a checksum to what a person compares.
func short(s string) string {
	if sha512Pattern.MatchString(s) || sha256Pattern.MatchString(s) {
		return s[:12]
	}
	if digestPattern.MatchString(s) {
		return s[:len("sha256:")+12]
	}
	return s
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func withCommit(tag, commit string) string {
	if len(commit) < 7 {
		return tag
	}
	return tag + " (" + commit[:7] + ")"
}

func componentsByName(r *Release) map[string]Component {
	out := make(map[string]Component, len(r.Status.Components))
	for _, c := range r.Status.Components {
		out[c.Name] = c
	}
	return out
}

func assetsByName(c Component) map[string]Asset {
	out := make(map[string]Asset, len(c.Assets))
	for _, a := range c.Assets {
		out[a.Name] = a
	}
	return out
}

func unionOfKeys[T any](a, b map[string]T) []string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}
