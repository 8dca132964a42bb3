package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/distro"
)

// benchComponents are a subset of the channel that compiles within minutes.
var benchComponents = []string{"etcd", "cni-plugins", "containerd"}

// BenchmarkColdBuild compares slipway-build with bare "go build" of the same
// commands, each with an empty build cache, in one run. The budget of the ratio
// is 1.10. Modules are in the module cache of both.
func BenchmarkColdBuild(b *testing.B) {
	cli := buildCLI(b)
	bareBuild(b, b.TempDir()) // fills the module cache
	for b.Loop() {
		bare := bareBuild(b, b.TempDir())
		ours, peak := runCLI(b, cli, b.TempDir(), b.TempDir(), b.TempDir())
		b.ReportMetric(bare.Seconds(), "go-build-s")
		b.ReportMetric(ours.Seconds(), "slipway-build-s")
		b.ReportMetric(ours.Seconds()/bare.Seconds(), "ratio")
		b.ReportMetric(float64(peak)/1e6, "own-peak-MB")
	}
}

// BenchmarkNothingChanged is a second build of the same; the budget for the
// whole channel is 2 s.
func BenchmarkNothingChanged(b *testing.B) {
	cli := buildCLI(b)
	goCache, cache, out := b.TempDir(), b.TempDir(), b.TempDir()
	runCLI(b, cli, goCache, cache, out)
	for b.Loop() {
		_, peak := runCLI(b, cli, goCache, cache, out)
		b.ReportMetric(float64(peak)/1e6, "own-peak-MB")
	}
}

func buildCLI(b *testing.B) string {
	b.Helper()
	cli := filepath.Join(b.TempDir(), "slipway-build")
	if out, err := exec.Command("go", "build", "-o", cli, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return cli
}

// runCLI builds the subset and returns the time it took and the process's own
// peak of resident memory in bytes, compilers aside.
func runCLI(b *testing.B, cli, goCache, cache, out string) (time.Duration, int64) {
	b.Helper()
	cmd := exec.Command(cli, "--component", strings.Join(benchComponents, ","), "--cache", cache, "--out", out)
	cmd.Env = append(os.Environ(), "GOCACHE="+goCache)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	start := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	var peak int64
	for {
		select {
		case err := <-done:
			if err != nil {
				b.Fatalf("%v\n%s", err, log.String())
			}
			return time.Since(start), peak
		case <-time.After(20 * time.Millisecond):
			peak = max(peak, highWater(cmd.Process.Pid))
		}
	}
}

// highWater reads a process's peak of resident memory (Linux).
func highWater(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for _, line := range strings.Split(string(status), "\n") {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmHWM:" {
			kb, _ := strconv.ParseInt(f[1], 10, 64)
			return kb * 1024
		}
	}
	return 0
}

// bareBuild compiles the same commands with the go command alone.
func bareBuild(b *testing.B, goCache string) time.Duration {
	b.Helper()
	cat, err := distro.Open(distro.Overrides{})
	if err != nil {
		b.Fatal(err)
	}
	ch, err := cat.Channel("")
	if err != nil {
		b.Fatal(err)
	}
	var sum time.Duration
	for _, name := range benchComponents {
		r, err := cat.Recipe(name)
		if err != nil {
			b.Fatal(err)
		}
		lock, err := ch.Lock(name)
		if err != nil {
			b.Fatal(err)
		}
		dir, out := b.TempDir(), b.TempDir()
		for file, content := range map[string][]byte{"go.mod": lock.Mod, "go.sum": lock.Sum} {
			if err := os.WriteFile(filepath.Join(dir, file), content, 0o644); err != nil {
				b.Fatal(err)
			}
		}
		args := append([]string{"build"}, distro.BuildFlags...)
		args = append(args, "-tags="+strings.Join(r.Go.Tags, ","), "-ldflags="+strings.Join(distro.LinkFlags, " "), "-o", out+"/")
		for _, bin := range r.Binaries {
			args = append(args, bin.Package)
		}
		cmd := exec.Command("go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOCACHE="+goCache, "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off", "GOOS=linux", "GOARCH="+runtime.GOARCH)
		start := time.Now()
		if text, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, text)
		}
		sum += time.Since(start)
	}
	return sum
}
