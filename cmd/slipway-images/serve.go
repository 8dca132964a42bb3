package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/images/registry"
)

func newServe() *cobra.Command {
	var dir, addr string
	var allowPush bool
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve an output tree: its images as a registry, its files over HTTP",
		Long: `Serve an output tree on one port: the images as a registry under /v2/, and
everything else as plain files, as kOps and the Release manifest expect them.

It speaks plain http, has no users, and listens on this machine only unless
--addr says otherwise. Pushes are refused unless --allow-push is given. It runs
until Ctrl-C.`,
		Example: `  # what slipway-build made, at http://localhost:5050
  slipway-images serve --dir out

  # for the machines of a lab
  slipway-images serve --dir out --addr 0.0.0.0:5050`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var opts []registry.Option
			if !allowPush {
				opts = append(opts, registry.ReadOnly())
			}
			site, err := registry.FilesAndRegistry(dir, opts...)
			if err != nil {
				return err
			}
			defer site.Close()
			return registry.Serve(c.Context(), addr, site, func(s *registry.Server) {
				fmt.Fprintf(c.ErrOrStderr(), "serving %s at %s\n", dir, s.URL())
				if s.Loopback() {
					return
				}
				fmt.Fprintf(c.ErrOrStderr(), "warning: %s can be reached from other machines, without encryption and without users\n", addr)
				if allowPush {
					fmt.Fprintln(c.ErrOrStderr(), "warning: --allow-push: every one of them can replace what its tags name")
				}
			})
		},
	}
	c.Flags().StringVar(&dir, "dir", "out", "the output tree")
	c.Flags().StringVar(&addr, "addr", registry.DefaultAddr, "host:port to listen on")
	c.Flags().BoolVar(&allowPush, "allow-push", false, "take pushes from whoever can reach the address")
	return c
}
