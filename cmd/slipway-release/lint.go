package main

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/distro/fetch"
	"github.com/slipway-k8s/slipway/distro/release"
	"github.com/slipway-k8s/slipway/internal/cli"
)

// finding is one thing that is wrong with a manifest.
type finding struct {
	Manifest string `json:"manifest"`
	// Path is the field's; empty when the manifest could not be read at all.
	Path    string `json:"path,omitempty"`
	Message string `json:"message"`
}

func newLintCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "lint MANIFEST...",
		Short: "Check that release manifests are sound",
		Long: `Check release manifests: names, channel and tags agree, every image has a digest,
every file both checksums, nothing is there twice, no field is unknown. What is
wrong is printed one finding a line, "path of the field: what is wrong"; with
several manifests each line starts with the manifest.

Exit code 0: sound; 1: findings; 3: a manifest could not be fetched.`,
		Example: `  slipway-release lint out/kubernetes-1-36/kubernetes-1-36-slipway-1.yaml
  slipway-release lint -o json https://distro.eks.amazonaws.com/kubernetes-1-33/kubernetes-1-33-eks-20.yaml`,
		Args: cobra.MinimumNArgs(1),
	}
	format := cli.OutputFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		found := []finding{} // not nil: JSON has an empty list
		for _, src := range args {
			more, err := lint(c.Context(), src)
			if err != nil {
				return cli.UnknownError(err)
			}
			found = append(found, more...)
		}
		err := cli.Print(c.OutOrStdout(), *format, found, func(w io.Writer) error {
			return lintText(w, found, len(args) > 1)
		})
		if err == nil && len(found) > 0 {
			err = fmt.Errorf("%s in %s", count(len(found), "finding"), count(len(args), "manifest"))
		}
		return err
	}
	return c
}

// lint returns an error only when the manifest cannot be fetched: one that does
// not parse is a finding.
func lint(ctx context.Context, src string) ([]finding, error) {
	b, err := fetch.Bytes(ctx, src, fetch.Options{MaxBytes: release.MaxBytes})
	if err != nil {
		return nil, err
	}
	name := fetch.Redacted(src)
	r, err := release.Read(bytes.NewReader(b), name)
	if err != nil {
		return []finding{{Manifest: name, Message: err.Error()}}, nil
	}
	var found []finding
	for _, e := range release.Validate(r) {
		found = append(found, finding{Manifest: name, Path: e.Field, Message: e.ErrorBody()})
	}
	return found, nil
}

func lintText(w io.Writer, found []finding, named bool) error {
	for _, f := range found {
		line := f.Message
		if f.Path != "" {
			line = f.Path + ": " + line
		}
		if named && f.Path != "" {
			line = f.Manifest + ": " + line
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
