package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// tmpfs mounts a small file system; only root can.
func tmpfs(t *testing.T, dir, options string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("NOT TESTED: a full and a read-only disk, since mounting one takes root")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("slipway-test", dir, "tmpfs", 0, options); err != nil {
		t.Skipf("NOT TESTED: a full and a read-only disk, since no tmpfs can be mounted here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
}

func remount(t *testing.T, dir string, flags uintptr, options string) {
	t.Helper()
	if err := syscall.Mount("slipway-test", dir, "tmpfs", syscall.MS_REMOUNT|flags, options); err != nil {
		t.Fatal(err)
	}
}

func TestAFullDiskSaysSoAndAfterMakingRoomTheBuildWorks(t *testing.T) {
	t.Parallel()
	// Rooms in kilobytes, so that it runs full at different points.
	for _, c := range []struct {
		name string
		dir  func(*world) string
		size []string
		hint string
	}{
		{"output", func(w *world) string { return w.out }, []string{"512k", "2m", "4m"}, "the disk is full|the registry's disk is full"},
		{"cache", func(w *world) string { return w.cache }, []string{"512k", "2m"}, "the disk is full"},
	} {
		for _, size := range c.size {
			t.Run(c.name+" "+size, func(t *testing.T) {
				w := newWorld(t, newChannel(t))
				dir := c.dir(w)
				if c.name == "cache" {
					if err := os.RemoveAll(dir); err != nil {
						t.Fatal(err)
					}
				}
				tmpfs(t, dir, "size="+size)
				if c.name == "cache" {
					w.seedCache()
				}
				o := w.run()
				wantFailure(t, o, 1, "no space left on device", "run again")
				if !containsOne(o.stderr, strings.Split(c.hint, "|")) {
					t.Errorf("the error does not say %q:\n%s", c.hint, o.stderr)
				}
				w.noManifest()
				remount(t, dir, 0, "size=64m")
				w.mustRun()
				if left := w.leftovers(); len(left) > 0 {
					t.Errorf("left behind: %v", left)
				}
			})
		}
	}
}

func containsOne(s string, parts []string) bool {
	for _, p := range parts {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}

func TestAFolderThatCannotBeWrittenSaysWhatToDo(t *testing.T) {
	t.Parallel()
	for name, dir := range map[string]func(*world) string{
		"out":   func(w *world) string { return w.out },
		"cache": func(w *world) string { return w.cache },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, newChannel(t))
			tmpfs(t, dir(w), "size=64m")
			remount(t, dir(w), syscall.MS_RDONLY, "")
			wantFailure(t, w.run(), 1, "read-only file system", "--"+name)
			w.noManifest()
			remount(t, dir(w), 0, "")
			w.mustRun()
		})
		t.Run(name+" of somebody else", func(t *testing.T) {
			if os.Getuid() != 0 {
				t.Skip("NOT TESTED: a folder of somebody else, since only root can be another user")
			}
			w := newWorld(t, newChannel(t))
			// Everything belongs to nobody but one folder.
			theirs := dir(w)
			if err := os.MkdirAll(theirs, 0o755); err != nil {
				t.Fatal(err)
			}
			w.runAs(65534, theirs)
			wantFailure(t, w.run(), 1, "permission denied", filepath.Base(theirs), "--"+name)
			w.noManifest()
		})
	}
}
