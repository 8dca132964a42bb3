package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/slipway-k8s/slipway/builder"
	"github.com/slipway-k8s/slipway/distro/release"
	"github.com/slipway-k8s/slipway/images"
	"github.com/slipway-k8s/slipway/images/publish"
	"github.com/slipway-k8s/slipway/internal/cli"
	"github.com/slipway-k8s/slipway/internal/progress"
	"github.com/spf13/cobra"
)

type buildFlags struct {
	selection
	toolFlags
	out, registry, baseURL string
	compression            images.Compression
	overwrite, create      bool
	insecure               bool
}

func newRoot() *cobra.Command {
	f := buildFlags{compression: images.Zstd}
	c := &cobra.Command{
		Use:   "slipway-build",
		Short: "Build a Kubernetes distribution from pinned source and publish it",
		Long: `Build every component of a channel from pinned source, put its images into a
registry and its files into a folder, and describe them in a Release manifest.

Without --registry the images go into a registry in the output folder, which
"slipway-images serve" serves. Nothing is pulled, and no Docker, git or C
compiler is needed.`,
		Example: `  slipway-build
  slipway-build --channel 1-35 --platform linux/amd64,linux/arm64
  slipway-build --component etcd,coredns --registry registry.example.com/platform
  slipway-build --platform all --registry registry.example.com/eks --base-url https://files.example.com`,
		Args: cobra.NoArgs,
	}
	format := cli.OutputFlag(c)
	f.selection.add(c.Flags())
	f.toolFlags.add(c.Flags())
	c.Flags().StringVar(&f.out, "out", "out", "output folder")
	c.Flags().StringVar(&f.registry, "registry", "", "registry to push to, HOST[:PORT][/PREFIX] (default: the one in the output folder)")
	c.Flags().StringVar(&f.baseURL, "base-url", publish.DefaultBaseURL, "where the output folder will be served, for the addresses of files in the Release")
	c.Flags().Var(&f.compression, "compression", "compression of layers: zstd or gzip")
	c.Flags().BoolVar(&f.overwrite, "overwrite-tags", false, "move tags that name another image already")
	c.Flags().BoolVar(&f.create, "create-repositories", false, "create repositories that are missing (ECR)")
	c.Flags().BoolVar(&f.insecure, "insecure", false, "allow plain http to a registry on another machine")
	c.RunE = func(c *cobra.Command, _ []string) error {
		return runBuild(c.Context(), c.OutOrStdout(), c.ErrOrStderr(), f, *format)
	}
	c.AddCommand(newPlanCommand(), newVerifyCommand())
	return c
}

func runBuild(ctx context.Context, out, log io.Writer, f buildFlags, format cli.Format) error {
	start := time.Now()
	plan, err := f.plan()
	if err != nil {
		return err
	}
	show := &display{}
	b, err := f.toolFlags.builder(ctx, plan, show.event)
	if err != nil {
		return err
	}
	defer b.Close()
	remaining, err := b.Remaining(plan)
	if err != nil {
		return err
	}
	show.d = progress.New(log, remaining)
	defer show.d.Close()
	show.d.Note(fmt.Sprintf("building %s", plan.ReleaseName()))
	opts := publish.Options{
		Out: f.out, Registry: f.registry, BaseURL: f.baseURL, Compression: f.compression,
		Push:    f.pushOptions(show),
		OnImage: func(r publish.ImageResult) { show.d.Note(fmt.Sprintf("image    %s", r.Reference)) },
	}
	res, err := publish.Run(ctx, b, plan, opts)
	show.d.Close()
	if errors.Is(err, release.ErrAddress) {
		return cli.UsageError(err)
	}
	if err != nil {
		return err
	}
	summary := summarize(res, plan, time.Since(start))
	return cli.Print(out, format, summary, summary.table)
}

func (f *buildFlags) pushOptions(show *display) []images.PushOption {
	opts := []images.PushOption{images.WithNotice(func(s string) { show.d.Note(s) })}
	if f.overwrite {
		opts = append(opts, images.OverwriteTags())
	}
	if f.create {
		opts = append(opts, images.CreateRepositories(images.ECR{}))
	}
	if f.insecure {
		opts = append(opts, images.Insecure())
	}
	return opts
}

// display turns a builder's events into progress.
type display struct {
	d      progress.Display
	cached int
}

func (s *display) event(e builder.Event) {
	if s.d == nil {
		return
	}
	switch e.Kind {
	case builder.StepStarted:
		s.d.Start(e.Step, e.Estimate)
	case builder.StepDone:
		s.d.Done(e.Step, e.Elapsed)
	case builder.StepCached:
		s.cached++
	case builder.Note:
		s.d.Note(e.Text)
	}
}

// summary is what a build prints at its end.
type summary struct {
	Release  string                `json:"release"`
	Manifest string                `json:"manifest"`
	Partial  bool                  `json:"partial"`
	Images   []publish.ImageResult `json:"images"`
	Files    int                   `json:"files"`
	Seconds  float64               `json:"seconds"`
}

func summarize(res *publish.Result, plan *builder.Plan, elapsed time.Duration) *summary {
	s := &summary{
		Release: res.Release.Name, Manifest: res.Manifest, Partial: !plan.Whole, Images: res.Images,
		Seconds: elapsed.Round(10 * time.Millisecond).Seconds(),
	}
	for _, c := range res.Release.Status.Components {
		for _, a := range c.Assets {
			if a.Archive != nil {
				s.Files++
			}
		}
	}
	return s
}

func (s *summary) table(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "IMAGE\tSIZE\tDIGEST\tTIME")
	for _, i := range s.Images {
		fmt.Fprintf(t, "%s\t%.1f MB\t%s\t%s\n", i.Reference, float64(i.Size)/1e6, i.Digest, i.Elapsed.Round(10*time.Millisecond))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	note := ""
	if s.Partial {
		note = ", partial"
	}
	_, err := fmt.Fprintf(w, "\n%s%s: images %d, files %d, %.1f s\n%s\n", s.Release, note, len(s.Images), s.Files, s.Seconds, s.Manifest)
	return err
}
