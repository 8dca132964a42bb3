package images

import (
	"fmt"
	"io"
	"runtime/debug"
	"strconv"

	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Compression is how the tar stream of a layer is stored. It is a pflag.Value.
// The zero value is not a compression.
type Compression string

const (
	// Zstd is the default: every containerd that the supported Kubernetes
	// versions allow reads it, and it is an order of magnitude faster than gzip.
	Zstd Compression = "zstd"
	// Gzip is for registries and runtimes that know nothing newer.
	Gzip Compression = "gzip"
)

// The parameters below decide a layer's digest, so none of them is left to a
// library's default or to the machine (zstd's concurrency is GOMAXPROCS unless
// it is set). TestCompressedBytesArePinned holds the result.
const (
	zstdConcurrency = 2 // one goroutine finds matches while another one codes them
	zstdWindow      = 8 << 20
	gzipLevel       = 6
)

const compressorModule = "github.com/klauspost/compress"

// ParseCompression reads "zstd" or "gzip".
func ParseCompression(s string) (Compression, error) {
	switch c := Compression(s); c {
	case Zstd, Gzip:
		return c, nil
	}
	return "", fmt.Errorf("compression %q: want zstd or gzip", s)
}

// String is part of pflag.Value.
func (c *Compression) String() string { return string(*c) }

// Type is part of pflag.Value.
func (c *Compression) Type() string { return "compression" }

// Set is part of pflag.Value.
func (c *Compression) Set(s string) error {
	parsed, err := ParseCompression(s)
	if err == nil {
		*c = parsed
	}
	return err
}

// MediaType is the OCI media type of a layer that is compressed so.
func (c Compression) MediaType() (types.MediaType, error) {
	switch c {
	case Zstd:
		return types.OCILayerZStd, nil
	case Gzip:
		return types.OCILayer, nil
	}
	_, err := ParseCompression(string(c))
	return "", err
}

func (c Compression) writer(w io.Writer) (io.WriteCloser, error) {
	switch c {
	case Zstd:
		return zstd.NewWriter(w,
			zstd.WithEncoderLevel(zstd.SpeedDefault),
			zstd.WithEncoderConcurrency(zstdConcurrency),
			zstd.WithWindowSize(zstdWindow),
			zstd.WithEncoderCRC(true),
			zstd.WithAllLitEntropyCompression(false),
			zstd.WithLowerEncoderMem(false),
		)
	case Gzip:
		return gzip.NewWriterLevel(w, gzipLevel)
	}
	_, err := ParseCompression(string(c))
	return nil, err
}

func (c Compression) reader(r io.Reader) (io.ReadCloser, error) {
	switch c {
	case Zstd:
		d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	case Gzip:
		return gzip.NewReader(r)
	}
	_, err := ParseCompression(string(c))
	return nil, err
}

// CompressorVersion names the module version that made the compressed bytes,
// such as "github.com/klauspost/compress@v1.20.3". An importer's module graph
// may choose another one than ours, and another one may give other bytes: where
// two records disagree here, compare diffIDs, not digests. The version is
// "unknown" in a binary that was built without module information.
func CompressorVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return compressorVersion(info)
}

func compressorVersion(info *debug.BuildInfo) string {
	for _, m := range info.Deps {
		if m.Path != compressorModule {
			continue
		}
		if m.Replace != nil {
			m = m.Replace
		}
		if m.Version == "" {
			return m.Path + "@unknown"
		}
		return m.Path + "@" + m.Version
	}
	return compressorModule + "@unknown"
}

// CompressorLevel names the level that c compresses at, for the record.
func CompressorLevel(c Compression) string {
	if c == Gzip {
		return strconv.Itoa(gzipLevel)
	}
	return zstd.SpeedDefault.String()
}
