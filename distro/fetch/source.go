package fetch

import (
	"encoding/hex"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const allowed = "allowed are a path and URLs that start with https://, http://, s3:// or file://"

// source is a parsed source: a path or a URL, and the checksum it must have.
type source struct {
	// name is src as errors may print it.
	name string
	// path is set for local files: absolute and clean.
	path string
	// url is set for the others; it has no checksum any more.
	url *url.URL
	// s3 is whether go-getter's S3 getter is forced on url.
	s3 bool
	// checksum is "" or "sha256:…" or "sha512:…".
	checksum string
	secrets  []string
}

var (
	forced = regexp.MustCompile(`^([A-Za-z0-9+.-]+)::(.+)$`)
	scheme = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]*)://`)
)

func parseSource(src string) (*source, error) {
	s := &source{}
	rest := src
	if m := forced.FindStringSubmatch(src); m != nil {
		if m[1] != "s3" || !strings.HasPrefix(m[2], "https://") && !strings.HasPrefix(m[2], "http://") {
			return nil, fmt.Errorf("fetch %q: %w: %s:: is a forced getter: %s", Redacted(src), ErrSource, m[1], allowed)
		}
		s.s3, rest = true, m[2]
	}
	if src == "" {
		return nil, fmt.Errorf("fetch: %w: the source is empty: %s", ErrSource, allowed)
	}
	if !scheme.MatchString(rest) {
		return s.parsePath(rest)
	}
	u, err := url.Parse(rest)
	if err != nil {
		// The error of url.Parse quotes the URL with its password.
		return nil, fmt.Errorf("fetch %q: %w: is no valid URL: %s", Redacted(src), ErrSource, allowed)
	}
	s.name = Redacted(src)
	s.secrets = secretsOf(u)
	if err := s.parseURL(u); err != nil {
		return nil, fmt.Errorf("fetch %q: %w", s.name, err)
	}
	return s, nil
}

// parsePath takes ?checksum= off the end of a path: any other question mark is
// part of the file's name.
func (s *source) parsePath(path string) (*source, error) {
	s.name = path
	path, sum, has := strings.Cut(path, "?checksum=")
	if err := s.setChecksum([]string{sum}, has); err != nil {
		return nil, fmt.Errorf("fetch %q: %w", s.name, err)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("fetch %q: %w", s.name, err)
	}
	s.path = abs
	return s, nil
}

func (s *source) parseURL(u *url.URL) error {
	q := u.Query()
	sums, has := q["checksum"]
	if err := s.setChecksum(sums, has); err != nil {
		return err
	}
	q.Del("checksum")
	// Both are instructions to go-getter rather than parts of an address.
	for _, magic := range []string{"archive", "filename"} {
		if q.Has(magic) {
			return fmt.Errorf("%w: the query has %s=, but nothing is unpacked or renamed: remove it", ErrSource, magic)
		}
	}
	if has {
		u.RawQuery = q.Encode()
	}
	switch strings.ToLower(u.Scheme) {
	case "file":
		if u.Host != "" && u.Host != "localhost" {
			return fmt.Errorf("%w: a file:// URL names no host: want three slashes, file:///folder/file", ErrSource)
		}
		if len(q) > 0 {
			return fmt.Errorf("%w: a file:// URL has no query but ?checksum=", ErrSource)
		}
		s.path = filepath.Clean(u.Path)
		return nil
	case "s3":
		return s.parseS3(u, q)
	case "http", "https":
	default:
		return fmt.Errorf("%w: scheme %q: %s", ErrSource, u.Scheme, allowed)
	}
	if u.Host == "" {
		return fmt.Errorf("%w: the URL has no host", ErrSource)
	}
	// go-getter takes a double slash for the border between a package and a
	// folder in it, and would fetch something else.
	if strings.Contains(u.Path, "//") {
		return fmt.Errorf("%w: the URL's path has a double slash: write one", ErrSource)
	}
	s.url = u
	return nil
}

var awsRegion = regexp.MustCompile(`^[a-z]{2}(?:-[a-z]+)+-[0-9]+$`)

