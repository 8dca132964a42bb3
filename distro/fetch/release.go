package fetch

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"path"
	"strings"

	"github.com/slipway-k8s/slipway/distro/release"
)

// Release fetches and reads a release manifest; see File for what src may be
// and release.Read for how strict reading is. The second value is the manifest
// as it was fetched.
func Release(ctx context.Context, src string) (*release.Release, []byte, error) {
	b, err := Bytes(ctx, src, Options{MaxBytes: release.MaxBytes})
	if err != nil {
		return nil, nil, err
	}
	r, err := release.Read(bytes.NewReader(b), Redacted(src))
	if err != nil {
		return nil, nil, err
	}
	return r, b, nil
}

// Record fetches the record of the release that was read from manifestSrc: the
// file beside it whose name ends in .record.json instead of .yaml. The record
// must be the one that the release names (release.ErrNotBound if not).
func Record(ctx context.Context, manifestSrc string, r *release.Release) (*release.Record, error) {
	src, err := recordSource(manifestSrc)
	if err != nil {
		return nil, err
	}
	b, err := Bytes(ctx, src, Options{MaxBytes: release.MaxBytes})
	if err != nil {
		return nil, fmt.Errorf("the record of release %s belongs beside its manifest: %w", r.Name, err)
	}
	if err := release.CheckBinding(r, b); err != nil {
		return nil, fmt.Errorf("%s: %w", Redacted(src), err)
	}
	record, err := release.ReadRecord(bytes.NewReader(b), Redacted(src))
	if err != nil {
		return nil, err
	}
	if record.Release != r.Name {
		return nil, fmt.Errorf("%s: release: found %q, want %q", Redacted(src), record.Release, r.Name)
	}
	return record, nil
}

// recordSource is the manifest's source with another file name. A checksum is
// dropped, since it is the manifest's; the rest of a query stays.
func recordSource(manifest string) (string, error) {
	swap := func(file string) (string, error) {
		for _, ext := range []string{".yaml", ".yml", ".json"} {
			if base, ok := strings.CutSuffix(file, ext); ok && path.Base(file) != ext {
				return release.RecordFile(base), nil
			}
		}
		return "", fmt.Errorf("manifest %q: %w: its name does not end in .yaml, so that of the record is not known", Redacted(manifest), ErrSource)
	}
	prefix, rest := "", manifest
	if m := forced.FindStringSubmatch(manifest); m != nil {
		prefix, rest = m[1]+"::", m[2]
	}
	if !scheme.MatchString(rest) {
		file, _, _ := strings.Cut(rest, "?checksum=")
		return swap(file)
	}
	u, err := url.Parse(rest)
	if err != nil {
		return "", fmt.Errorf("manifest %q: %w: is no valid URL", Redacted(manifest), ErrSource)
	}
	if u.Path, err = swap(u.Path); err != nil {
		return "", err
	}
	u.RawPath = ""
	q := u.Query()
	q.Del("checksum")
	u.RawQuery = q.Encode()
	return prefix + u.String(), nil
}
