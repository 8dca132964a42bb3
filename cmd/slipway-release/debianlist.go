package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/slipway-k8s/slipway/builder/debian"
)

// listedPackage is a package of a set with its architectures.
type listedPackage struct {
	Set     string `json:"set"`
	Package string `json:"package"`
	Version string `json:"version"`
	// Architectures that the set has it for at this version.
	Architectures []string `json:"architectures"`
	Archive       string   `json:"archive"`
}

// listPackages lists sets in the lock's order, packages by name.
func listPackages(lock *debian.Lock) []listedPackage {
	var list []listedPackage
	for _, set := range lock.Sets {
		var some []listedPackage
		for _, arch := range lock.Architectures {
			packages, err := lock.PackagesOf(set.Name, arch)
			if err != nil {
				continue // ReadLock made sure that there is none
			}
			for _, p := range packages {
				some = addArchitecture(some, listedPackage{set.Name, p.Name, p.Version, []string{arch}, p.Archive})
			}
		}
		slices.SortStableFunc(some, func(a, b listedPackage) int { return cmp.Compare(a.Package, b.Package) })
		list = append(list, some...)
	}
	return list
}

// addArchitecture adds to a package that is listed, or lists it.
func addArchitecture(list []listedPackage, p listedPackage) []listedPackage {
	for i, have := range list {
		if have.Package == p.Package && have.Version == p.Version {
			list[i].Architectures = append(list[i].Architectures, p.Architectures...)
			return list
		}
	}
	return append(list, p)
}

func packagesText(w io.Writer, lock *debian.Lock, list []listedPackage) error {
	fmt.Fprintf(w, "Debian %s as of %s\n\n", lock.Suite, lock.Snapshot)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SET\tPACKAGE\tVERSION\tARCHITECTURES\tARCHIVE")
	for _, p := range list {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", p.Set, p.Package, p.Version, strings.Join(p.Architectures, ","), p.Archive)
	}
	return t.Flush()
}

// packageChange is what a refresh changed of a package; From is empty for one
// that was added, To for one that is gone.
type packageChange struct {
	Package      string `json:"package"`
	Architecture string `json:"architecture"`
	From         string `json:"from,omitempty"`
	To           string `json:"to,omitempty"`
	// Rebuilt: the version is the same and the file is not.
	Rebuilt bool `json:"rebuilt,omitempty"`
}

func comparePackages(before, after *debian.Lock) []packageChange {
	changes := map[string]*packageChange{}
	sums := map[string]string{}
	for _, p := range before.Packages {
		key := p.Name + " " + p.Architecture
		changes[key] = &packageChange{Package: p.Name, Architecture: p.Architecture, From: p.Version}
		sums[key] = p.SHA256
	}
	for _, p := range after.Packages {
		key := p.Name + " " + p.Architecture
		if changes[key] == nil {
			changes[key] = &packageChange{Package: p.Name, Architecture: p.Architecture}
		}
		c := changes[key]
		c.To, c.Rebuilt = p.Version, c.From == p.Version && sums[key] != p.SHA256
	}
	list := []packageChange{} // not nil: JSON has an empty list
	for _, c := range changes {
		if c.From != c.To || c.Rebuilt {
			list = append(list, *c)
		}
	}
	slices.SortFunc(list, func(a, b packageChange) int {
		return cmp.Compare(a.Package+" "+a.Architecture, b.Package+" "+b.Architecture)
	})
	return list
}

func changesText(w io.Writer, place string, changes []packageChange) error {
	if len(changes) == 0 {
		_, err := fmt.Fprintf(w, "%s: all packages are the newest; nothing was written\n", place)
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "PACKAGE\tARCHITECTURE\tFROM\tTO")
	for _, c := range changes {
		note := ""
		if c.Rebuilt {
			note = " (another file)"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s%s\n", c.Package, c.Architecture, cmp.Or(c.From, "none"), cmp.Or(c.To, "none"), note)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s: %s changed\n", place, count(len(changes), "package"))
	return err
}
