//go:build unix

package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/slipway-k8s/slipway/internal/testchannel/testtree"
)

// runAs makes a user the owner of this world, of all but one folder, and has
// slipway-build run as them, with a build cache of their own.
func (w *world) runAs(uid int, but string) {
	w.t.Helper()
	w.uid = uid
	w.goCache, w.modCache = filepath.Join(w.dir, "gocache"), filepath.Join(w.dir, "mod")
	err := filepath.WalkDir(w.dir, func(p string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if but != "" && (p == but || strings.HasPrefix(p, but+string(filepath.Separator))) {
			return nil
		}
		return os.Lchown(p, uid, uid)
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func TestTwoBuildsThatShareNothingButTheirInputMakeTheSameTree(t *testing.T) {
	t.Parallel()
	c := newChannel(t)
	here := newWorld(t, c)
	here.env = []string{"TZ=UTC", "LANG=C", withUmask + "=022"}
	there := newWorld(t, c)
	there.out = filepath.Join(there.dir, "an output folder with spaces", "out")
	there.goCache, there.modCache = filepath.Join(there.dir, "gocache"), filepath.Join(there.dir, "mod")
	there.env = []string{"TZ=Pacific/Kiritimati", "LANG=tr_TR.UTF-8", "LC_ALL=tr_TR.UTF-8", withUmask + "=077", "GOFLAGS=-tags=evil", "GOAMD64=v3", "USER=somebody"}
	if os.Getuid() == 0 {
		there.runAs(65534, "")
	} else {
		t.Log("NOT TESTED: another user, since only root can be one")
	}
	here.mustRun("--platform", "all")
	there.mustRun("--platform", "all")
	want := testtree.Snapshot(t, here.out)
	testtree.Same(t, "with another folder, user, umask, time zone, language and caches", want, testtree.Snapshot(t, there.out))
	if _, ok := want["kubernetes-1-99/kubernetes-1-99-slipway-1.record.json"]; !ok {
		t.Errorf("no record of a whole release was compared, only %d files", len(want))
	}
}

func TestTwoBuildsAtOnce(t *testing.T) {
	t.Parallel()
	for _, same := range []string{"on one cache", "into one folder", "on one cache into one folder"} {
		t.Run(same, func(t *testing.T) {
			c := newChannel(t)
			worlds := []*world{newWorld(t, c), newWorld(t, c), newWorld(t, c)}
			for _, w := range worlds[1:] {
				if strings.Contains(same, "cache") {
					w.cache = worlds[0].cache
				}
				if strings.Contains(same, "folder") {
					w.out = worlds[0].out
				}
			}
			outcomes := make([]outcome, len(worlds))
			var wg sync.WaitGroup
			for i, w := range worlds {
				wg.Go(func() { outcomes[i] = w.run() })
			}
			wg.Wait()
			alone := newWorld(t, c)
			alone.mustRun()
			want := testtree.Snapshot(t, alone.out)
			for i, w := range worlds {
				wantFailure(t, outcomes[i], 0)
				if n := len(testtree.Truthful(t, w.out, "")); n != 1 {
					t.Errorf("build %d: %d Releases in its tree, want 1", i, n)
				}
				testtree.Same(t, "builds at once "+same, want, testtree.Snapshot(t, w.out))
				if left := w.leftovers(); len(left) > 0 {
					t.Errorf("left behind: %v", left)
				}
			}
		})
	}
}

// TestSmallComponentsAreReproducible compiles real components twice, once with
// caches that are empty. It needs the module proxy and about a minute.
func TestSmallComponentsAreReproducible(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles etcd and the CNI plugins twice: run without -short, as CI does")
	}
	t.Parallel()
	here, there := newWorld(t, nil), newWorld(t, nil)
	there.goCache = filepath.Join(there.dir, "gocache")
	there.env = []string{"TZ=Pacific/Kiritimati", "LANG=tr_TR.UTF-8", withUmask + "=077"}
	here.env = []string{"TZ=UTC", "LANG=C", withUmask + "=022"}
	// Modules are checked against the lock in either; only one downloads them.
	here.modCache = goEnv(t, "GOMODCACHE")
	there.modCache = here.modCache
	small := []string{"--component", "etcd,cni-plugins"}
	here.mustRun(small...)
	there.mustRun(small...)
	want := testtree.Snapshot(t, here.out)
	testtree.Same(t, "with empty caches", want, testtree.Snapshot(t, there.out))
	found := 0
	for p := range want {
		if strings.HasSuffix(p, ".tar.gz") {
			found++
		}
	}
	if found != 2 {
		t.Errorf("%d tarballs were compared, want etcd's and the plugins'", found)
	}
}
