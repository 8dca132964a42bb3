package publish

import (
	"fmt"
	"slices"

	"github.com/slipway-k8s/slipway/builder"
	"github.com/slipway-k8s/slipway/distro"
	"github.com/slipway-k8s/slipway/distro/release"
)

// planOf finds the plan that makes the published release. A release says in its
// name what it is; the record says of which components and platforms.
func planOf(cat *distro.Catalog, pub *published) (*builder.Plan, error) {
	fail := func(err error) (*builder.Plan, error) {
		return nil, fmt.Errorf("release %s: %w", pub.release.Name, err)
	}
	id, err := release.ParseName(pub.release.Name)
	if err != nil {
		return nil, err
	}
	ch, err := cat.Channel(id.Channel)
	if err != nil {
		return fail(err)
	}
	var platforms []distro.Platform
	for _, s := range pub.record.Platforms {
		p, err := distro.ParsePlatform(s)
		if err != nil {
			return fail(fmt.Errorf("record: platforms: %w", err))
		}
		platforms = append(platforms, p)
	}
	makes := ""
	for _, sel := range selections(cat, pub.record) {
		sel.Platforms = platforms
		p, err := builder.NewPlan(cat, ch, sel)
		if err != nil {
			return fail(err)
		}
		if p.ReleaseName() == pub.release.Name && sameComponents(p, pub.record) {
			return p, nil
		}
		if makes == "" {
			makes = p.ReleaseName()
		}
	}
	return fail(fmt.Errorf("this Slipway pins another release: of the same components and platforms it makes %s: take the Slipway that made the release, or its channels folder with --channels", makes))
}

// selections are those that may have made a record: what a selection is made of
// decides the name of a partial release, and the record has only its outcome.
func selections(cat *distro.Catalog, rec *release.Record) []builder.Selection {
	var names, groups []string
	for _, c := range rec.Components {
		names = append(names, c.Name)
		if r, err := cat.Recipe(c.Name); err == nil && r.Group != "" && !slices.Contains(groups, r.Group) {
			groups = append(groups, r.Group)
		}
	}
	return []builder.Selection{{Components: names}, {Groups: groups}, {Boot: true}}
}

func sameComponents(p *builder.Plan, rec *release.Record) bool {
	for _, r := range p.Recipes {
		if rec.Component(r.Name) == nil {
			return false
		}
	}
	return len(p.Recipes) == len(rec.Components)
}

// limitPlan leaves only some components of a plan. It keeps the release's name:
// that is part of tags, paths and image tars.
func limitPlan(p *builder.Plan, components []string) (*builder.Plan, error) {
	if len(components) == 0 {
		return p, nil
	}
	var has []string
	for _, r := range p.Recipes {
		has = append(has, r.Name)
	}
	for _, name := range components {
		if !slices.Contains(has, name) {
			return nil, fmt.Errorf("release %s: %w", p.ReleaseName(), &distro.UnknownError{Kind: "component", Name: name, Known: has})
		}
	}
	limited, err := builder.NewPlan(p.Catalog, p.Channel, builder.Selection{Components: components, Platforms: p.Platforms})
	if err != nil {
		return nil, err
	}
	limited.Whole, limited.Suffix = p.Whole, p.Suffix
	return limited, nil
}
