package builder

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sort"
	"strings"

	"github.com/slipway-k8s/slipway/distro"
)

// Selection says what of a channel is built.
type Selection struct {
	// Components by name; none means all that belong to no group.
	Components []string
	// Groups are added to Components: csi-node.
	Groups []string
	// Boot selects what a cluster needs to boot, instead of Components.
	Boot bool
	// Platforms; none means all of the channel's.
	Platforms []distro.Platform
}

// Plan is what a build will do: a value to look at before anything is compiled.
type Plan struct {
	Catalog   *distro.Catalog
	Channel   *distro.Channel
	Platforms []distro.Platform
	// Recipes are the components of the release, in build order.
	Recipes []*distro.Recipe
	// Steps are what is compiled, in order.
	Steps []Step
	// Whole says that this makes the channel's whole release.
	Whole bool
	// Suffix names a release that is not whole, such as "-linux-amd64"; it
	// stands at the end of the release's name and of its tags.
	Suffix string

	// without counts components that have nothing for the platforms.
	without int
}

// Step is one unit on one platform: what one go command compiles.
type Step struct {
	// Unit is the recipe whose lock, pin and stamp count.
	Unit     *distro.Recipe
	Platform distro.Platform
	Stamp    string
	Binaries []BinaryRef
}

// BinaryRef is a binary of a component.
type BinaryRef struct {
	Recipe *distro.Recipe
	Binary distro.Binary
}

// String is "kubernetes linux/amd64".
func (s Step) String() string { return s.Unit.Name + " " + s.Platform.String() }

// NewPlan resolves a selection. What the selected components need of others (a
// binary in an image, an image in a tarball) is compiled too, but is not part
// of the release. Errors are *distro.UnknownError for names and platforms that
// do not exist.
func NewPlan(cat *distro.Catalog, ch *distro.Channel, sel Selection) (*Plan, error) {
	p := &Plan{Catalog: cat, Channel: ch}
	if err := p.choosePlatforms(sel.Platforms); err != nil {
		return nil, err
	}
	if err := p.chooseRecipes(sel); err != nil {
		return nil, err
	}
	need, err := p.needs()
	if err != nil {
		return nil, err
	}
	if err := p.makeSteps(need); err != nil {
		return nil, err
	}
	p.name(sel)
	return p, nil
}

func (p *Plan) choosePlatforms(want []distro.Platform) error {
	if len(want) == 0 {
		want = p.Channel.Platforms
	}
	known := make([]string, len(p.Channel.Platforms))
	for i, q := range p.Channel.Platforms {
		known[i] = q.String()
	}
	seen := map[distro.Platform]bool{}
	for _, w := range want {
		ok := false
		for _, q := range p.Channel.Platforms {
			ok = ok || q == w
		}
		if !ok {
			return &distro.UnknownError{Kind: "platform", Name: w.String(), Known: append(known, "all")}
		}
		if !seen[w] {
			seen[w] = true
			p.Platforms = append(p.Platforms, w)
		}
	}
	distro.SortPlatforms(p.Platforms)
	return nil
}

func (p *Plan) chooseRecipes(sel Selection) error {
	chosen := map[string]bool{}
	for _, name := range sel.Components {
		r, err := p.Catalog.Recipe(name)
		if err != nil {
			return err
		}
		chosen[r.Name] = true
	}
	groups := map[string]bool{}
	for _, r := range p.Catalog.Recipes() {
		groups[r.Group] = true
	}
	for _, g := range sel.Groups {
		if g == "" || !groups[g] {
			delete(groups, "")
			return &distro.UnknownError{Kind: "group", Name: g, Known: sortedKeys(groups)}
		}
	}
	for _, r := range p.Catalog.Recipes() {
		switch {
		case r.Internal:
			continue
		case chosen[r.Name], sel.Boot && r.Boot, r.Group != "" && contains(sel.Groups, r.Group):
		case len(sel.Components) == 0 && !sel.Boot && r.Group == "":
		default:
			continue
		}
		switch {
		case p.hasSomething(r):
			p.Recipes = append(p.Recipes, r)
		case chosen[r.Name]:
			return fmt.Errorf("component %s: has nothing for %s", r.Name, joinPlatforms(p.Platforms))
		default:
			p.without++
		}
	}
	return nil
}

// hasSomething says whether a component has a file or an image for any of the
// plan's platforms.
func (p *Plan) hasSomething(r *distro.Recipe) bool {
	for _, q := range p.Platforms {
		if q.OS == "linux" && len(r.Images) > 0 {
			return true
		}
		for _, b := range r.Binaries {
			if b.Path != "" && b.On(q) {
				return true
			}
		}
		for _, a := range r.Archives {
			if a.On(q) {
				return true
			}
		}
	}
	return false
}

func joinPlatforms(ps []distro.Platform) string {
	names := make([]string, len(ps))
	for i, p := range ps {
		names[i] = p.String()
	}
	return strings.Join(names, ", ")
}

