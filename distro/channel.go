package distro

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"time"

	"golang.org/x/mod/semver"
)

// Channel is what is pinned for one Kubernetes minor version.
type Channel struct {
	// Name is the Kubernetes minor with a dash: "1-36".
	Name string `json:"channel"`
	// Vendor stands in stamps and tags. Never "eks": the bytes are not AWS's.
	Vendor string `json:"vendor"`
	// Release is the release that a whole build of this channel makes.
	Release ReleasePin `json:"release"`
	// Go is the toolchain, as "go version" names it: "go1.26.8".
	Go string `json:"go"`
	// Platforms are those that a whole release covers.
	Platforms []Platform `json:"platforms"`
	// PauseTag is the tag under which kubeadm looks for pause.
	PauseTag string `json:"pauseTag"`
	// Debian names the suite whose lock pins the Debian packages.
	Debian string `json:"debian"`
	// Support holds the dates after which the channel is no longer cared for.
	Support Support `json:"support"`
	// Components are the pins by component name.
	Components map[string]Pin `json:"components"`
	// Floors are lowest versions for modules, applied to every lock that has
	// the module when the locks are made.
	Floors []Floor `json:"floors,omitempty"`

	locks map[string]Lock
}

// ReleasePin is a release's number and date; both are given, never computed.
type ReleasePin struct {
	Number int    `json:"number"`
	Date   string `json:"date"` // RFC 3339
}

// Support are the dates (YYYY-MM-DD) of the EKS calendar and of upstream.
type Support struct {
	StandardEnd string `json:"standardEnd"`
	ExtendedEnd string `json:"extendedEnd"`
	UpstreamEnd string `json:"upstreamEnd"`
}

// Pin is what a channel pins of one component.
type Pin struct {
	Version string `json:"version"`          // upstream's git tag: v1.36.2
	Commit  string `json:"commit,omitempty"` // git commit, where the source knows it
	// Sha256 is the checksum of the source archive, for a recipe that has one.
	Sha256 string `json:"sha256,omitempty"`
}

// Floor is the lowest version of a module that a channel's locks may have.
type Floor struct {
	Module     string   `json:"module"`
	Version    string   `json:"version"`
	Reason     string   `json:"reason"`               // a CVE, or alignment
	Components []string `json:"components,omitempty"` // none: every lock of the channel
}

// AppliesTo says whether the floor counts for the lock of that component.
func (f Floor) AppliesTo(component string) bool {
	if len(f.Components) == 0 {
		return true
	}
	for _, c := range f.Components {
		if c == component {
			return true
		}
	}
	return false
}

// Lock pins a component's modules: the go.mod and go.sum of its wrapper module.
type Lock struct {
	Mod, Sum []byte
}

// Lock is the module lock of a component.
func (ch *Channel) Lock(component string) (Lock, error) {
	l, ok := ch.locks[component]
	if !ok {
		return Lock{}, fmt.Errorf("channel %s: component %s: has no lock (%s/locks/%s.mod): run slipway-release bump --channel %s --relock",
			ch.Name, component, ch.Name, component, ch.Name)
	}
	return l, nil
}

// LockFiles are the paths of a component's lock in the channels folder.
func LockFiles(channel, component string) (mod, sum string) {
	base := channel + "/locks/" + component
	return base + ".mod", base + ".sum"
}

func (ch *Channel) readLocks(fsys fs.FS, name string) error {
	ch.locks = map[string]Lock{}
	for component := range ch.Components {
		mod, sum := LockFiles(name, component)
		m, err := fs.ReadFile(fsys, mod)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a component without Go modules, or one that shares a lock
		}
		if err != nil {
			return err
		}
		s, err := fs.ReadFile(fsys, sum)
		if err != nil {
			return fmt.Errorf("%s: a lock has two files: %w", mod, err)
		}
		ch.locks[component] = Lock{Mod: m, Sum: s}
	}
	return nil
}

// Minor is the Kubernetes minor with a dot: "1.36".
func (ch *Channel) Minor() string { return strings.Replace(ch.Name, "-", ".", 1) }

// ReleaseName is the name of a whole release: "kubernetes-1-36-slipway-1".
func (ch *Channel) ReleaseName() string {
	return fmt.Sprintf("kubernetes-%s-%s-%d", ch.Name, ch.Vendor, ch.Release.Number)
}

