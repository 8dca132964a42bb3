package images

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-containerregistry/pkg/compression"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/slipway-k8s/slipway/builder/files"
)

const benchSize = 100 << 20

// benchBinary is 100 MiB of machine code: this test's own binary, again and
// again (further apart than any window reaches).
func benchBinary(b *testing.B) string {
	b.Helper()
	exe, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	code, err := os.ReadFile(exe)
	if err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(b.TempDir(), "binary")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	for left := benchSize; left > 0; {
		n, err := f.Write(code[:min(left, len(code))])
		if err != nil {
			b.Fatal(err)
		}
		left -= n
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	return path
}

// send does with an image what a push to an empty repository does: manifest,
// then the bytes of each layer.
func send(b *testing.B, img v1.Image) (size int64) {
	b.Helper()
	if _, err := img.RawManifest(); err != nil {
		b.Fatal(err)
	}
	layers, err := img.Layers()
	if err != nil {
		b.Fatal(err)
	}
	for _, l := range layers {
		r, err := l.Compressed()
		if err != nil {
			b.Fatal(err)
		}
		n, err := io.Copy(io.Discard, r)
		if err = errors.Join(err, r.Close()); err != nil {
			b.Fatal(err)
		}
		size += n
	}
	return size
}

// BenchmarkAssemble compares a binary's way into an image here and with
// go-containerregistry as crane append goes it.
func BenchmarkAssemble(b *testing.B) {
	binary := benchBinary(b)
	for _, c := range []Compression{Zstd, Gzip} {
		b.Run("slipway/"+string(c), func(b *testing.B) {
			s := openStore(b)
			b.SetBytes(benchSize)
			b.ReportAllocs()
			var size int64
			for b.Loop() {
				l, err := s.WriteLayer([]files.File{files.OnDisk("usr/bin/binary", 0o755, binary, benchSize)}, c)
				if err != nil {
					b.Fatal(err)
				}
				img, err := Image(Spec{Platform: amd64, Layers: []v1.Layer{l}})
				if err != nil {
					b.Fatal(err)
				}
				size = send(b, img)
			}
			b.ReportMetric(float64(size)/(1<<20), "MiB-layer")
		})
	}
	for name, options := range map[string][]tarball.LayerOption{
		"crane-append/gzip": nil,
		"crane-append/zstd": {tarball.WithCompression(compression.ZStd), tarball.WithMediaType(types.OCILayerZStd)},
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(benchSize)
			b.ReportAllocs()
			var size int64
			for b.Loop() {
				// crane append takes a tar, so someone has to write one first.
				path := filepath.Join(b.TempDir(), "layer.tar")
				writeTar(b, path, binary)
				l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return os.Open(path) }, options...)
				if err != nil {
					b.Fatal(err)
				}
				img, err := mutate.Append(empty.Image, mutate.Addendum{Layer: l})
				if err != nil {
					b.Fatal(err)
				}
				size = send(b, img)
			}
			b.ReportMetric(float64(size)/(1<<20), "MiB-layer")
		})
	}
}

func writeTar(b *testing.B, path, binary string) {
	b.Helper()
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	in, err := os.Open(binary)
	if err != nil {
		b.Fatal(err)
	}
	tw := tar.NewWriter(f)
	err = tw.WriteHeader(&tar.Header{Name: "usr/bin/binary", Mode: 0o755, Size: benchSize})
	if err == nil {
		_, err = io.Copy(tw, in)
	}
	if err = errors.Join(err, tw.Close(), f.Close(), in.Close()); err != nil {
		b.Fatal(err)
	}
}
