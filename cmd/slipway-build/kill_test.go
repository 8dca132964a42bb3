//go:build linux

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/internal/testchannel/testtree"
)

// await returns once the condition holds, or true when the process ended
// before. It looks as often as it can: what it waits for may be short-lived.
func await(cmd *exec.Cmd, condition func() bool) (ended bool) {
	for !condition() {
		if hasEnded(cmd.Process.Pid) {
			return true
		}
		time.Sleep(200 * time.Microsecond)
	}
	return false
}

// hasEnded says whether a child that nobody waited for yet is a zombie.
func hasEnded(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(after, "Z")
}

// appears is a condition: some path under root ends in a name of that pattern.
func appears(root, pattern string) func() bool {
	return func() bool {
		found := false
		_ = filepath.WalkDir(root, func(p string, _ fs.DirEntry, err error) error {
			if err != nil {
				return nil // it is there and gone
			}
			if ok, _ := filepath.Match(pattern, filepath.Base(p)); ok && p != root {
				found = true
				return fs.SkipAll
			}
			return nil
		})
		return found
	}
}

// TestABuildThatIsKilledAnywhereCanBeRunAgain kills builds with SIGKILL at many
// points, first builds and ones that replace an older release. Whatever is left
// then is true, and the next run makes the very tree that an undisturbed run does.
func TestABuildThatIsKilledAnywhereCanBeRunAgain(t *testing.T) {
	t.Parallel()
	channel, older := newChannel(t), newChannel(t)
	older.EditRecipe(t, "description: hello container image", "description: an older image")
	older.EditRecipe(t, `stamps: {main.version: "{stamp}"}`, `stamps: {main.version: "{stamp}", main.other: older}`)

	undisturbed := newWorld(t, channel)
	undisturbed.mustRun()
	want := testtree.Snapshot(t, undisturbed.out)
	released := newWorld(t, older)
	released.mustRun()

	seed := uint64(time.Now().UnixNano())
	t.Logf("seed of the random delays: %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	type point struct {
		name string
		when func(w *world, cmd *exec.Cmd, lines *lineCounter) // returns when it is time
	}
	var points []point
	for n := 1; n <= 4; n++ {
		points = append(points, point{fmt.Sprintf("at line %d", n), func(_ *world, cmd *exec.Cmd, l *lineCounter) {
			l.await(cmd, n)
		}})
	}
	for _, c := range []struct{ name, folder, pattern string }{
		{"when a source is prepared", "cache/tmp", "wrapper-*"},
		{"when the compiler may write", "cache/tmp", "out-*"},
		{"when a binary is about to be cached", "cache/tmp", "entry.json"},
		{"when a binary is cached", "cache/binaries", "entry.json"},
		{"when a layer is written", "cache/images/tmp", "*"},
		{"when a blob is sent", "out/registry", "_uploads"},
		{"when a file is written", "out/kubernetes-1-99", ".slipway-*"},
		{"when an image tar is there", "out/kubernetes-1-99", "hello.tar"},
		{"when the record is there", "out/kubernetes-1-99", "*.record.json"},
		{"when the release is there", "out/kubernetes-1-99", "kubernetes-*.yaml"},
	} {
		points = append(points, point{c.name, func(w *world, cmd *exec.Cmd, _ *lineCounter) {
			await(cmd, appears(filepath.Join(w.dir, c.folder), c.pattern))
		}})
	}
	for range 4 {
		delay := time.Duration(random.Int64N(int64(1500 * time.Millisecond)))
		points = append(points, point{"after " + delay.String(), func(_ *world, cmd *exec.Cmd, _ *lineCounter) {
			until := time.Now().Add(delay)
			await(cmd, func() bool { return time.Now().After(until) })
		}})
	}
	for i, p := range points {
		t.Run(p.name, func(t *testing.T) {
			w := newWorld(t, channel)
			replaces := i%2 == 1
			if replaces {
				w.takeOver(released)
			}
			cmd := w.command()
			lines := newLineCounter(t, cmd)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			go lines.read()
			p.when(w, cmd, lines)
			_ = cmd.Process.Kill()
			<-lines.done
			_ = cmd.Wait()
			if status := cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() {
				t.Logf("it had ended with exit code %d before it could be killed", status.ExitStatus())
			}
			if _, err := os.Stat(w.out); err == nil {
				testtree.Truthful(t, w.out, "")
			}
			w.mustRun()
			got := testtree.Snapshot(t, w.out)
			if replaces { // the older image stays in the registry
				maps.DeleteFunc(got, func(p, _ string) bool { return want[p] == "" && strings.HasPrefix(p, "registry/") })
			}
			testtree.Same(t, "the run after the kill", want, got)
			if left := tempOf(w); len(left) > 0 {
				t.Errorf("the run after the kill leaves %v", left)
			}
		})
	}
}

// takeOver copies what another world built.
func (w *world) takeOver(from *world) {
	w.t.Helper()
	err := errors.Join(os.RemoveAll(w.cache), os.CopyFS(w.cache, os.DirFS(from.cache)), os.CopyFS(w.out, os.DirFS(from.out)))
	if err != nil {
		w.t.Fatal(err)
	}
}

// tempOf are the runs' folders that are left in the cache.
func tempOf(w *world) []string {
	list, err := filepath.Glob(filepath.Join(w.cache, "tmp", "*"))
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

// lineCounter counts the lines of a process's stderr.
type lineCounter struct {
	from  io.Reader
	lines chan string
	done  chan struct{}
}

func newLineCounter(t *testing.T, cmd *exec.Cmd) *lineCounter {
	t.Helper()
	from, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	return &lineCounter{from, make(chan string, 1000), make(chan struct{})}
}

func (l *lineCounter) read() {
	defer close(l.done)
	for s := bufio.NewScanner(l.from); s.Scan(); {
		l.lines <- s.Text()
	}
}

func (l *lineCounter) await(_ *exec.Cmd, n int) {
	for range n {
		select {
		case <-l.lines:
		case <-l.done:
			return
		}
	}
}
