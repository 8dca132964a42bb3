package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/slipway-k8s/slipway/builder/files"
	"github.com/slipway-k8s/slipway/distro"
	"github.com/slipway-k8s/slipway/images"
	"github.com/slipway-k8s/slipway/images/registry"
	"github.com/slipway-k8s/slipway/internal/cli"
)

// output is an output tree with a file and an image in it.
func output(t *testing.T) (dir string, idx v1.ImageIndex) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "release.yaml"), []byte("kind: Release\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	site, err := registry.FilesAndRegistry(dir)
	if err != nil {
		t.Fatal(err)
	}
	server, err := registry.Start(t.Context(), "localhost:0", site)
	if err != nil {
		t.Fatal(err)
	}
	store, err := images.OpenStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var all []v1.Image
	for _, arch := range []string{"arm64", "amd64"} {
		l, err := store.WriteLayer([]files.File{files.Bytes("app", 0o755, []byte(arch))}, images.Zstd)
		if err != nil {
			t.Fatal(err)
		}
		img, err := images.Image(images.Spec{Platform: distro.Platform{OS: "linux", Arch: arch}, Layers: []v1.Layer{l}})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, img)
	}
	if idx, err = images.Index(nil, all...); err != nil {
		t.Fatal(err)
	}
	repo, err := name.NewRepository(server.Addr() + "/kubernetes/pause")
	if err != nil {
		t.Fatal(err)
	}
	if err := images.Push(t.Context(), repo, idx, []string{"3.10", "v1"}); err != nil {
		t.Fatal(err)
	}
	if err := server.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := site.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, idx
}

// run starts the command and returns when it has ended.
func run(ctx context.Context, stderr io.Writer, args ...string) (string, error) {
	root := newRoot()
	cli.Configure(root)
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(stderr)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	return out.String(), err
}

// serving runs serve until the test ends and returns its address.
func serving(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		_, err := run(ctx, w, append([]string{"serve"}, args...)...)
		w.CloseWithError(io.EOF)
		ended <- err
	}()
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatalf("serve ended before it listened: %v", <-ended)
	}
	go io.Copy(io.Discard, r)
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	_, url, ok := strings.Cut(strings.TrimSpace(line), " at http://")
	if !ok {
		t.Fatalf("serve says %q, want where it serves", line)
	}
	return url
}

func TestServedImagesCanBePulledByDigestAndFilesDownloaded(t *testing.T) {
	dir, idx := output(t)
	addr := serving(t, "--dir", dir, "--addr", "localhost:0")
	digest, err := idx.Digest()
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.NewDigest(addr + "/kubernetes/pause@" + digest.String())
	if err != nil {
		t.Fatal(err)
	}
	got, err := remote.Index(ref)
	if err != nil {
		t.Fatal(err)
	}
	m, err := got.IndexManifest()
	if err != nil || len(m.Manifests) != 2 {
		t.Fatalf("%+v, %v", m, err)
	}
	img, err := got.Image(m.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range layers {
		r, err := l.Compressed()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); err != nil { // ggcr compares the digest
			t.Error(err)
		}
		r.Close()
	}
	resp, err := http.Get("http://" + addr + "/release.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "kind: Release\n" {
		t.Errorf("downloaded %q, %v", b, err)
	}
}

func TestServeTakesPushesOnlyWhenAsked(t *testing.T) {
	dir, idx := output(t)
	for _, allow := range []bool{false, true} {
		args := []string{"--dir", dir, "--addr", "localhost:0"}
		if allow {
			args = append(args, "--allow-push")
		}
		repo, err := name.NewRepository(serving(t, args...) + "/new/one")
		if err != nil {
			t.Fatal(err)
		}
		if err := images.Push(t.Context(), repo, idx, []string{"v1"}); (err == nil) != allow {
			t.Errorf("--allow-push=%t: %v", allow, err)
		}
	}
}

func TestListShowsEachTag(t *testing.T) {
	dir, idx := output(t)
	digest, err := idx.Digest()
	if err != nil {
		t.Fatal(err)
	}
	addr := serving(t, "--dir", dir, "--addr", "localhost:0")
	for _, where := range [][]string{{"--dir", dir}, {"--registry", addr}, {"--registry", addr + "/kubernetes"}} {
		out, err := run(t.Context(), io.Discard, append([]string{"list", "-o", "json"}, where...)...)
		if err != nil {
			t.Fatal(err)
		}
		var got []images.Listed
		if err := json.Unmarshal([]byte(out), &got); err != nil {
			t.Fatal(err)
		}
		if len(got) != 2 || got[0].Tag != "3.10" || got[1].Tag != "v1" || got[0].Repository != "kubernetes/pause" || got[0].Digest != digest || got[0].Size == 0 ||
			!slices.Equal(got[0].Platforms, []distro.Platform{{OS: "linux", Arch: "amd64"}, {OS: "linux", Arch: "arm64"}}) {
			t.Errorf("%v: %+v", where, got)
		}
		text, err := run(t.Context(), io.Discard, append([]string{"list"}, where...)...)
		if err != nil || !strings.Contains(text, "linux/amd64,linux/arm64") || !strings.Contains(text, digest.String()) {
			t.Errorf("%v: %v\n%s", where, err, text)
		}
	}
	if out, err := run(t.Context(), io.Discard, "list", "--registry", addr+"/kube", "-o", "json"); err != nil || strings.Contains(out, "pause") {
		t.Errorf("the prefix kube is no folder of kubernetes/pause: %v %s", err, out)
	}
}

func TestMissingTreeAndWrongFlagsSaySo(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none")
	for _, sub := range []string{"serve", "list"} {
		if _, err := run(t.Context(), io.Discard, sub, "--dir", missing); err == nil || !strings.Contains(err.Error(), missing) {
			t.Errorf("%s: %v", sub, err)
		}
		if _, err := run(t.Context(), io.Discard, sub, "--dri", "x"); cli.ExitCode(err) != cli.ExitUsage {
			t.Errorf("%s: exit code %d, %v", sub, cli.ExitCode(err), err)
		}
	}
}
