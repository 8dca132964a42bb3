package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/images"
	"github.com/slipway-k8s/slipway/images/registry"
	"github.com/slipway-k8s/slipway/internal/cli"
)

func newList() *cobra.Command {
	var dir, host string
	var insecure bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List the images of an output tree or of a registry",
		Long: `List the images of an output tree or of a registry: one line for each tag.

The size is that of all platforms together, as it is stored and sent.
Credentials come from where docker, podman and ECR users have them.`,
		Example: `  # what slipway-build made
  slipway-images list --dir out

  # what a team published, for a script
  slipway-images list --registry registry.example.com/slipway -o json`,
		Args: cobra.NoArgs,
	}
	output := cli.OutputFlag(c)
	c.Flags().StringVar(&dir, "dir", "out", "the output tree")
	c.Flags().StringVar(&host, "registry", "", "HOST[/PREFIX] of a registry, instead of --dir")
	c.Flags().BoolVar(&insecure, "insecure", false, "allow plain http to another machine")
	c.MarkFlagsMutuallyExclusive("dir", "registry")
	c.RunE = func(c *cobra.Command, _ []string) error {
		found, err := list(c, dir, host, insecure)
		if err != nil {
			return err
		}
		return cli.Print(c.OutOrStdout(), *output, found, func(w io.Writer) error { return table(w, found) })
	}
	return c
}

func list(c *cobra.Command, dir, host string, insecure bool) ([]images.Listed, error) {
	if host == "" {
		r, err := registry.Open(filepath.Join(dir, registry.StorageFolder), registry.ReadOnly())
		if err != nil {
			return nil, err
		}
		defer r.Close()
		local, err := name.NewRegistry(registry.DefaultAddr)
		if err != nil {
			return nil, err
		}
		return images.List(c.Context(), local, "", remote.WithTransport(r.Transport()))
	}
	host, prefix, _ := strings.Cut(host, "/")
	var opts []name.Option
	if insecure {
		opts = append(opts, name.Insecure)
	}
	reg, err := name.NewRegistry(host, opts...)
	if err != nil {
		return nil, cli.Usagef("--registry: %w", err)
	}
	return images.List(c.Context(), reg, strings.Trim(prefix, "/"),
		remote.WithTransport(images.Transport(insecure)), remote.WithAuthFromKeychain(images.Keychain()))
}

func table(w io.Writer, all []images.Listed) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "REPOSITORY\tTAG\tDIGEST\tPLATFORMS\tSIZE")
	for _, l := range all {
		var platforms []string
		for _, p := range l.Platforms {
			platforms = append(platforms, p.String())
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%.1f MB\n", l.Repository, l.Tag, l.Digest, strings.Join(platforms, ","), float64(l.Size)/1e6)
	}
	return t.Flush()
}