// Date is the release's date in UTC.
func (ch *Channel) Date() (time.Time, error) { return time.Parse(time.RFC3339, ch.Release.Date) }

// SupportState says in words how a channel stands on a day: "standard",
// "extended" or "ended", by the EKS calendar.
func (s Support) State(day time.Time) string {
	d := day.UTC().Format(time.DateOnly)
	switch {
	case d <= s.StandardEnd:
		return "standard"
	case d <= s.ExtendedEnd:
		return "extended"
	default:
		return "ended"
	}
}

var (
	channelName = regexp.MustCompile(`^1-[1-9][0-9]$`)
	vendorName  = regexp.MustCompile(`^[a-z][a-z0-9]*$`)
	hexCommit   = regexp.MustCompile(`^[0-9a-f]{40}$`)
	hexSha256   = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// validateChannel checks a channel against itself and against the recipes.
func (c *Catalog) validateChannel(ch *Channel, folder string) error {
	var errs []error
	fail := func(field, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s/channel.yaml: %s: %s", folder, field, fmt.Sprintf(format, args...)))
	}
	if ch.Name != folder || !channelName.MatchString(ch.Name) {
		fail("channel", "is %q, want the folder's name %q, such as 1-36", ch.Name, folder)
	}
	if !vendorName.MatchString(ch.Vendor) {
		fail("vendor", "is %q, want lower-case letters and digits", ch.Vendor)
	}
	if ch.Vendor == "eks" {
		fail("vendor", `is "eks": the bytes are not AWS's, so neither may the name be`)
	}
	if ch.Release.Number < 1 {
		fail("release.number", "is %d, want 1 or more", ch.Release.Number)
	}
	if _, err := ch.Date(); err != nil {
		fail("release.date", "is %q, want RFC 3339, such as 2026-11-22T00:00:00Z", ch.Release.Date)
	}
	if !strings.HasPrefix(ch.Go, "go1.") {
		fail("go", "is %q, want a Go toolchain, such as go1.26.8", ch.Go)
	}
	if len(ch.Platforms) == 0 {
		fail("platforms", "is empty")
	}
	for field, day := range map[string]string{"standardEnd": ch.Support.StandardEnd, "extendedEnd": ch.Support.ExtendedEnd, "upstreamEnd": ch.Support.UpstreamEnd} {
		if _, err := time.Parse(time.DateOnly, day); err != nil {
			fail("support."+field, "is %q, want YYYY-MM-DD", day)
		}
	}
	for name, pin := range ch.Components {
		c.validatePin(name, pin, fail)
	}
	for _, r := range c.recipes {
		if _, ok := ch.Components[r.Name]; !ok && r.Source.pinned() {
			fail("components", "lacks %s, for which there is a recipe", r.Name)
		}
	}
	for i, f := range ch.Floors {
		c.validateFloor(fmt.Sprintf("floors[%d]", i), f, fail)
	}
	return errors.Join(errs...)
}

func (c *Catalog) validatePin(name string, pin Pin, fail func(string, string, ...any)) {
	field := "components." + name
	r, err := c.Recipe(name)
	if err != nil {
		fail(field, "%v", err)
		return
	}
	if pin.Version == "" {
		fail(field+".version", "is empty")
	}
	if pin.Commit != "" && !hexCommit.MatchString(pin.Commit) {
		fail(field+".commit", "is %q, want 40 hex digits", pin.Commit)
	}
	if r.Source.Archive != "" && !hexSha256.MatchString(pin.Sha256) {
		fail(field+".sha256", "is %q, want 64 hex digits: the source is an archive", pin.Sha256)
	}
}

func (c *Catalog) validateFloor(field string, f Floor, fail func(string, string, ...any)) {
	if f.Module == "" || !semver.IsValid(f.Version) {
		fail(field, "is %s@%s, want a module and a version", f.Module, f.Version)
	}
	if f.Reason == "" {
		fail(field+".reason", "is empty: say why (a CVE, or alignment)")
	}
	for _, name := range f.Components {
		if _, err := c.Recipe(name); err != nil {
			fail(field+".components", "%v", err)
		}
	}
}

// Modules is how many modules the lock pins.
func (l Lock) Modules() int {
	n := 0
	for _, line := range strings.Split(string(l.Sum), "\n") {
		if f := strings.Fields(line); len(f) == 3 && !strings.HasSuffix(f[1], "/go.mod") {
			n++
		}
	}
	return n
}
