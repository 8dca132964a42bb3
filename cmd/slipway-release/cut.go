package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/builder/relock"
	"github.com/slipway-k8s/slipway/distro"
	"github.com/slipway-k8s/slipway/internal/cli"
)

type cutFlags struct {
	channel, channels, components string
	date                          string
	number                        int
}

func newCutCommand() *cobra.Command {
	var f cutFlags
	c := &cobra.Command{
		Use:   "cut",
		Short: "Set a channel's next release number and its date",
		Long: `Set the release number and date that the next build of a channel carries, in a
checkout's channels folder. Nothing else changes there, comments included.

The date is given, never read from the clock: the release is the same wherever
and whenever it is built. No binary holds the number, so a component that did not
change stays the same to the byte.`,
		Example: `  slipway-release cut --channel 1-36 --date 2026-12-01T00:00:00Z
  slipway-release cut --channel 1-36 --date 2026-12-01T00:00:00Z --number 7`,
		Args: cobra.NoArgs,
	}
	c.Flags().StringVar(&f.channel, "channel", "", "channel to change (default: the newest)")
	c.Flags().StringVar(&f.date, "date", "", "the release's date, RFC 3339, such as 2026-12-01T00:00:00Z (required)")
	c.Flags().IntVar(&f.number, "number", 0, "the release's number (default: one more than now)")
	c.Flags().StringVar(&f.channels, "channels", "distro/channels", "channels folder to write to")
	c.Flags().StringVar(&f.components, "recipes", "", "recipes folder (default: the built-in recipes)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if !c.Flags().Changed("number") {
			f.number = -1
		}
		return runCut(c.OutOrStdout(), f)
	}
	return c
}

// runCut changes the channel; a negative number means the next one.
func runCut(out io.Writer, f cutFlags) error {
	_, ch, err := openChannel(distro.Overrides{Channels: f.channels, Components: f.components}, f.channel)
	if err != nil {
		return err
	}
	next, err := nextRelease(ch, f)
	if err != nil {
		return err
	}
	file, err := relock.Open(f.channels, ch.Name)
	if err != nil {
		return err
	}
	if err := file.SetRelease(next.Number, next.Date); err != nil {
		return err
	}
	if err := file.Save(); err != nil {
		return err
	}
	before := ch.Release
	ch.Release = next
	_, err = fmt.Fprintf(out, "channel %s: release %d (%s) -> %d (%s): builds are %s now\n",
		ch.Name, before.Number, before.Date, next.Number, next.Date, ch.ReleaseName())
	return err
}

func nextRelease(ch *distro.Channel, f cutFlags) (distro.ReleasePin, error) {
	none := distro.ReleasePin{}
	if f.date == "" {
		return none, cli.Usagef("--date is missing: give the release's date, such as 2026-12-01T00:00:00Z; it is never read from the clock")
	}
	date, err := time.Parse(time.RFC3339, f.date)
	if err != nil {
		return none, cli.Usagef("--date %q: want RFC 3339, such as 2026-12-01T00:00:00Z", f.date)
	}
	before, err := ch.Date()
	if err != nil {
		return none, err
	}
	if date.Before(before) {
		return none, cli.Usagef("--date %s: is before that of release %d, %s: releases go forward in time", f.date, ch.Release.Number, ch.Release.Date)
	}
	number := f.number
	if number < 0 {
		number = ch.Release.Number + 1
	}
	if number <= ch.Release.Number {
		return none, cli.Usagef("--number %d: channel %s is at release %d: give a greater one, or leave it out for %d",
			number, ch.Name, ch.Release.Number, ch.Release.Number+1)
	}
	return distro.ReleasePin{Number: number, Date: date.UTC().Format(time.RFC3339)}, nil
}