// parseS3 turns s3://bucket/key into the form that go-getter knows. It reads the
// region from the host's first label ("s3-eu-central-1"), the one form with the
// bucket in the path that it parses for every region.
func (s *source) parseS3(u *url.URL, q url.Values) error {
	region := q.Get("region")
	if region == "" {
		region = "us-east-1"
	}
	key := strings.TrimPrefix(u.Path, "/")
	switch {
	case !awsRegion.MatchString(region):
		return fmt.Errorf("%w: region %q: want an AWS region, such as eu-central-1", ErrSource, region)
	case u.Host == "" || key == "":
		return fmt.Errorf("%w: want s3://bucket/key?region=eu-central-1", ErrSource)
	case u.User != nil:
		return fmt.Errorf("%w: an s3:// URL holds no credentials: they come from where AWS tools have them", ErrSource)
	case strings.Contains(u.Path, "//"):
		return fmt.Errorf("%w: the key has a double slash, which go-getter cannot fetch", ErrSource)
	}
	q.Del("region")
	s.s3 = true
	s.url = &url.URL{Scheme: "https", Host: "s3-" + region + ".amazonaws.com", Path: "/" + u.Host + "/" + key, RawQuery: q.Encode()}
	return nil
}

// setChecksum accepts what is still safe. go-getter would ignore an empty
// checksum, and would take md5 or a list of checksums that it fetches.
func (s *source) setChecksum(sums []string, has bool) error {
	if !has {
		return nil
	}
	if len(sums) != 1 {
		return fmt.Errorf("%w: has checksum= %d times: want one", ErrSource, len(sums))
	}
	kind, value, _ := strings.Cut(sums[0], ":")
	size, known := map[string]int{"sha256": 32, "sha512": 64}[kind]
	b, err := hex.DecodeString(value)
	if !known || err != nil || len(b) != size {
		return fmt.Errorf("%w: checksum=%s: want sha256:<64 hex digits> or sha512:<128 hex digits>", ErrSource, sums[0])
	}
	s.checksum = kind + ":" + strings.ToLower(value)
	return nil
}

// getterSource is the source as go-getter is to read it.
func (s *source) getterSource() string {
	u := url.URL{Scheme: "file", Path: s.path}
	if s.url != nil {
		u = *s.url
	}
	if s.checksum != "" {
		q := u.Query()
		q.Set("checksum", s.checksum)
		u.RawQuery = q.Encode()
	}
	if s.s3 {
		return "s3::" + u.String()
	}
	return u.String()
}

// Redacted is src without user name and password, and without the values in its
// query but those of checksum, region and version, which are no secrets.
func Redacted(src string) string {
	prefix := ""
	if m := forced.FindStringSubmatch(src); m != nil {
		prefix, src = m[1]+"::", m[2]
	}
	if !scheme.MatchString(src) {
		return prefix + src // a path
	}
	u, err := url.Parse(src)
	if err != nil {
		before, _, _ := strings.Cut(src, "?")
		if i := strings.LastIndex(before, "@"); i >= 0 {
			before = "REDACTED" + before[i:]
		}
		return prefix + before
	}
	if u.User != nil {
		u.User = url.User("REDACTED")
	}
	u.Fragment = ""
	q := u.Query()
	for key := range q {
		if !slices.Contains(public, key) {
			q.Set(key, "REDACTED")
		}
	}
	u.RawQuery = q.Encode()
	// The colon of a checksum need not be escaped, and reads better.
	return prefix + strings.ReplaceAll(u.String(), "%3A", ":")
}

var public = []string{"checksum", "region", "version"}

// secretsOf are the parts of u that no error may show.
func secretsOf(u *url.URL) []string {
	var out []string
	if u.User != nil {
		password, _ := u.User.Password()
		out = append(out, u.User.String(), password, u.User.Username())
	}
	for key, values := range u.Query() {
		if !slices.Contains(public, key) {
			for _, v := range values {
				out = append(out, v, url.QueryEscape(v))
			}
		}
	}
	return out
}
