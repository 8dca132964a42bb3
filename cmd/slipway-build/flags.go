package main

import (
	"context"
	"errors"
	"runtime"
	"strings"

	"github.com/slipway-k8s/slipway/builder"
	"github.com/slipway-k8s/slipway/distro"
	"github.com/slipway-k8s/slipway/internal/cli"
	"github.com/spf13/pflag"
)

// selection are the flags that say what is built; build and plan share them.
type selection struct {
	channel    string
	platforms  []string
	components []string
	groups     []string
	boot       bool
	over       distro.Overrides
}

func (s *selection) add(f *pflag.FlagSet) {
	f.StringVar(&s.channel, "channel", "", "channel, such as 1-36 (default: the newest)")
	f.StringSliceVar(&s.platforms, "platform", nil, `platforms, such as linux/amd64,linux/arm64, or "all" (default: this machine's architecture on linux)`)
	f.StringSliceVar(&s.components, "component", nil, "components (default: all)")
	f.StringSliceVar(&s.groups, "group", nil, "groups of components that are only built on request, such as csi-node")
	f.BoolVar(&s.boot, "boot", false, "only the components that a cluster needs to boot")
	f.StringVar(&s.over.Channels, "channels", "", "channels folder of your own (default: the built-in channels)")
	f.StringVar(&s.over.Components, "recipes", "", "folder of component recipes of your own (default: the built-in recipes)")
}

// plan resolves the flags. Its errors are usage errors.
func (s *selection) plan() (*builder.Plan, error) {
	cat, err := distro.Open(s.over)
	if err != nil {
		return nil, cli.UsageError(err)
	}
	ch, err := cat.Channel(s.channel)
	if err != nil {
		return nil, cli.UsageError(err)
	}
	platforms, err := s.parsePlatforms()
	if err != nil {
		return nil, cli.UsageError(err)
	}
	if s.boot && len(s.components) > 0 {
		return nil, cli.Usagef("--boot and --component exclude each other")
	}
	sel := builder.Selection{Components: s.components, Groups: s.groups, Boot: s.boot, Platforms: platforms}
	p, err := builder.NewPlan(cat, ch, sel)
	var unknown *distro.UnknownError
	if errors.As(err, &unknown) {
		err = cli.UsageError(err)
	}
	return p, err
}

func (s *selection) parsePlatforms() ([]distro.Platform, error) {
	if len(s.platforms) == 0 {
		// Clusters run linux, whatever this machine runs.
		return []distro.Platform{{OS: "linux", Arch: runtime.GOARCH}}, nil
	}
	var list []distro.Platform
	for _, name := range s.platforms {
		if strings.EqualFold(name, "all") {
			return nil, nil
		}
		p, err := distro.ParsePlatform(name)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
}

// toolFlags are the flags that say with what is built; build and verify share
// them.
type toolFlags struct {
	goCommand string
	cache     string
	mirrors   []string
}

func (t *toolFlags) add(f *pflag.FlagSet) {
	f.StringVar(&t.goCommand, "go", "go", "go command")
	f.StringVar(&t.cache, "cache", "", "cache folder (default: slipway in the user's cache folder)")
	f.StringSliceVar(&t.mirrors, "debian-mirror", nil, "Debian mirrors, as debian=URL, debian-security=URL or a URL that has both below it (default: the host's apt configuration, then Debian's permanent archive)")
}

func (t *toolFlags) builder(ctx context.Context, p *builder.Plan, onEvent func(builder.Event)) (*builder.Builder, error) {
	return builder.New(ctx, p.Catalog, p.Channel, builder.Options{
		Go: t.goCommand, CacheDir: t.cache, DebianMirrors: t.mirrors, OnEvent: onEvent,
	})
}