// needs collects what all components of the release need.
func (p *Plan) needs() (map[string]bool, error) {
	need := map[string]bool{}
	for _, r := range p.Recipes {
		if err := p.NeedsOf(r, need); err != nil {
			return nil, err
		}
	}
	return need, nil
}

// NeedsOf adds "component/binary" of everything that a component's files,
// archives and images hold.
func (p *Plan) NeedsOf(r *distro.Recipe, need map[string]bool) error {
	for _, b := range r.Binaries {
		need[r.Name+"/"+b.Name] = true
	}
	for _, img := range r.Images {
		if err := p.imageNeeds(r, img.Name, need); err != nil {
			return err
		}
	}
	for _, a := range r.Archives {
		for _, f := range a.Files {
			if f.Image != "" {
				if err := p.imageNeeds(r, f.Image, need); err != nil {
					return err
				}
				continue
			}
			c, n := r.Ref(f.Binary)
			need[c+"/"+n] = true
		}
	}
	return nil
}

func (p *Plan) imageNeeds(owner *distro.Recipe, ref string, need map[string]bool) error {
	r, img, err := p.Image(owner, ref)
	if err != nil {
		return err
	}
	for _, f := range img.Files {
		if f.Binary != "" {
			c, n := r.Ref(f.Binary)
			need[c+"/"+n] = true
		}
	}
	if img.Base == "" || img.Base == "minimal" || img.Base == "none" {
		return nil
	}
	return p.imageNeeds(r, img.Base, need)
}

// Image finds an image by a reference of a recipe: "name" or "component/name".
func (p *Plan) Image(owner *distro.Recipe, ref string) (*distro.Recipe, distro.Image, error) {
	component, name := owner.Ref(ref)
	r, err := p.Catalog.Recipe(component)
	if err != nil {
		return nil, distro.Image{}, err
	}
	img, ok := r.Image(name)
	if !ok {
		return nil, distro.Image{}, fmt.Errorf("%s.yaml: image %q: no recipe has it", owner.Name, ref)
	}
	return r, img, nil
}

// makeSteps orders by unit and then by platform, so that a component is whole,
// and can be published, as early as may be.
func (p *Plan) makeSteps(need map[string]bool) error {
	byUnit := map[string][]*distro.Recipe{}
	var units []string
	for _, r := range p.Catalog.Recipes() {
		if byUnit[r.Unit()] == nil {
			units = append(units, r.Unit())
		}
		byUnit[r.Unit()] = append(byUnit[r.Unit()], r)
	}
	for _, name := range units {
		unit, err := p.Catalog.Recipe(name)
		if err != nil {
			return err
		}
		for _, platform := range p.Platforms {
			step := Step{Unit: unit, Platform: platform}
			for _, r := range byUnit[name] {
				for _, b := range r.Binaries {
					if need[r.Name+"/"+b.Name] && b.On(platform) {
						step.Binaries = append(step.Binaries, BinaryRef{r, b})
					}
				}
			}
			if len(step.Binaries) == 0 {
				continue
			}
			if step.Stamp, err = p.stamp(unit); err != nil {
				return err
			}
			p.Steps = append(p.Steps, step)
		}
	}
	return nil
}

func (p *Plan) stamp(unit *distro.Recipe) (string, error) {
	if unit.Source.Programs {
		return "", nil
	}
	return p.Catalog.Stamp(p.Channel, unit.Name)
}

// name decides whether the release is whole, and else what it is called.
func (p *Plan) name(sel Selection) {
	var always int
	for _, r := range p.Catalog.Recipes() {
		if r.Group == "" && !r.Internal {
			always++
		}
	}
	var ungrouped int
	for _, r := range p.Recipes {
		if r.Group == "" {
			ungrouped++
		}
	}
	allComponents := ungrouped+p.without == always
	p.Whole = len(sel.Groups) == 0 && allComponents && len(p.Platforms) == len(p.Channel.Platforms)
	if p.Whole {
		return
	}
	if len(p.Platforms) < len(p.Channel.Platforms) {
		for _, q := range p.Platforms {
			p.Suffix += "-" + q.Dashed()
		}
	}
	if allComponents {
		for _, g := range sel.Groups {
			p.Suffix += "-" + g
		}
		return
	}
	if sel.Boot && len(sel.Components) == 0 && len(sel.Groups) == 0 {
		p.Suffix += "-boot"
		return
	}
	var names []string
	for _, r := range p.Recipes {
		names = append(names, r.Name)
	}
	joined := strings.Join(names, "-")
	if len(joined) > 40 { // a tag has at most 128 characters, a name 63 to a label
		sum := sha256.Sum256([]byte(joined))
		joined = fmt.Sprintf("%d-components-%s", len(names), hex.EncodeToString(sum[:3]))
	}
	p.Suffix += "-" + joined
}

// ReleaseName is the name of the release that the plan makes.
func (p *Plan) ReleaseName() string { return p.Channel.ReleaseName() + p.Suffix }

// Linux are the platforms that images are made for.
func (p *Plan) Linux() []distro.Platform {
	var linux []distro.Platform
	for _, q := range p.Platforms {
		if q.OS == "linux" {
			linux = append(linux, q)
		}
	}
	return linux
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
