package images_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/slipway-k8s/slipway/builder/files"
	"github.com/slipway-k8s/slipway/distro"
	"github.com/slipway-k8s/slipway/images"
	"github.com/slipway-k8s/slipway/images/registry"
)

// From a program to an image in a registry of one's own.
func Example() {
	if err := example(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output: demo/app:v1 is for linux/amd64, 2 layers
}

func example(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	store, err := images.OpenStore(dir + "/store")
	if err != nil {
		return err
	}
	base, err := store.WriteLayer(append(images.BaseFiles(), images.BaseLicences()...), images.Zstd)
	if err != nil {
		return err
	}
	program, err := store.WriteLayer([]files.File{files.Bytes("app", 0o755, []byte("a static program"))}, images.Zstd)
	if err != nil {
		return err
	}
	image, err := images.Image(images.Spec{
		Platform:   distro.Platform{OS: "linux", Arch: "amd64"},
		Layers:     []v1.Layer{base, program},
		Entrypoint: []string{"/app"},
		User:       images.NonrootUser,
	})
	if err != nil {
		return err
	}
	index, err := images.Index(images.Annotations{Title: "app", Version: "v1"}.Map(), image)
	if err != nil {
		return err
	}

	reg, err := registry.Open(dir + "/registry")
	if err != nil {
		return err
	}
	defer reg.Close()
	server, err := registry.Start(ctx, "localhost:0", reg)
	if err != nil {
		return err
	}
	defer server.Shutdown(ctx)
	repo, err := name.NewRepository(server.Addr() + "/demo/app")
	if err != nil {
		return err
	}
	if err := images.Push(ctx, repo, index, []string{"v1"}); err != nil {
		return err
	}

	pulled, err := remote.Image(repo.Tag("v1"))
	if err != nil {
		return err
	}
	config, err := pulled.ConfigFile()
	if err != nil {
		return err
	}
	fmt.Printf("demo/app:v1 is for %s/%s, %d layers\n", config.OS, config.Architecture, len(config.RootFS.DiffIDs))
	return nil
}
