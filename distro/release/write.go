package release

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"sigs.k8s.io/yaml"
)

// Write writes r as YAML in a stable order: keys by name, components by name,
// assets by name, architectures by name. Equal releases give equal bytes
// whatever order they were put together in; r is not changed. EKS Distro's own
// files come in random order.
func Write(w io.Writer, r *Release) error {
	sorted := r.DeepCopy()
	Sort(sorted)
	return writeYAML(w, sorted)
}

// WriteChannel writes c as YAML with keys by name.
func WriteChannel(w io.Writer, c *ReleaseChannel) error { return writeYAML(w, c) }

// Sort puts components, their assets and the assets' architectures in the order
// that Write writes. Of components or assets with one name, which Validate
// reports, the order is that of their JSON.
func Sort(r *Release) {
	for i := range r.Status.Components {
		assets := r.Status.Components[i].Assets
		for j := range assets {
			slices.Sort(assets[j].Arch)
		}
		sortBy(assets, func(a Asset) string { return a.Name })
	}
	sortBy(r.Status.Components, func(c Component) string { return c.Name })
}

func sortBy[T any](items []T, name func(T) string) {
	slices.SortStableFunc(items, func(a, b T) int {
		if c := cmp.Compare(name(a), name(b)); c != 0 {
			return c
		}
		return cmp.Compare(asJSON(a), asJSON(b))
	})
}

// asJSON is for ordering only: these types hold nothing that JSON cannot.
func asJSON(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

func writeYAML(w io.Writer, v any) error {
	b, err := yaml.Marshal(v)
	if err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	_, err = w.Write(b)
	return err
}
