package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/distro"
	"github.com/slipway-k8s/slipway/internal/cli"
)

type listFlags struct {
	on   string
	over distro.Overrides
}

func newListCommand() *cobra.Command {
	var f listFlags
	c := &cobra.Command{
		Use:   "list [CHANNEL]",
		Short: "List the channels with their support dates, or what one channel pins",
		Long: `List the channels: the release that each makes, its Kubernetes version and Go
toolchain, and whether it is still cared for. With a channel: its components.

Standard and extended are the ends of the EKS calendar's support, upstream is the
end of the Kubernetes project's. The release number is what "cut" sets.`,
		Example: `  slipway-release list
  slipway-release list --on 2027-08-01
  slipway-release list 1-36 -o json`,
		Args: cobra.MaximumNArgs(1),
	}
	format := cli.OutputFlag(c)
	c.Flags().StringVar(&f.on, "on", "", "`DAY` to judge support on, YYYY-MM-DD (default: today)")
	c.Flags().StringVar(&f.over.Channels, "channels", "", "channels folder of your own (default: the built-in channels)")
	c.Flags().StringVar(&f.over.Components, "recipes", "", "recipes folder (default: the built-in recipes)")
	c.RunE = func(c *cobra.Command, args []string) error {
		day, err := f.day()
		if err != nil {
			return err
		}
		cat, err := distro.Open(f.over)
		if err != nil {
			return cli.UsageError(err)
		}
		if len(args) == 1 {
			return listChannel(c.OutOrStdout(), *format, cat, args[0], day)
		}
		return listChannels(c.OutOrStdout(), *format, cat, day)
	}
	return c
}

func (f listFlags) day() (time.Time, error) {
	if f.on == "" {
		return time.Now(), nil
	}
	day, err := time.Parse(time.DateOnly, f.on)
	if err != nil {
		return day, cli.Usagef("--on %q: want a day as YYYY-MM-DD, such as 2027-08-01", f.on)
	}
	return day, nil
}

// listedChannel is a channel as list shows it.
type listedChannel struct {
	Channel    string         `json:"channel"`
	Release    string         `json:"release"`
	Date       string         `json:"date"`
	Kubernetes string         `json:"kubernetes"`
	Go         string         `json:"go"`
	Support    distro.Support `json:"support"`
	// State is "standard", "extended" or "ended" on Day.
	State string `json:"state"`
	Day   string `json:"day"`
	// Standing says State in words, with the dates that matter.
	Standing string `json:"standing"`
}

func listed(ch *distro.Channel, day time.Time) listedChannel {
	return listedChannel{
		Channel: ch.Name, Release: ch.ReleaseName(), Date: ch.Release.Date,
		Kubernetes: ch.Components["kubernetes"].Version, Go: ch.Go, Support: ch.Support,
		State: ch.Support.State(day), Day: day.UTC().Format(time.DateOnly), Standing: standing(ch.Support, day),
	}
}

// standing says plainly how long a channel is, or was, cared for.
func standing(s distro.Support, day time.Time) string {
	switch s.State(day) {
	case "standard":
		return "supported until " + s.StandardEnd
	case "extended":
		return fmt.Sprintf("standard support ended %s, extended until %s", s.StandardEnd, s.ExtendedEnd)
	default:
		return fmt.Sprintf("all support ended %s: move to a newer channel", s.ExtendedEnd)
	}
}

func listChannels(out io.Writer, format cli.Format, cat *distro.Catalog, day time.Time) error {
	names, err := cat.ChannelNames()
	if err != nil {
		return cli.UsageError(err)
	}
	var list []listedChannel
	for _, name := range names {
		ch, err := cat.Channel(name)
		if err != nil {
			return cli.UsageError(err)
		}
		list = append(list, listed(ch, day))
	}
	return cli.Print(out, format, list, func(w io.Writer) error { return channelsText(w, list) })
}

func channelsText(w io.Writer, list []listedChannel) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CHANNEL\tRELEASE\tKUBERNETES\tGO\tSTANDARD\tEXTENDED\tUPSTREAM\tSUPPORT")
	for _, c := range list {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", c.Channel, c.Release, c.Kubernetes, c.Go,
			c.Support.StandardEnd, c.Support.ExtendedEnd, c.Support.UpstreamEnd, c.Standing)
	}
	return t.Flush()
}
