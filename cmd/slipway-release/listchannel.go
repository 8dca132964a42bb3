package main

import (
	"cmp"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/slipway-k8s/slipway/distro"
	"github.com/slipway-k8s/slipway/internal/cli"
)

// channelDetail is one channel as "list CHANNEL" shows it.
type channelDetail struct {
	listedChannel `json:",inline"`
	Platforms     []string          `json:"platforms"`
	Components    []listedComponent `json:"components"`
	// Floors is how many lowest versions of modules the channel sets.
	Floors int `json:"floors"`
}

type listedComponent struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	// Stamp is what the binaries say of themselves.
	Stamp string `json:"stamp"`
	// Modules is how many modules the lock pins; 0 where there is none.
	Modules int `json:"modules"`
	// Floors is how many of the channel's floors are meant for this component.
	Floors int    `json:"floors"`
	Group  string `json:"group,omitempty"`
}

func listChannel(out io.Writer, format cli.Format, cat *distro.Catalog, name string, day time.Time) error {
	ch, err := cat.Channel(name)
	if err != nil {
		return cli.UsageError(err)
	}
	d := channelDetail{listedChannel: listed(ch, day), Floors: len(ch.Floors)}
	for _, p := range ch.Platforms {
		d.Platforms = append(d.Platforms, p.String())
	}
	for _, r := range cat.Recipes() {
		if r.Internal {
			continue
		}
		c, err := listComponent(cat, ch, r)
		if err != nil {
			return err
		}
		d.Components = append(d.Components, c)
	}
	return cli.Print(out, format, d, d.text)
}

func listComponent(cat *distro.Catalog, ch *distro.Channel, r *distro.Recipe) (listedComponent, error) {
	stamp, err := cat.Stamp(ch, r.Unit())
	if err != nil {
		return listedComponent{}, err
	}
	pin := ch.Components[r.Unit()]
	c := listedComponent{Name: r.Name, Version: pin.Version, Commit: pin.Commit, Stamp: stamp, Group: r.Group}
	lock, err := ch.Lock(r.Unit())
	if err != nil {
		return c, nil // no Go modules: nothing that a floor could raise
	}
	c.Modules = lock.Modules()
	for _, f := range ch.Floors {
		if f.AppliesTo(r.Unit()) {
			c.Floors++
		}
	}
	return c, nil
}

func (d channelDetail) text(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "Channel:\t%s (%s)\n", d.Channel, d.Standing)
	fmt.Fprintf(t, "Release:\t%s of %s\n", d.Release, d.Date)
	fmt.Fprintf(t, "Go:\t%s\n", d.Go)
	fmt.Fprintf(t, "Floors:\t%d\n", d.Floors)
	fmt.Fprintln(t, "\nCOMPONENT\tVERSION\tCOMMIT\tSTAMP\tMODULES\tGROUP")
	for _, c := range d.Components {
		fmt.Fprintf(t, "%s\t%s\t%.7s\t%s\t%d\t%s\n", c.Name, c.Version, cmp.Or(c.Commit, "none"), c.Stamp, c.Modules, cmp.Or(c.Group, "-"))
	}
	return t.Flush()
}
