package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/builder/relock"
	"github.com/slipway-k8s/slipway/distro"
	"github.com/slipway-k8s/slipway/internal/cli"
	"github.com/spf13/cobra"
	"golang.org/x/mod/semver"
)

type bumpFlags struct {
	channel, channels, components string
	only                          []string
	reason                        string
	relock                        bool
}

func newBumpCommand() *cobra.Command {
	var f bumpFlags
	c := &cobra.Command{
		Use:   "bump [COMPONENT@VERSION | MODULE@VERSION]...",
		Short: "Raise a component, or a module inside the locks, and make the locks anew",
		Long: `Raise what a channel pins, in a checkout's channels folder.

COMPONENT@VERSION moves a component to another upstream tag. MODULE@VERSION with
--reason adds a floor: every lock of the channel that has the module (or those of
--component) gets at least that version. The go command does the arithmetic, with
the checksum database on. The release number is never touched: see "cut".`,
		Example: `  slipway-release bump --channel 1-36 etcd@v3.6.11
  slipway-release bump --channel 1-36 golang.org/x/net@v0.60.0 --reason CVE-2026-0001
  slipway-release bump --channel 1-36 --component coredns github.com/quic-go/quic-go@v0.60.0 --reason CVE-2026-0002
  slipway-release bump --channel 1-36 --relock`,
		RunE: func(c *cobra.Command, args []string) error {
			return runBump(c.Context(), c.OutOrStdout(), c.ErrOrStderr(), f, args)
		},
	}
	c.Flags().StringVar(&f.channel, "channel", "", "channel to change (default: the newest)")
	c.Flags().StringVar(&f.channels, "channels", "distro/channels", "channels folder to write to")
	c.Flags().StringVar(&f.components, "recipes", "", "recipes folder (default: the built-in recipes)")
	c.Flags().StringSliceVar(&f.only, "component", nil, "components whose locks the floor is for, or that --relock makes anew (default: all)")
	c.Flags().StringVar(&f.reason, "reason", "", "why a module is raised, such as a CVE")
	c.Flags().BoolVar(&f.relock, "relock", false, "make the locks anew although nothing was raised")
	return c
}

func runBump(ctx context.Context, out, log io.Writer, f bumpFlags, args []string) error {
	if len(args) == 0 && !f.relock {
		return cli.Usagef("nothing to raise: name COMPONENT@VERSION or MODULE@VERSION, or give --relock")
	}
	over := distro.Overrides{Channels: f.channels, Components: f.components}
	cat, ch, err := openChannel(over, f.channel)
	if err != nil {
		return err
	}
	file, err := relock.Open(f.channels, ch.Name)
	if err != nil {
		return err
	}
	touched, err := applyBumps(file, cat, ch, f, args)
	if err != nil {
		return err
	}
	return relockAll(ctx, out, log, file, cat, ch, f, touched)
}

func openChannel(over distro.Overrides, name string) (*distro.Catalog, *distro.Channel, error) {
	cat, err := distro.Open(over)
	if err != nil {
		return nil, nil, cli.UsageError(err)
	}
	ch, err := cat.Channel(name)
	if err != nil {
		return nil, nil, cli.UsageError(err)
	}
	return cat, ch, nil
}

// applyBumps changes the file and the channel in memory. It returns the
// components whose locks have to be made anew; nil means all.
func applyBumps(file *relock.File, cat *distro.Catalog, ch *distro.Channel, f bumpFlags, args []string) (map[string]bool, error) {
	touched := map[string]bool{}
	for _, name := range f.only {
		if _, err := cat.Recipe(name); err != nil {
			return nil, cli.UsageError(err)
		}
		touched[name] = true
	}
	all := len(f.only) == 0 && f.relock
	for _, arg := range args {
		name, version, ok := strings.Cut(arg, "@")
		if !ok || !semver.IsValid(version) {
			return nil, cli.Usagef("%q: want COMPONENT@VERSION or MODULE@VERSION, with a version such as v1.2.3", arg)
		}
		if pin, ok := ch.Components[name]; ok {
			if err := bumpable(cat, name); err != nil {
				return nil, err
			}
			pin.Version = version
			ch.Components[name] = pin
			touched[name] = true
			continue
		}
		if f.reason == "" {
			return nil, cli.Usagef("%s: a module is raised for a reason: give --reason, such as a CVE (there is no component %q)", arg, name)
		}
		if old := highestFloor(ch, name, f.only); semver.Compare(version, old) < 0 {
			return nil, cli.Usagef("%s: the channel's floor is %s already: a bump does not go down; edit floors in channel.yaml if that is meant", arg, old)
		}
		fl := distro.Floor{Module: name, Version: version, Reason: f.reason, Components: f.only}
		ch.Floors = append(ch.Floors, fl)
		file.SetFloor(fl)
		all = all || len(f.only) == 0
	}
	if all {
		return nil, nil
	}
	return touched, nil
}

// bumpable refuses components that no module lock pins.
func bumpable(cat *distro.Catalog, name string) error {
	r, err := cat.Recipe(name)
	switch {
	case err != nil:
		return cli.UsageError(err)
	case r.Source.Archive != "":
		return cli.Usagef("%s: its source is an archive: change version, commit and sha256 together in channel.yaml", name)
	case r.Source.Debian != "":
		return cli.Usagef("%s: its source is Debian: run slipway-release debian --refresh, then set the version in channel.yaml", name)
	}
	return nil
}

// highestFloor is the floor of a module for the same components; "" for none.
func highestFloor(ch *distro.Channel, module string, components []string) string {
	high := ""
	for _, fl := range ch.Floors {
		if fl.Module == module && slices.Equal(fl.Components, components) && semver.Compare(fl.Version, high) > 0 {
			high = fl.Version
		}
	}
	return high
}

// relockAll makes every lock before it writes anything, so that a failure
// leaves the folder as it was.
func relockAll(ctx context.Context, out, log io.Writer, file *relock.File, cat *distro.Catalog, ch *distro.Channel, f bumpFlags, touched map[string]bool) error {
	maker := &relock.Maker{}
	results := map[string]*relock.Result{}
	for _, r := range cat.Recipes() {
		if len(r.Source.Modules) == 0 || (touched != nil && !touched[r.Name]) {
			continue
		}
		fmt.Fprintf(log, "locking %s %s\n", r.Name, ch.Components[r.Name].Version)
		res, err := maker.Lock(ctx, cat, ch, r)
		if err != nil {
			return err
		}
		results[r.Name] = res
	}
	for _, r := range cat.Recipes() {
		pin, pinned := ch.Components[r.Name]
		if !pinned || (touched != nil && !touched[r.Name]) {
			continue
		}
		commit := pin.Commit
		if res := results[r.Name]; res != nil {
			commit = res.Commit
			if err := relock.SaveLock(f.channels, ch.Name, r.Name, res.Lock); err != nil {
				return err
			}
			fmt.Fprintf(out, "%s %s: %d modules at a floor\n", r.Name, pin.Version, len(res.Raised))
		}
		if err := file.SetPin(r.Name, pin.Version, commit); err != nil {
			return err
		}
	}
	return file.Save()
}
