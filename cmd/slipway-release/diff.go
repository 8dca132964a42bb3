package main

import (
	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/distro/fetch"
	"github.com/slipway-k8s/slipway/distro/release"
	"github.com/slipway-k8s/slipway/internal/cli"
)

func newDiffCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "diff FROM TO",
		Short: "Show how two releases differ",
		Long: `Show how the release manifest TO differs from FROM: components, their versions,
images by digest, files by checksum, and what was added or is gone. Where they
are kept does not count. The exit code is 0 also when they differ.`,
		Example: `  slipway-release diff kubernetes-1-36-slipway-1.yaml kubernetes-1-36-slipway-2.yaml
  slipway-release diff -o json old.yaml new.yaml | jq .images`,
		Args: cobra.ExactArgs(2),
	}
	format := cli.OutputFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		from, _, err := fetch.Release(c.Context(), args[0])
		if err != nil {
			return err
		}
		to, _, err := fetch.Release(c.Context(), args[1])
		if err != nil {
			return err
		}
		changes := release.Diff(from, to)
		return cli.Print(c.OutOrStdout(), *format, changes, changes.WriteText)
	}
	return c
}
