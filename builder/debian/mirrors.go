package debian

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// SnapshotURL is Debian's permanent archive, which keeps every version that was
// ever published. It is the one host that Slipway names, and the last resort:
// used when neither a flag nor the host's apt configuration has what is wanted.
const SnapshotURL = "https://snapshot.debian.org/archive"

// AptFolder is where Debian hosts configure their mirrors.
const AptFolder = "/etc/apt"

// Mirror is a place that serves one archive.
type Mirror struct {
	// Archive is Main or Security.
	Archive string
	// URL is the archive's root, which holds dists/ and pool/; no slash at
	// its end.
	URL string
	// Origin says where the mirror's address comes from, for messages.
	Origin string
}

// Mirrors is a list of places to try, in order.
type Mirrors []Mirror

// Of lists the mirrors of one archive.
func (m Mirrors) Of(archive string) Mirrors {
	var some Mirrors
	for _, mirror := range m {
		if mirror.Archive == archive {
			some = append(some, mirror)
		}
	}
	return some
}

// FindMirrors decides where to fetch from. With flags it is those and nothing
// else, so that a closed site asks no other host. Otherwise it is the mirrors
// of the host's apt configuration in aptFolder (AptFolder; it need not exist),
// then the permanent archive as of snapshot (in SnapshotForm).
//
// A flag is "debian=URL" or "debian-security=URL" for one archive's root, or a
// bare URL: that of a folder which has both archives under those names, or of
// the one called debian in such a folder.
func FindMirrors(flags []string, aptFolder, snapshot string) (Mirrors, error) {
	var all Mirrors
	for _, flag := range flags {
		some, err := parseMirror(flag)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	if len(all) > 0 {
		return all, nil
	}
	all, err := aptMirrors(aptFolder)
	if err != nil {
		return nil, err
	}
	for _, archive := range []string{Main, Security} {
		all = append(all, Mirror{Archive: archive, URL: SnapshotURL + "/" + archive + "/" + snapshot, Origin: "Debian's permanent archive"})
	}
	return all, nil
}

func parseMirror(flag string) (Mirrors, error) {
	archive, address := "", flag
	if a, rest, ok := strings.Cut(flag, "="); ok && !strings.Contains(a, "/") {
		if a != Main && a != Security {
			return nil, fmt.Errorf("mirror %q: %q is not an archive: %s or %s", flag, a, Main, Security)
		}
		archive, address = a, rest
	}
	root, err := cleanURL(address)
	if err != nil {
		return nil, fmt.Errorf("mirror %q: %w", flag, err)
	}
	if archive != "" {
		return Mirrors{{Archive: archive, URL: root, Origin: "the flag"}}, nil
	}
	root = strings.TrimSuffix(root, "/"+Main)
	return Mirrors{
		{Archive: Main, URL: root + "/" + Main, Origin: "the flag"},
		{Archive: Security, URL: root + "/" + Security, Origin: "the flag"},
	}, nil
}

// cleanURL takes http and https addresses, without query and closing slashes.
func cleanURL(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return "", errors.New("want an address such as https://mirror.example/debian")
	}
	return strings.TrimRight(address, "/"), nil
}

// aptMirrors reads sources.list, sources.list.d/*.list and *.sources. What apt
// would refuse is left for apt to complain about: a line we cannot use is no
// reason to fail, since there are other mirrors.
func aptMirrors(folder string) (Mirrors, error) {
	lists, err := filepath.Glob(filepath.Join(folder, "sources.list.d", "*"))
	if err != nil {
		return nil, err
	}
	var all Mirrors
	for _, name := range append([]string{filepath.Join(folder, "sources.list")}, lists...) {
		var parse func(string) []source
		switch path.Ext(name) {
		case ".list":
			parse = oneLineSources
		case ".sources":
			parse = deb822Sources
		default:
			continue // apt ignores other endings too
		}
		text, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("apt configuration: %w; name a mirror by flag instead", err)
		}
		for _, s := range parse(string(text)) {
			if m, ok := s.mirror(name); ok && !slices.Contains(all, m) {
				all = append(all, m)
			}
		}
	}
	return all, nil
}

// source is one repository of the apt configuration.
type source struct {
	uri, suite string
	components []string
}

// Code names and aliases of Debian's releases. The pool is common to all of
// them, so a host of any release knows a mirror for ours. Other publishers'
// repositories for Debian have suites, or components, of their own.
var debianSuites = []string{
	"bullseye", "bookworm", "trixie", "forky", "duke", "sid",
	"oldoldstable", "oldstable", "stable", "testing", "unstable",
}

func (s source) mirror(file string) (Mirror, bool) {
	root, err := cleanURL(s.uri)
	base, kind, _ := strings.Cut(strings.Trim(s.suite, "/"), "-")
	known := slices.Contains(debianSuites, base) &&
		slices.Contains([]string{"", "updates", "backports", "proposed-updates", "security"}, kind)
	if err != nil || !known || !slices.Contains(s.components, "main") {
		return Mirror{}, false
	}
	archive := Main
	if kind == "security" {
		archive = Security
	}
	return Mirror{Archive: archive, URL: root, Origin: file}, true
}

// oneLineSources reads "deb [options] uri suite component…" (sources.list(5)).
func oneLineSources(text string) []source {
	var all []source
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		if open, end := strings.Index(line, "["), strings.Index(line, "]"); open >= 0 && end > open {
			line = line[:open] + line[end+1:]
		}
		if f := strings.Fields(line); len(f) >= 3 && f[0] == "deb" {
			all = append(all, source{uri: f[1], suite: f[2], components: f[3:]})
		}
	}
	return all
}

// deb822Sources reads paragraphs of Types, URIs, Suites and Components.
func deb822Sources(text string) []source {
	var all []source
	_ = ReadStanzas(strings.NewReader(text), "", func(s Stanza) error { // see aptMirrors
		if !slices.Contains(strings.Fields(s["Types"]), "deb") || slices.Contains([]string{"no", "false"}, strings.ToLower(s["Enabled"])) {
			return nil
		}
		for _, uri := range strings.Fields(s["URIs"]) {
			for _, suite := range strings.Fields(s["Suites"]) {
				all = append(all, source{uri: uri, suite: suite, components: strings.Fields(s["Components"])})
			}
		}
		return nil
	})
	return all
}
