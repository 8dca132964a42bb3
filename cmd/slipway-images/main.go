// Command slipway-images serves and lists the images of an output tree.
package main

import (
	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/internal/cli"
)

func main() { cli.Main(newRoot()) }

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "slipway-images",
		Short: "Serve and list the images that slipway-build made",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.AddCommand(newServe(), newList())
	return root
}
