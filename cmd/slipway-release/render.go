package main

import (
	"bytes"
	"errors"

	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/distro/fetch"
	"github.com/slipway-k8s/slipway/distro/release"
	"github.com/slipway-k8s/slipway/internal/atomicfile"
	"github.com/slipway-k8s/slipway/internal/cli"
)

func newRenderCommand() *cobra.Command {
	var registry, baseURL, out string
	c := &cobra.Command{
		Use:   "render MANIFEST",
		Short: "Rewrite the addresses in a release",
		Long: `Write a release manifest with its images in another registry and its files under
another base URL. Digests, checksums and tags stay as they are, so nothing needs
to be built again. A release that was mirrored keeps its record: put the .record.json
beside the new manifest, under the manifest's name.`,
		Example: `  slipway-release render kubernetes-1-36-slipway-1.yaml \
    --registry registry.example.com/distro --base-url https://files.example.com/distro \
    -O mirrored/kubernetes-1-36-slipway-1.yaml`,
		Args: cobra.ExactArgs(1),
	}
	c.Flags().StringVar(&registry, "registry", "", "registry and prefix of the images, `HOST[:PORT][/PREFIX]` (default: as they are)")
	c.Flags().StringVar(&baseURL, "base-url", "", "`URL` that the files are under (default: as they are)")
	c.Flags().StringVarP(&out, "output-file", "O", "", "`FILE` to write (default: standard output)")
	c.RunE = func(c *cobra.Command, args []string) error {
		if registry == "" && baseURL == "" {
			return cli.Usagef("nothing to rewrite: give --registry, --base-url or both; see %s --help", c.CommandPath())
		}
		r, _, err := fetch.Release(c.Context(), args[0])
		if err != nil {
			return err
		}
		rendered, err := release.Render(r, registry, baseURL)
		if errors.Is(err, release.ErrAddress) {
			return cli.UsageError(err)
		}
		if err != nil {
			return err
		}
		var manifest bytes.Buffer
		if err := release.Write(&manifest, rendered); err != nil {
			return err
		}
		if out == "" {
			_, err = c.OutOrStdout().Write(manifest.Bytes())
			return err
		}
		return atomicfile.Write(out, manifest.Bytes(), 0o644)
	}
	return c
}
