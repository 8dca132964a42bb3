package images

import (
	"io"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// counter adds up what is in the registry.
type counter struct {
	mu          sync.Mutex
	done, total int64
	report      func(done, total int64)
}

func newCounter(blobs []v1.Layer, report func(done, total int64)) (*counter, error) {
	c := &counter{report: report}
	for _, b := range blobs {
		size, err := b.Size()
		if err != nil {
			return nil, err
		}
		c.total += size
	}
	return c, nil
}

func (c *counter) add(n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done += n
	c.report(c.done, c.total)
}

// countedLayer counts its bytes as they are read to be sent. A second reading
// takes the first one's back.
type countedLayer struct {
	v1.Layer
	counter *counter

	mu   sync.Mutex
	read int64
}

func (l *countedLayer) Compressed() (io.ReadCloser, error) {
	r, err := l.Layer.Compressed()
	if err != nil {
		return nil, err
	}
	l.set(0)
	return &countedReader{ReadCloser: r, layer: l}, nil
}

// complete counts what was not read, because it was in the registry already.
func (l *countedLayer) complete() error {
	size, err := l.Size()
	if err == nil {
		l.set(size)
	}
	return err
}

func (l *countedLayer) set(n int64) {
	l.mu.Lock()
	delta := n - l.read
	l.read = n
	l.mu.Unlock()
	if delta != 0 {
		l.counter.add(delta)
	}
}

type countedReader struct {
	io.ReadCloser
	layer *countedLayer
	n     int64
}

func (r *countedReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.n += int64(n)
	r.layer.set(r.n)
	return n, err
}
