package debian

import (
	"fmt"
	"sort"
)

// candidate is a package that a suite offers.
type candidate struct {
	Package
	priority string
	depends  []dependency // Pre-Depends and Depends
	provides []relation
}

// pool is everything the suites offer for one architecture, indexes of all
// suites together. Of each name only the newest version is a candidate.
type pool struct {
	arch      string
	newest    map[string]*candidate
	providers map[string][]*candidate // by virtual name; made by index
}

func newPool(arch string) *pool { return &pool{arch: arch, newest: map[string]*candidate{}} }

// add takes a stanza of a Packages index.
func (p *pool) add(archive string, s Stanza) error {
	c, err := newCandidate(archive, s)
	if err != nil {
		return err
	}
	if c.Architecture != p.arch && c.Architecture != "all" {
		return fmt.Errorf("%s is in the index for %s", c.Package, p.arch)
	}
	if old := p.newest[c.Name]; old == nil || CompareVersions(c.Version, old.Version) > 0 {
		p.newest[c.Name] = c
	}
	return nil
}

func newCandidate(archive string, s Stanza) (*candidate, error) {
	c := &candidate{priority: s["Priority"], Package: Package{
		Name: s["Package"], Version: s["Version"], Architecture: s["Architecture"],
		Archive: archive, Path: s["Filename"], SHA256: s["SHA256"],
	}}
	if _, err := fmt.Sscan(s["Size"], &c.Size); err != nil {
		return nil, fmt.Errorf("package %q: size %q: %w", c.Name, s["Size"], err)
	}
	for _, field := range []string{"Pre-Depends", "Depends"} {
		d, err := parseDependencies(s[field])
		if err != nil {
			return nil, fmt.Errorf("package %s: %s: %w", c.Name, field, err)
		}
		c.depends = append(c.depends, d...)
	}
	provides, err := parseDependencies(s["Provides"])
	if err != nil {
		return nil, fmt.Errorf("package %s: Provides: %w", c.Name, err)
	}
	for _, d := range provides {
		c.provides = append(c.provides, d[0])
	}
	return c, nil
}

// index sorts the providers of each virtual name: what a Debian system has
// anyway first, then by name, so that the choice is the same on each run.
func (p *pool) index() {
	rank := map[string]int{"required": 1, "important": 2, "standard": 3}
	of := func(c *candidate) int {
		if r := rank[c.priority]; r > 0 {
			return r
		}
		return 4
	}
	p.providers = map[string][]*candidate{}
	for _, c := range p.newest {
		for _, v := range c.provides {
			p.providers[v.name] = append(p.providers[v.name], c)
		}
	}
	for _, list := range p.providers {
		sort.Slice(list, func(i, j int) bool {
			if x, y := of(list[i]), of(list[j]); x != y {
				return x < y
			}
			return list[i].Name < list[j].Name
		})
	}
}

// closure is the roots and all they depend on, sorted by name. Of alternatives
// it takes the first that can be had, unless another is chosen already.
// Recommended packages are left out.
func (p *pool) closure(roots, omit []string) ([]Package, error) {
	p.index()
	omitted := map[string]bool{}
	for _, name := range omit {
		omitted[name] = true
	}
	chosen := map[string]*candidate{}
	var queue []*candidate
	choose := func(c *candidate) {
		if chosen[c.Name] == nil {
			chosen[c.Name] = c
			queue = append(queue, c)
		}
	}
	for _, name := range roots {
		c := p.newest[name]
		if c == nil {
			return nil, fmt.Errorf("there is no package %s for %s", name, p.arch)
		}
		choose(c)
	}
	for len(queue) > 0 {
		c := queue[0]
		queue = queue[1:]
		for _, d := range c.depends {
			found, err := p.satisfy(d, chosen, omitted)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.Package, err)
			}
			if found != nil {
				choose(found)
			}
		}
	}
	all := make([]Package, 0, len(chosen))
	for _, c := range chosen {
		all = append(all, c.Package)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all, nil
}

// satisfy returns the package to add for d, nil when nothing is to be added.
func (p *pool) satisfy(d dependency, chosen map[string]*candidate, omitted map[string]bool) (*candidate, error) {
	for _, r := range d {
		if omitted[r.name] {
			return nil, nil
		}
		if c := chosen[r.name]; c != nil && r.allows(c.Version) {
			return nil, nil
		}
		for _, c := range p.providers[r.name] {
			if chosen[c.Name] != nil && c.offers(r) {
				return nil, nil
			}
		}
	}
	for _, r := range d {
		if c := p.newest[r.name]; c != nil && r.allows(c.Version) {
			return c, nil
		}
		for _, c := range p.providers[r.name] {
			if !omitted[c.Name] && c.offers(r) {
				return c, nil
			}
		}
	}
	return nil, fmt.Errorf("needs %s, which no suite has for %s", d, p.arch)
}

// offers says whether c provides r. A dependency on a version is satisfied only
// by a Provides that states one (Debian policy 7.5).
func (c *candidate) offers(r relation) bool {
	for _, v := range c.provides {
		if v.name == r.name && (r.op == "" || v.op == "=" && r.allows(v.version)) {
			return true
		}
	}
	return false
}
