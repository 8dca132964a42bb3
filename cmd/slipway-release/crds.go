package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/distro/release"
	"github.com/slipway-k8s/slipway/internal/atomicfile"
)

func newCRDsCommand() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "crds",
		Short: "Print the custom resource definitions of releases",
		Long: `Print the custom resource definitions of Release and ReleaseChannel, or write
them to a folder, one file each. They are those of EKS Distro: a cluster that has
these needs no change.`,
		Example: `  slipway-release crds | kubectl apply -f -
  slipway-release crds --dir out/crds`,
		Args: cobra.NoArgs,
	}
	c.Flags().StringVar(&dir, "dir", "", "`FOLDER` to write the files to; made if it is not there (default: standard output)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if dir != "" {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return err
			}
		}
		crds := release.CRDs()
		return fs.WalkDir(crds, ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := fs.ReadFile(crds, name)
			if err != nil {
				return err
			}
			if dir != "" {
				return atomicfile.Write(filepath.Join(dir, name), b, 0o644)
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s", b)
			return err
		})
	}
	return c
}
