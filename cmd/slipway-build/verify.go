package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/slipway-k8s/slipway/builder"
	"github.com/slipway-k8s/slipway/distro"
	"github.com/slipway-k8s/slipway/distro/release"
	"github.com/slipway-k8s/slipway/images/publish"
	"github.com/slipway-k8s/slipway/internal/cli"
	"github.com/slipway-k8s/slipway/internal/progress"
	"github.com/spf13/cobra"
)

type verifyFlags struct {
	toolFlags
	components   []string
	over         distro.Overrides
	reuseGoCache bool
	temp         string
}

func newVerifyCommand() *cobra.Command {
	var f verifyFlags
	c := &cobra.Command{
		Use:   "verify MANIFEST",
		Short: "Build a release again and compare it with what was published",
		Long: `Build a release again from this program's pins, in a folder of its own that is
removed afterwards, and compare every binary, file and image, the record and the
manifest. Addresses do not count. Where a file differs, the range of bytes is
named.

MANIFEST is a path, or a URL with ?checksum=sha256:<hex> at its end if its content
is known; the record must lie beside it. Nothing that was compiled before is used:
the rebuild starts with an empty cache and an empty Go build cache. Modules come
from the module cache, since they are hashed against the lock before use.

Exit code 0: all is equal; 1: something differs, or the record is not the
release's own; 3: it could not be compared.`,
		Example: `  slipway-build verify out/kubernetes-1-36/kubernetes-1-36-slipway-1.yaml
  slipway-build verify --component etcd,coredns https://files.example.com/kubernetes-1-36/kubernetes-1-36-slipway-1.yaml
  slipway-build verify -o json release.yaml | jq '.items[] | select(.status != "equal")'`,
		Args: cobra.ExactArgs(1),
	}
	format := cli.OutputFlag(c)
	f.toolFlags.add(c.Flags())
	c.Flags().StringSliceVar(&f.components, "component", nil, "components to rebuild (default: all of the release)")
	c.Flags().BoolVar(&f.reuseGoCache, "reuse-go-cache", false, "take what your Go build cache has: faster, and trusts that cache")
	c.Flags().StringVar(&f.temp, "temp", "", "`FOLDER` to rebuild in; a whole channel takes several gigabytes (default: the system's)")
	c.Flags().StringVar(&f.over.Channels, "channels", "", "channels folder of your own (default: the built-in channels)")
	c.Flags().StringVar(&f.over.Components, "recipes", "", "folder of component recipes of your own (default: the built-in recipes)")
	c.RunE = func(c *cobra.Command, args []string) error {
		return runVerify(c.Context(), c.OutOrStdout(), c.ErrOrStderr(), f, *format, args[0])
	}
	return c
}

func runVerify(ctx context.Context, out, log io.Writer, f verifyFlags, format cli.Format, manifest string) error {
	cat, err := distro.Open(f.over)
	if err != nil {
		return cli.UsageError(err)
	}
	show := &display{}
	defer func() {
		if show.d != nil {
			show.d.Close()
		}
	}()
	v, err := publish.Verify(ctx, manifest, publish.VerifyOptions{
		Catalog: cat, Components: f.components, ReuseGoCache: f.reuseGoCache, Temp: f.temp,
		Builder: builder.Options{Go: f.goCommand, CacheDir: f.cache, DebianMirrors: f.mirrors, OnEvent: show.event},
		OnStart: func(b *builder.Builder, p *builder.Plan) {
			var remaining time.Duration
			for _, s := range p.Steps {
				remaining += b.Estimate(s)
			}
			show.d = progress.New(log, remaining)
			show.d.Note(fmt.Sprintf("building %s again", p.ReleaseName()))
		},
	})
	var unknown *distro.UnknownError
	switch {
	case errors.Is(err, release.ErrNotBound):
		return err // a check that failed
	case errors.As(err, &unknown) && slices.Contains(f.components, unknown.Name):
		return cli.UsageError(err)
	case err != nil:
		return cli.UnknownError(err)
	}
	if show.d != nil {
		show.d.Close()
	}
	if err := cli.Print(out, format, v, v.WriteText); err != nil {
		return err
	}
	return verdict(v)
}

// verdict turns the outcome into the exit code.
func verdict(v *publish.Verification) error {
	if n := v.Count(publish.Different); n > 0 {
		return fmt.Errorf("%s: %d of %d comparisons differ", v.Release, n, len(v.Items))
	}
	if n := v.Count(publish.NotCompared); n > 0 {
		return cli.UnknownError(fmt.Errorf("%s: %d of %d could not be compared; the rest is equal", v.Release, n, len(v.Items)))
	}
	return nil
}
