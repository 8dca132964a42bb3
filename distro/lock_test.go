package distro

import (
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// eachLock runs a test for the lock of every component with modules, in every
// embedded channel.
func eachLock(t *testing.T, test func(t *testing.T, c *Catalog, ch *Channel, r *Recipe, mod *modfile.File, sum string)) {
	t.Helper()
	eachChannel(t, func(t *testing.T, c *Catalog, ch *Channel) {
		for _, r := range c.Recipes() {
			if len(r.Source.Modules) == 0 {
				continue
			}
			lock, err := ch.Lock(r.Name)
			if err != nil {
				t.Error(err)
				continue
			}
			name, _ := LockFiles(ch.Name, r.Name)
			mod, err := modfile.Parse(name, lock.Mod, nil)
			if err != nil {
				t.Error(err)
				continue
			}
			t.Run(r.Name, func(t *testing.T) { test(t, c, ch, r, mod, string(lock.Sum)) })
		}
	})
}

// required are a lock's modules as they are used: after replacement.
func required(mod *modfile.File) (used []module.Version, replaced map[string]bool) {
	replaced = map[string]bool{}
	to := map[string]module.Version{}
	for _, r := range mod.Replace {
		replaced[r.Old.Path], to[r.Old.Path] = true, r.New
	}
	for _, r := range mod.Require {
		if replaced[r.Mod.Path] {
			used = append(used, to[r.Mod.Path])
		} else {
			used = append(used, r.Mod)
		}
	}
	return used, replaced
}

func TestEveryLockMeetsTheFloorsOfItsChannel(t *testing.T) {
	eachLock(t, func(t *testing.T, _ *Catalog, ch *Channel, r *Recipe, mod *modfile.File, _ string) {
		_, replaced := required(mod)
		for _, f := range ch.Floors {
			if !f.AppliesTo(r.Name) {
				continue
			}
			for _, q := range mod.Require {
				// What is replaced comes out of the component's own tree.
				if q.Mod.Path == f.Module && !replaced[f.Module] && semver.Compare(q.Mod.Version, f.Version) < 0 {
					t.Errorf("%s is %s, below the floor %s (%s)", f.Module, q.Mod.Version, f.Version, f.Reason)
				}
			}
		}
	})
}

func TestEveryLockSaysWhichGodebugDefaultItHas(t *testing.T) {
	eachLock(t, func(t *testing.T, _ *Catalog, ch *Channel, r *Recipe, mod *modfile.File, _ string) {
		def := ""
		for _, g := range mod.Godebug {
			if g.Key == "default" {
				def = g.Value
			}
		}
		if def == "" {
			t.Error("has no godebug default: the go line of the wrapper would decide how the programs behave")
		}
		// As in upstream's own go.mod at these tags.
		upstream := map[string]string{"1-33": "go1.24", "1-34": "go1.24", "1-35": "go1.25", "1-36": "go1.26"}
		if r.Name == "kubernetes" && def != upstream[ch.Name] {
			t.Errorf("godebug default is %s, upstream's is %s", def, upstream[ch.Name])
		}
	})
}

func TestEveryLockIsWholeAndAtItsPin(t *testing.T) {
	eachLock(t, func(t *testing.T, c *Catalog, ch *Channel, r *Recipe, mod *modfile.File, sum string) {
		sums := map[string]bool{}
		for _, line := range strings.Split(sum, "\n") {
			if f := strings.Fields(line); len(f) == 3 && strings.HasPrefix(f[2], "h1:") {
				sums[f[0]+"@"+f[1]] = true
			}
		}
		used, _ := required(mod)
		for _, m := range used {
			if !sums[m.String()+"/go.mod"] && !sums[m.String()] {
				t.Errorf("go.sum has no line for %s", m)
			}
		}
		for _, m := range r.Source.Modules {
			pinned := module.Version{Path: m, Version: ch.Components[r.Name].Version}
			if !slices.Contains(used, pinned) {
				t.Errorf("does not require %s, which the channel pins", pinned)
			}
			if !sums[pinned.String()] {
				t.Errorf("go.sum has no hash of %s", pinned)
			}
		}
		if got, want := tools(mod), packages(c, r.Name); !slices.Equal(got, want) {
			t.Errorf("resolved for the packages %v, the recipes build %v", got, want)
		}
	})
}

func tools(mod *modfile.File) []string {
	var all []string
	for _, t := range mod.Tool {
		all = append(all, t.Path)
	}
	slices.Sort(all)
	return all
}

// packages are those that a unit's recipes build.
func packages(c *Catalog, unit string) []string {
	var all []string
	for _, r := range c.Recipes() {
		if r.Unit() == unit {
			for _, b := range r.Binaries {
				all = append(all, b.Package)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func TestNoLockIsLeftOver(t *testing.T) {
	eachChannel(t, func(t *testing.T, c *Catalog, ch *Channel) {
		files, err := fs.Glob(c.channels, ch.Name+"/locks/*")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			name := strings.TrimSuffix(path.Base(f), path.Ext(f))
			if r, err := c.Recipe(name); err != nil || len(r.Source.Modules) == 0 {
				t.Errorf("%s: no recipe with modules is called %s", f, name)
			}
		}
	})
}
