package publish

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/slipway-k8s/slipway/distro/fetch"
	"github.com/slipway-k8s/slipway/distro/release"
)

// maxPublished is the largest published file that is fetched, in bytes.
const maxPublished = 4 << 30

// publishedFiles reads the files of a release: beside a manifest on disk, or
// from the addresses in one behind a URL.
type publishedFiles struct {
	root    string // of the output tree; empty for a manifest behind a URL
	baseURL string
	dir     string // for what is fetched
	missing int
}

func (p *published) files(dir string) *publishedFiles {
	f := &publishedFiles{dir: dir, baseURL: p.release.Annotations[release.AnnotationBaseURL]}
	local, isFile := strings.CutPrefix(p.source, "file://")
	if isFile || !strings.Contains(p.source, "://") {
		local, _, _ = strings.Cut(local, "?checksum=")
		// out/kubernetes-1-36/<release>.yaml: files are named from out.
		f.root = filepath.Join(filepath.Dir(local), "..")
	}
	return f
}

// note says what a reader should know about how files were read.
func (f *publishedFiles) note() string {
	switch {
	case f.root == "":
		return "the manifest is behind a URL: its files are compared by their sums, and fetched only where those differ"
	case f.missing > 0:
		return fmt.Sprintf("%d files do not lie beside the manifest and are compared by their sums alone", f.missing)
	}
	return ""
}

// companions says which of the small files that stand beside a published one,
// and that kOps reads, is not what the rebuild made; "" if all are.
func (f *publishedFiles) companions(published, rebuilt string) string {
	if f.root == "" {
		return ""
	}
	pairs := [][2]string{{published + ".sha256", rebuilt + ".sha256"}, {published + ".sha512", rebuilt + ".sha512"}}
	if p, ok := strings.CutSuffix(published, ".tar"); ok {
		q := strings.TrimSuffix(rebuilt, ".tar")
		pairs = append(pairs, [2]string{p + ".docker_tag", q + ".docker_tag"}, [2]string{p + ".docker_image_name", q + ".docker_image_name"})
	}
	for _, pair := range pairs {
		want, err := os.ReadFile(pair[1])
		if err != nil {
			continue // the rebuild has none
		}
		if have, err := os.ReadFile(pair[0]); err != nil || !bytes.Equal(have, want) {
			return fmt.Sprintf("%s beside it is missing or wrong: want %q", filepath.Base(pair[0]), want)
		}
	}
	return ""
}

// open returns the path of a published file, or "" where it cannot be read.
// One behind a URL is fetched only when it is known to differ.
func (f *publishedFiles) open(ctx context.Context, place string, differs bool) (string, error) {
	if !filepath.IsLocal(filepath.FromSlash(place)) {
		return "", fmt.Errorf("record: path %q: leaves the output folder", place)
	}
	if f.root != "" {
		file := filepath.Join(f.root, filepath.FromSlash(place))
		info, err := os.Stat(file)
		if errors.Is(err, fs.ErrNotExist) {
			f.missing++
			return "", nil
		}
		if err != nil {
			return "", err
		}
		if !info.Mode().IsRegular() {
			return "", fmt.Errorf("%s: is no regular file", file)
		}
		return file, nil
	}
	if !differs || f.baseURL == "" {
		return "", nil
	}
	file := filepath.Join(f.dir, "published")
	err := fetch.File(ctx, f.baseURL+"/"+place, file, fetch.Options{MaxBytes: maxPublished, Timeout: time.Hour})
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		return "", nil // the sums differ all the same; the result says that it was not read
	}
	return file, nil
}

// compareFiles returns where two files differ, nil if they do not.
func compareFiles(published, rebuilt string) (*ByteRange, error) {
	p, err := os.Open(published)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	q, err := os.Open(rebuilt)
	if err != nil {
		return nil, err
	}
	defer q.Close()
	return compareStreams(p, q)
}

// compareGzip is compareFiles of what two gzip files hold.
func compareGzip(published, rebuilt string) (*ByteRange, error) {
	var readers [2]io.Reader
	for i, name := range []string{published, rebuilt} {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if readers[i], err = gzip.NewReader(bufio.NewReader(f)); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return compareStreams(readers[0], readers[1])
}

// compareStreams reads both to their ends, a block at a time.
func compareStreams(published, rebuilt io.Reader) (*ByteRange, error) {
	const block = 1 << 16
	a, b := make([]byte, block), make([]byte, block)
	r := ByteRange{First: -1}
	mark := func(at int64) {
		if r.First < 0 {
			r.First = at
		}
		r.Last = at
	}
	for {
		n, err := readBlock(published, a)
		if err != nil {
			return nil, err
		}
		m, err := readBlock(rebuilt, b)
		if err != nil {
			return nil, err
		}
		for i := range min(n, m) { // up to where one ends, both are level
			if a[i] != b[i] {
				mark(r.PublishedSize + int64(i))
			}
		}
		r.PublishedSize, r.RebuiltSize = r.PublishedSize+int64(n), r.RebuiltSize+int64(m)
		if n == 0 && m == 0 {
			break
		}
	}
	if r.PublishedSize != r.RebuiltSize {
		mark(min(r.PublishedSize, r.RebuiltSize))
		r.Last = max(r.PublishedSize, r.RebuiltSize) - 1
	}
	if r.First < 0 {
		return nil, nil
	}
	return &r, nil
}

// readBlock fills b as far as the stream goes; the end is 0 bytes and no error.
func readBlock(r io.Reader, b []byte) (int, error) {
	n, err := io.ReadFull(r, b)
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return n, err
}
