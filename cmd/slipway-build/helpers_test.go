//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/slipway-k8s/slipway/builder"
	"github.com/slipway-k8s/slipway/distro"
	"github.com/slipway-k8s/slipway/internal/cli"
	"github.com/slipway-k8s/slipway/internal/testchannel"
	"github.com/slipway-k8s/slipway/internal/testchannel/testtree"
)

// With asCLI set, this test program is slipway-build: the real command, without
// linking it once more. withUmask sets its umask.
const (
	asCLI     = "SLIPWAY_TEST_AS_CLI"
	withUmask = "SLIPWAY_TEST_UMASK"
)

// shared is a folder that other users can enter, with a copy of this program.
var shared string

func TestMain(m *testing.M) {
	if os.Getenv(asCLI) != "" {
		if mask, err := strconv.ParseInt(os.Getenv(withUmask), 8, 32); err == nil {
			syscall.Umask(int(mask))
		}
		cli.Main(newRoot())
	}
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	var err error
	if shared, err = os.MkdirTemp("", "slipway-build-test-"); err != nil {
		panic(err)
	}
	defer func() {
		testchannel.MakeWritable(shared)
		_ = os.RemoveAll(shared)
	}()
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	content, err := os.ReadFile(self)
	if err != nil {
		panic(err)
	}
	if err := errors.Join(os.Chmod(shared, 0o755), os.WriteFile(program(), content, 0o755)); err != nil {
		panic(err)
	}
	return m.Run()
}

func program() string { return filepath.Join(shared, "slipway-build") }

// world is a machine as one run of slipway-build sees it.
type world struct {
	t       *testing.T
	channel *testchannel.Channel

	dir, home, cache, out, goCache, modCache, tmp string
	// env are further variables.
	env []string
	// uid, if not 0, is who runs it.
	uid int
	// registryDir is where the images are, if not in the output folder.
	registryDir string
}

// newWorld is a world of its own for a channel, which may be nil for the
// built-in ones. The compiler's cache is the tests' own.
func newWorld(t *testing.T, c *testchannel.Channel) *world {
	t.Helper()
	dir, err := os.MkdirTemp(shared, "world-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	w := &world{
		t: t, channel: c, dir: dir, home: filepath.Join(dir, "home"), cache: filepath.Join(dir, "cache"), out: filepath.Join(dir, "out"),
		tmp: filepath.Join(dir, "tmp"), modCache: filepath.Join(dir, "mod"), goCache: goEnv(t, "GOCACHE"),
	}
	for _, d := range []string{w.home, w.tmp} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if c != nil { // one download for all worlds of a channel
		w.modCache = filepath.Join(filepath.Dir(c.Proxy), "mod")
	}
	w.seedCache()
	return w
}

// newChannel is a test channel that other users can read.
func newChannel(t *testing.T) *testchannel.Channel {
	t.Helper()
	dir, err := os.MkdirTemp(shared, "channel-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return testchannel.NewIn(t, dir)
}

var goEnvs sync.Map

func goEnv(t *testing.T, name string) string {
	t.Helper()
	if v, ok := goEnvs.Load(name); ok {
		return v.(string)
	}
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	v := strings.TrimSpace(string(out))
	goEnvs.Store(name, v)
	return v
}

// seedCache puts what hashing the Go toolchain gave into the cache folder: it
// takes a second, and it is not what these tests are about.
func (w *world) seedCache() {
	w.t.Helper()
	template := seed(w.t)
	if err := os.CopyFS(w.cache, os.DirFS(template)); err != nil {
		w.t.Fatal(err)
	}
}

var seedOnce = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(shared, "seed")
	cache, err := builder.OpenCache(dir)
	if err != nil {
		return "", err
	}
	_, err = builder.FindToolchain(context.Background(), "go", &distro.Channel{Go: runtime.Version()}, cache)
	return dir, err
})

func seed(t *testing.T) string {
	t.Helper()
	dir, err := seedOnce()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// command is slipway-build with this world's folders.
func (w *world) command(args ...string) *exec.Cmd {
	all := []string{"--cache", w.cache, "--out", w.out}
	if w.channel != nil {
		all = append(all, "--channels", w.channel.Channels, "--recipes", w.channel.Components)
	}
	return w.bare(append(args, all...)...)
}

// bare is slipway-build with this world's environment.
func (w *world) bare(args ...string) *exec.Cmd {
	cmd := exec.Command(program(), args...)
	cmd.Dir = w.dir
	cmd.Env = append([]string{
		asCLI + "=1", "PATH=" + os.Getenv("PATH"), "HOME=" + w.home, "TMPDIR=" + w.tmp,
		"GOCACHE=" + w.goCache, "GOMODCACHE=" + w.modCache,
	}, w.env...)
	if w.channel != nil {
		cmd.Env = append(cmd.Env, "GOPROXY="+w.channel.ProxyURL)
	} else {
		cmd.Env = append(cmd.Env, "GOPROXY="+goEnv(w.t, "GOPROXY"), "GOSUMDB="+goEnv(w.t, "GOSUMDB"))
	}
	if w.uid != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(w.uid), Gid: uint32(w.uid)}}
	}
	return cmd
}

// outcome is how a run ended.
type outcome struct {
	code           int // -1: killed
	stdout, stderr string
}

func (w *world) run(args ...string) outcome { return finish(w.t, w.command(args...)) }

func finish(t *testing.T, cmd *exec.Cmd) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Errorf("slipway-build did not run: %v", err)
	}
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// mustRun builds and fails the test unless that works and the tree is true.
func (w *world) mustRun(args ...string) outcome {
	w.t.Helper()
	o := w.run(args...)
	if o.code != 0 {
		w.t.Fatalf("exit code %d:\n%s", o.code, o.stderr)
	}
	if len(testtree.Manifests(w.t, w.out)) == 0 {
		w.t.Fatalf("exit code 0 and no Release in %s:\n%s", w.out, o.stderr)
	}
	testtree.Truthful(w.t, w.out, w.registryDir)
	return o
}

// wantFailure checks exit code and message of a run that failed.
func wantFailure(t *testing.T, o outcome, code int, parts ...string) {
	t.Helper()
	if o.code != code {
		t.Errorf("exit code %d, want %d:\n%s", o.code, code, o.stderr)
	}
	for _, p := range parts {
		if !strings.Contains(o.stderr, p) {
			t.Errorf("the error does not say %q:\n%s", p, o.stderr)
		}
	}
}

// noManifest fails the test if there is any Release.
func (w *world) noManifest() {
	w.t.Helper()
	if list := testtree.Manifests(w.t, w.out); len(list) > 0 {
		w.t.Errorf("after a failure there is a Release: %v", list)
	}
}

// leftovers are the unfinished files of this world.
func (w *world) leftovers() []string {
	w.t.Helper()
	var list []string
	for _, dir := range []string{w.tmp, filepath.Join(w.cache, "tmp"), filepath.Join(w.cache, "images", "tmp")} {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			w.t.Fatal(err)
		}
		for _, e := range entries {
			list = append(list, filepath.Join(dir, e.Name()))
		}
	}
	for p := range testtree.Snapshot(w.t, w.out) {
		if strings.HasPrefix(filepath.Base(p), ".slipway-") {
			list = append(list, p)
		}
	}
	return list
}
