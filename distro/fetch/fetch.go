// Package fetch brings a file from a path, an http(s) URL or an S3 bucket, with
// HashiCorp's go-getter. It is the one package that imports go-getter, whose
// root package brings two cloud SDKs.
//
// Only one plain file is ever fetched: no git or other forced getters, no
// redirection to another kind of source, nothing unpacked, no symbolic links.
package fetch

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	getter "github.com/hashicorp/go-getter"
)

// Options of a fetch. The zero value is right for manifests.
type Options struct {
	// MaxBytes is the size that the file may have; default 16 MiB.
	MaxBytes int64
	// Timeout is the time that all of it may take, retries included; default 5
	// minutes.
	Timeout time.Duration
	// Attempts is how often a source that answers 429 or 5xx, or breaks the
	// connection, is asked; default 4.
	Attempts int
	// Wait is the time before the second attempt, twice that before the third,
	// and so on up to 30 seconds; default 1 second. A server's Retry-After counts
	// instead where it sends one.
	Wait time.Duration

	roots *x509.CertPool // for tests; nil means the system's
}

func (o Options) withDefaults() Options {
	if o.MaxBytes <= 0 {
		o.MaxBytes = 16 << 20
	}
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Minute
	}
	if o.Attempts <= 0 {
		o.Attempts = 4
	}
	if o.Wait <= 0 {
		o.Wait = time.Second
	}
	return o
}

// Errors that a caller may want to tell apart; see errors.Is.
var (
	// ErrSource is a source of a kind that is not fetched, or one that cannot be
	// read as a path or URL.
	ErrSource = errors.New("not a source that is fetched")
	// ErrTooLarge is a file larger than Options.MaxBytes.
	ErrTooLarge = errors.New("the file is too large")
	// ErrChecksum is a file that is not the one that ?checksum= asks for.
	ErrChecksum = errors.New("the checksum differs")
)

// File fetches src into the file dst, whose folder must exist. dst appears, or
// is replaced, only when everything is there and right; else it stays as it was
// and nothing is left behind.
//
// src is a path, or a URL that starts with file://, http://, https:// or s3://
// (s3://bucket/key?region=eu-central-1, region us-east-1 by default; s3::https://…
// as go-getter writes it works too). With ?checksum=sha256:<hex> or sha512:<hex>
// at its end the content must have that checksum.
//
// Errors name src without user name, password and query values.
func File(ctx context.Context, src, dst string, opts Options) error {
	opts = opts.withDefaults()
	s, err := parseSource(src)
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, opts.Timeout)
	defer cancel()
	err = s.toFile(limited, dst, opts)
	switch {
	case err == nil:
		return nil
	case limited.Err() != nil && ctx.Err() == nil:
		return s.wrap(fmt.Errorf("gave up after %v: %w", opts.Timeout, context.DeadlineExceeded))
	default:
		return s.wrap(err)
	}
}

// Bytes is File into memory.
func Bytes(ctx context.Context, src string, opts Options) ([]byte, error) {
	dir, err := os.MkdirTemp("", "slipway-fetch-*")
	if err != nil {
		return nil, fmt.Errorf("fetch: %w", err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "file")
	if err := File(ctx, src, file, opts); err != nil {
		return nil, err
	}
	return os.ReadFile(file)
}

// toFile fetches into a folder beside dst, so that moving the result to dst is
// one rename within a file system.
func (s *source) toFile(ctx context.Context, dst string, opts Options) error {
	dir, err := os.MkdirTemp(filepath.Dir(dst), ".fetch-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	part := filepath.Join(dir, "part")
	if err := s.withRetries(ctx, part, opts); err != nil {
		return err
	}
	info, err := os.Lstat(part)
	if err != nil {
		return err
	}
	if info.Size() > opts.MaxBytes {
		return tooLarge(opts.MaxBytes)
	}
	if err := os.Chmod(part, 0o644); err != nil {
		return err
	}
	return os.Rename(part, dst)
}

// withRetries asks again when a connection breaks within the content; all that
// may go wrong before that is retried by the HTTP client.
func (s *source) withRetries(ctx context.Context, part string, opts Options) error {
	wait := opts.Wait
	for attempt := 1; ; attempt++ {
		err := s.once(ctx, part, opts)
		if err == nil || attempt >= opts.Attempts || !brokenOff(err) {
			return err
		}
		// go-getter would continue a file that is there behind its end.
		if err := os.Remove(part); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
		wait = min(2*wait, maxWait)
	}
}

func (s *source) once(ctx context.Context, part string, opts Options) error {
	if s.path != "" {
		if err := checkLocal(s.path, opts.MaxBytes); err != nil {
			return err
		}
	}
	web := &getter.HttpGetter{
		Client:                httpClient(opts),
		XTerraformGetDisabled: true,
		// A HEAD request serves resuming only, and doubles what can go wrong.
		DoNotCheckHeadFirst: true,
	}
	limit := &sizeLimit{max: opts.MaxBytes}
	client := &getter.Client{
		Ctx:  ctx,
		Src:  s.getterSource(),
		Dst:  part,
		Mode: getter.ClientModeFile,
		Getters: map[string]getter.Getter{
			"file":  &getter.FileGetter{Copy: true},
			"http":  web,
			"https": web,
			"s3":    &getter.S3Getter{},
		},
		// Empty rather than nil: nil means go-getter's own lists.
		Detectors:        []getter.Detector{},
		Decompressors:    map[string]getter.Decompressor{},
		DisableSymlinks:  true,
		ProgressListener: limit,
	}
	err := client.Get()
	// go-getter takes a body that ends early because of the limit for a broken
	// connection; the limit knows better.
	if limit.exceeded.Load() {
		return tooLarge(opts.MaxBytes)
	}
	return err
}

// checkLocal looks at a local file before it is copied: go-getter limits
// neither its size nor, with a link, where it is.
func checkLocal(path string, max int64) error {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return err
	case info.Mode()&os.ModeSymlink != 0:
		return fmt.Errorf("%w: it is a symbolic link: give the file that it points to", ErrSource)
	case info.IsDir():
		return fmt.Errorf("%w: it is a folder: give a file", ErrSource)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w: it is no regular file", ErrSource)
	case info.Size() > max:
		return tooLarge(max)
	}
	return nil
}

func tooLarge(max int64) error {
	return fmt.Errorf("%w: more than %d bytes are not read here: is it the right file?", ErrTooLarge, max)
}
