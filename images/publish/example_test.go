package publish_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/slipway-k8s/slipway/builder"
	"github.com/slipway-k8s/slipway/distro"
	"github.com/slipway-k8s/slipway/images/publish"
	"github.com/slipway-k8s/slipway/images/registry"
)

// Build one component of the newest channel from its pinned source and push its
// image to a registry in this process. Nothing but Go modules is fetched.
func Example() {
	dir, err := os.MkdirTemp("", "slipway-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := buildEtcd(context.Background(), dir); err != nil {
		log.Print(err) // the output below is missing then
	}
	// Output: etcd for linux/amd64 runs /usr/local/bin/etcd
}

func buildEtcd(ctx context.Context, dir string) error {
	// A registry in this process; any other, as HOST[:PORT][/PREFIX], will do.
	storage, err := registry.Open(filepath.Join(dir, "registry"))
	if err != nil {
		return err
	}
	defer storage.Close()
	server, err := registry.Start(ctx, "localhost:0", storage)
	if err != nil {
		return err
	}
	defer server.Shutdown(ctx)

	// What to build: the channel's pins and the component's recipe make a plan.
	catalog, err := distro.Open(distro.Overrides{})
	if err != nil {
		return err
	}
	channel, err := catalog.Channel("") // the newest
	if err != nil {
		return err
	}
	plan, err := builder.NewPlan(catalog, channel, builder.Selection{
		Components: []string{"etcd"},
		Platforms:  []distro.Platform{{OS: "linux", Arch: "amd64"}},
	})
	if err != nil {
		return err
	}

	// Compile, package, push, and write the Release at the end. Without CacheDir
	// the user's cache is used, and a second build compiles nothing.
	b, err := builder.New(ctx, catalog, channel, builder.Options{CacheDir: filepath.Join(dir, "cache")})
	if err != nil {
		return err
	}
	defer b.Close()
	result, err := publish.Run(ctx, b, plan, publish.Options{Out: filepath.Join(dir, "out"), Registry: server.Addr()})
	if err != nil {
		return err
	}

	// Whoever has the Release pulls the image by its digest.
	_, asset := result.Release.Asset("etcd-image")
	ref, err := name.NewDigest(server.Addr() + "/etcd-io/etcd@" + asset.Image.ImageDigest)
	if err != nil {
		return err
	}
	image, err := remote.Image(ref)
	if err != nil {
		return err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return err
	}
	fmt.Printf("etcd for %s/%s runs %s\n", config.OS, config.Architecture, config.Config.Entrypoint[0])
	return nil
}
