package images

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/slipway-k8s/slipway/builder/files"
)

var _ v1.Layer = (*Layer)(nil)

// LayerRecord is what has to be known of a layer to find it again.
type LayerRecord struct {
	// DiffID is the digest of the tar stream before compression.
	DiffID v1.Hash `json:"diffID"`
	// Digest and Size (bytes) are those of the compressed blob.
	Digest v1.Hash `json:"digest"`
	Size   int64   `json:"size"`
	// Compression is how the blob was made.
	Compression Compression `json:"compression"`
}

// Layer is a v1.Layer whose blob is a file of a Store. Each call of Compressed
// reads the file: nothing is compressed twice, nothing is held in memory.
type Layer struct {
	store  *Store
	record LayerRecord
	media  types.MediaType
}

// Record returns what Store.Layer needs to find this layer again.
func (l *Layer) Record() LayerRecord { return l.record }

// Digest is the digest of the compressed blob.
func (l *Layer) Digest() (v1.Hash, error) { return l.record.Digest, nil }

// DiffID is the digest of the tar stream.
func (l *Layer) DiffID() (v1.Hash, error) { return l.record.DiffID, nil }

// Size is the size of the compressed blob in bytes.
func (l *Layer) Size() (int64, error) { return l.record.Size, nil }

// MediaType is the OCI media type of the blob.
func (l *Layer) MediaType() (types.MediaType, error) { return l.media, nil }

// Compressed returns the blob, checked (see Store).
func (l *Layer) Compressed() (io.ReadCloser, error) {
	return l.store.open(l.record.Digest, l.record.Size)
}

// Uncompressed returns the tar stream.
func (l *Layer) Uncompressed() (io.ReadCloser, error) {
	f, err := l.store.open(l.record.Digest, l.record.Size)
	if err != nil {
		return nil, err
	}
	r, err := l.record.Compression.reader(bufio.NewReaderSize(f, 1<<20))
	if err != nil {
		f.Close()
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{r, closers{r, f}}, nil
}

type closers []io.Closer

func (cs closers) Close() error {
	var errs []error
	for _, c := range cs {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// Layer returns the layer that r describes. The error wraps ErrNotStored when
// its blob is not there or not right.
func (s *Store) Layer(r LayerRecord) (*Layer, error) {
	media, err := r.Compression.MediaType()
	if err != nil {
		return nil, fmt.Errorf("layer %s: %w", r.Digest, err)
	}
	if r.Digest.Algorithm != "sha256" || r.DiffID.Algorithm != "sha256" {
		return nil, fmt.Errorf("layer %s (diffID %s): want sha256 digests", r.Digest, r.DiffID)
	}
	f, err := s.open(r.Digest, r.Size)
	if err != nil {
		return nil, err
	}
	f.Close()
	return &Layer{store: s, record: r, media: media}, nil
}

// WriteLayer writes the entries as a layer: completed and sorted as
// files.WriteTar does, compressed with c, hashed before and after, in one pass
// and in memory that does not grow with the files.
func (s *Store) WriteLayer(entries []files.File, c Compression) (*Layer, error) {
	media, err := c.MediaType()
	if err != nil {
		return nil, err
	}
	t, err := s.temp()
	if err != nil {
		return nil, err
	}
	defer t.drop()
	blob := newDigester(t)
	diffID, err := compressTar(blob, entries, c)
	if err != nil {
		return nil, fmt.Errorf("layer in %s: %w", s.dir, err)
	}
	r := LayerRecord{DiffID: diffID, Digest: blob.digest(), Size: blob.size, Compression: c}
	if err := s.keep(t, r.Digest); err != nil {
		return nil, fmt.Errorf("layer in %s: %w", s.dir, err)
	}
	return &Layer{store: s, record: r, media: media}, nil
}

// CachedLayer returns the layer that was written under key with c and this
// compressor before, and otherwise writes the entries that the function
// returns. The key must change whenever they do.
func (s *Store) CachedLayer(key string, c Compression, entries func() ([]files.File, error)) (*Layer, error) {
	path := filepath.Join(s.dir, "layers", memoKey(key, string(c), CompressorVersion())+".json")
	var r LayerRecord
	switch b, err := os.ReadFile(path); {
	case err == nil && json.Unmarshal(b, &r) == nil:
		if l, err := s.Layer(r); err == nil {
			return l, nil
		}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("blob store %s: %w", s.dir, err)
	}
	all, err := entries()
	if err != nil {
		return nil, err
	}
	l, err := s.WriteLayer(all, c)
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(l.record)
	if err != nil {
		return nil, err
	}
	return l, s.put(path, b)
}

// memoKey is a file name for the parts, which cannot run into each other.
func memoKey(parts ...string) string {
	sum := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(sum, "%d:%s,", len(p), p)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// compressTar writes the compressed tar stream to w and returns the digest of
// the stream.
func compressTar(w io.Writer, entries []files.File, c Compression) (v1.Hash, error) {
	z, err := c.writer(w)
	if err != nil {
		return v1.Hash{}, err
	}
	diff := newDigester(z)
	if err := files.WriteTar(diff, entries); err != nil {
		// Closing frees the compressor's goroutines; what it wrote is dropped.
		_ = z.Close()
		return v1.Hash{}, err
	}
	if err := z.Close(); err != nil {
		return v1.Hash{}, err
	}
	return diff.digest(), nil
}

// digester hashes and counts what passes through.
type digester struct {
	w    io.Writer
	sum  hash.Hash
	size int64
}

func newDigester(w io.Writer) *digester { return &digester{w: w, sum: sha256.New()} }

func (d *digester) Write(p []byte) (int, error) {
	n, err := d.w.Write(p)
	d.sum.Write(p[:n])
	d.size += int64(n)
	return n, err
}

func (d *digester) digest() v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(d.sum.Sum(nil))}
}
