package main

import (
	"cmp"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/distro/fetch"
	"github.com/slipway-k8s/slipway/distro/release"
	"github.com/slipway-k8s/slipway/internal/cli"
)

func newShowCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "show MANIFEST",
		Short: "Show what is in a release",
		Long: `Show a release: its components with their versions, and its images with their
digests. With -o json or yaml: the whole manifest in its canonical order.`,
		Example: `  slipway-release show out/kubernetes-1-36/kubernetes-1-36-slipway-1.yaml
  slipway-release show -o json release.yaml | jq -r '.status.components[].name'`,
		Args: cobra.ExactArgs(1),
	}
	format := cli.OutputFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		r, _, err := fetch.Release(c.Context(), args[0])
		if err != nil {
			return err
		}
		release.Sort(r)
		return cli.Print(c.OutOrStdout(), *format, r, func(w io.Writer) error { return showText(w, r) })
	}
	return c
}

func showText(w io.Writer, r *release.Release) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "Release:\t%s%s\n", r.Name, partialNote(r))
	fmt.Fprintf(tw, "Channel:\t%s\n", r.Spec.Channel)
	fmt.Fprintf(tw, "Number:\t%d\n", r.Spec.Number)
	fmt.Fprintf(tw, "Date:\t%s\n", cmp.Or(r.Status.Date, "none"))
	if record := r.Annotations[release.AnnotationRecordSHA256]; record != "" {
		fmt.Fprintf(tw, "Record:\tsha256:%s\n", record)
	}
	fmt.Fprintln(tw, "\nCOMPONENT\tVERSION\tCOMMIT\tIMAGES\tFILES")
	for _, c := range r.Status.Components {
		images := 0
		for _, a := range c.Assets {
			if a.Image != nil {
				images++
			}
		}
		fmt.Fprintf(tw, "%s\t%s\t%.7s\t%d\t%d\n", c.Name, cmp.Or(c.GitTag, "none"), cmp.Or(c.GitCommit, "none"), images, len(c.Assets)-images)
	}
	fmt.Fprintln(tw, "\nIMAGE\tDIGEST")
	for _, c := range r.Status.Components {
		for _, a := range c.Assets {
			if a.Image != nil {
				fmt.Fprintf(tw, "%s\t%s\n", a.Image.URI, cmp.Or(a.Image.ImageDigest, "none"))
			}
		}
	}
	return tw.Flush()
}

func partialNote(r *release.Release) string {
	if r.Partial() {
		return " (partial: not all components and platforms of the channel)"
	}
	return ""
}
