package debian

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ulikunitz/xz"
)

// Spec is what a lock is made from.
type Spec struct {
	Suite         string // code name: bookworm
	Architectures []string
	Sets          []SetSpec
}

// SetSpec is what a set is made from; see Set.
type SetSpec struct {
	Name  string
	Roots []string
	Omit  []string
}

// Limits in bytes. Debian 12's are 0.2 MB, 9 MB and 46 MB.
const (
	maxInRelease     = 8 << 20
	maxPackagesXZ    = 64 << 20
	maxPackagesPlain = 512 << 20
)

// snapshotDelay is added to the newest Release date: the permanent archive
// takes its copies a few times a day, so it has a package only some hours after
// the Release that names it, while a superseded one stays for a day or more.
const snapshotDelay = 24 * time.Hour

// Refresher makes locks from what mirrors have now.
type Refresher struct {
	Mirrors Mirrors
	// Keys sign the InRelease files; nil is ArchiveKeys.
	Keys openpgp.KeyRing
	// Now is the time that signatures and dates are checked against; nil is
	// the machine's clock.
	Now func() time.Time
	// Get fetches one file; nil is FetchGet.
	Get Get
}

// Refresh reads the signed indexes of the suite, its updates and its security
// updates and pins the newest version of everything the sets need. It is
// deterministic: the same indexes give the same lock.
func (r *Refresher) Refresh(ctx context.Context, spec Spec) (*Lock, error) {
	dir, err := os.MkdirTemp("", "slipway-debian-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	pools := map[string]*pool{}
	for _, arch := range spec.Architectures {
		pools[arch] = newPool(arch)
	}
	newest := time.Time{}
	for _, s := range []struct{ archive, suite string }{
		{Main, spec.Suite}, {Main, spec.Suite + "-updates"}, {Security, spec.Suite + "-security"},
	} {
		date, err := r.readSuite(ctx, dir, s.archive, s.suite, pools)
		if err != nil {
			return nil, fmt.Errorf("Debian suite %s: %w", s.suite, err)
		}
		if date.After(newest) {
			newest = date
		}
	}
	lock := &Lock{Suite: spec.Suite, Architectures: spec.Architectures, Snapshot: newest.Add(snapshotDelay).UTC().Format(SnapshotForm)}
	if err := lock.pin(spec.Sets, pools); err != nil {
		return nil, err
	}
	if err := lock.check(); err != nil {
		return nil, fmt.Errorf("the new Debian lock: %w", err)
	}
	return lock, nil
}

func (l *Lock) pin(sets []SetSpec, pools map[string]*pool) error {
	pinned := map[string]Package{}
	for _, spec := range sets {
		set := Set{Name: spec.Name, Roots: spec.Roots, Omit: spec.Omit, Closure: map[string][]string{}}
		for _, arch := range l.Architectures {
			packages, err := pools[arch].closure(spec.Roots, spec.Omit)
			if err != nil {
				return fmt.Errorf("set %s: %w", spec.Name, err)
			}
			for _, p := range packages {
				set.Closure[arch] = append(set.Closure[arch], p.Name)
				key := p.Name + " " + p.Architecture
				// One "all" package is in several indexes: they must agree.
				if other, ok := pinned[key]; ok && other != p {
					return fmt.Errorf("set %s: the indexes disagree about %s: %+v and %+v; try again when the mirror has settled", spec.Name, p.Name, other, p)
				}
				pinned[key] = p
			}
		}
		l.Sets = append(l.Sets, set)
	}
	for _, p := range pinned {
		l.Packages = append(l.Packages, p)
	}
	sort.Slice(l.Packages, func(i, j int) bool {
		a, b := l.Packages[i], l.Packages[j]
		return a.Name < b.Name || a.Name == b.Name && a.Architecture < b.Architecture
	})
	return nil
}

// readSuite adds a suite's packages to the pools, from the first mirror whose
// files are all there and right.
func (r *Refresher) readSuite(ctx context.Context, dir, archive, suite string, pools map[string]*pool) (time.Time, error) {
	mirrors := r.Mirrors.Of(archive)
	if len(mirrors) == 0 {
		return time.Time{}, fmt.Errorf("no mirror of the archive %s is known: name one by flag", archive)
	}
	var tried []string
	for _, m := range mirrors {
		release, lists, err := r.fetchSuite(ctx, dir, m.URL+"/dists/"+suite, suite, pools)
		if err != nil {
			if ctx.Err() != nil {
				return time.Time{}, ctx.Err()
			}
			tried = append(tried, fmt.Sprintf("\n  %s (from %s): %v", m.URL, m.Origin, err))
			continue
		}
		for arch, list := range lists {
			if err := readPackages(list, archive, pools[arch]); err != nil {
				return time.Time{}, fmt.Errorf("%s: package list for %s: %w", m.URL, arch, err)
			}
		}
		return release.date, nil
	}
	return time.Time{}, fmt.Errorf("no mirror serves it whole and signed:%s", strings.Join(tried, ""))
}

// fetchSuite fetches a suite's InRelease and the package lists it names, by
// architecture.
func (r *Refresher) fetchSuite(ctx context.Context, dir, base, suite string, pools map[string]*pool) (*inRelease, map[string]string, error) {
	get, now, keys := r.Get, time.Now, r.Keys
	if get == nil {
		get = FetchGet
	}
	if r.Now != nil {
		now = r.Now
	}
	if keys == nil {
		embedded, err := ArchiveKeys()
		if err != nil {
			return nil, nil, err
		}
		keys = embedded
	}
	signed := filepath.Join(dir, "InRelease")
	if err := get(ctx, base+"/InRelease", signed, maxInRelease); err != nil {
		return nil, nil, fmt.Errorf("InRelease: %w", err)
	}
	text, err := os.ReadFile(signed)
	if err != nil {
		return nil, nil, err
	}
	release, err := readInRelease(text, suite, keys, now())
	if err != nil {
		return nil, nil, fmt.Errorf("InRelease %w", err)
	}
	lists := map[string]string{}
	for arch := range pools {
		name := "main/binary-" + arch + "/Packages.xz"
		want, ok := release.files[name]
		if !ok || want.size > maxPackagesXZ {
			return nil, nil, fmt.Errorf("InRelease lists no usable %s", name)
		}
		list := filepath.Join(dir, suite+"-"+arch+".xz")
		// By its digest an index stays reachable while the mirror is updated.
		err := ErrNotFound
		if release.byHash {
			err = get(ctx, base+"/main/binary-"+arch+"/by-hash/SHA256/"+want.sha256, list, want.size)
		}
		if errors.Is(err, ErrNotFound) {
			err = get(ctx, base+"/"+name, list, want.size)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
		if err := checkFile(list, want.sha256, want.size); err != nil {
			return nil, nil, fmt.Errorf("%s %w, which the signed InRelease states", name, err)
		}
		lists[arch] = list
	}
	return release, lists, nil
}

// readPackages adds the stanzas of a Packages.xz to p.
func readPackages(name, archive string, p *pool) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	plain, err := xz.NewReader(bufio.NewReader(f))
	if err != nil {
		return err
	}
	return ReadStanzas(io.LimitReader(plain, maxPackagesPlain), filepath.Base(name), func(s Stanza) error { return p.add(archive, s) })
}
