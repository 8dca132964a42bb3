package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/slipway-k8s/slipway/builder"
	"github.com/slipway-k8s/slipway/internal/cli"
	"github.com/spf13/cobra"
)

func newPlanCommand() *cobra.Command {
	var s selection
	var t toolFlags
	c := &cobra.Command{
		Use:   "plan",
		Short: "Show what a build would do and what each component costs",
		Example: `  slipway-build plan
  slipway-build plan --channel 1-35 --component etcd -o json`,
		Args: cobra.NoArgs,
	}
	format := cli.OutputFlag(c)
	s.add(c.Flags())
	t.add(c.Flags())
	c.RunE = func(c *cobra.Command, _ []string) error {
		return runPlan(c.Context(), c.OutOrStdout(), s, t, *format)
	}
	return c
}

// planned is one step of a plan for people and machines.
type planned struct {
	Component string   `json:"component"`
	Platform  string   `json:"platform"`
	Version   string   `json:"version"`
	Stamp     string   `json:"stamp,omitempty"`
	Modules   int      `json:"modules"`  // in the lock
	Binaries  []string `json:"binaries"` // component/name where another component asks for it
	Seconds   float64  `json:"seconds"`  // estimate of compiling; learned from earlier runs
	Cached    bool     `json:"cached"`
}

func runPlan(ctx context.Context, out io.Writer, s selection, t toolFlags, format cli.Format) error {
	plan, err := s.plan()
	if err != nil {
		return err
	}
	b, err := t.builder(ctx, plan, nil)
	if err != nil {
		return err
	}
	defer b.Close()
	var list []planned
	for _, step := range plan.Steps {
		p := planned{
			Component: step.Unit.Name, Platform: step.Platform.String(), Stamp: step.Stamp,
			Version: plan.Channel.Components[step.Unit.Name].Version, Seconds: b.Estimate(step).Seconds(),
		}
		if p.Cached, err = b.Cached(step); err != nil {
			return err
		}
		if lock, err := plan.Channel.Lock(step.Unit.Name); err == nil {
			p.Modules = lock.Modules()
		}
		for _, ref := range step.Binaries {
			p.Binaries = append(p.Binaries, ref.Binary.Name)
		}
		list = append(list, p)
	}
	return cli.Print(out, format, list, func(w io.Writer) error { return planTable(w, plan, list) })
}

func planTable(w io.Writer, plan *builder.Plan, list []planned) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "COMPONENT\tPLATFORM\tVERSION\tMODULES\tCOST\tBINARIES")
	var total time.Duration
	for _, p := range list {
		cost := time.Duration(p.Seconds * float64(time.Second))
		text := cost.Round(time.Second).String()
		if p.Cached {
			text = "cached"
		} else {
			total += cost
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t%s\n", p.Component, p.Platform, p.Version, p.Modules, text, strings.Join(p.Binaries, " "))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s: components %d, about %s to compile\n", plan.ReleaseName(), len(plan.Recipes), total.Round(time.Second))
	return err
}
