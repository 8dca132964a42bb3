// Command slipway-release shows, checks and rewrites releases, and changes what
// the channels pin.
package main

import (
	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/internal/cli"
)

func main() { cli.Main(newRoot()) }

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "slipway-release",
		Short: "Show, check, compare and rewrite releases, and change what channels pin",
		Long: `slipway-release works on release manifests (distro.eks.amazonaws.com/v1alpha1),
Slipway's and EKS Distro's alike.

A MANIFEST is a path or an https://, http://, s3:// or file:// URL, with
?checksum=sha256:<hex> at its end if its content is known.

list, bump, cut and debian work on channels: what a build of each pins.`,
		Example: `  slipway-release list
  slipway-release show out/kubernetes-1-36/kubernetes-1-36-slipway-1.yaml
  slipway-release lint https://distro.eks.amazonaws.com/kubernetes-1-33/kubernetes-1-33-eks-20.yaml`,
	}
	root.AddCommand(
		newListCommand(),
		newShowCommand(),
		newLintCommand(),
		newDiffCommand(),
		newRenderCommand(),
		newCRDsCommand(),
		newBumpCommand(),
		newCutCommand(),
		newDebianCommand(),
	)
	return root
}
