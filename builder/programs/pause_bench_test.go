//go:build linux

package programs

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

const copies = 50

// BenchmarkPauseMemory measures what one waiting pause costs, over 50 copies:
//
//	go test -run '^$' -bench PauseMemory -benchtime 5x ./builder/programs
//
// "charged-kB/copy" is what a memory cgroup is charged (page tables and kernel
// stack included), the file itself being in the page cache already; "pss-kB/copy"
// is the sum of the copies' proportional set sizes, which needs no cgroup.
func BenchmarkPauseMemory(b *testing.B) {
	b.Run("slipway", func(b *testing.B) { memoryPerCopy(b, build(b, "pause", runtime.GOARCH)) })
	b.Run("upstream-C", func(b *testing.B) { memoryPerCopy(b, buildUpstream(b)) })
}

// buildUpstream compiles Kubernetes' pause.c as Kubernetes does.
func buildUpstream(b *testing.B) string {
	b.Helper()
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		b.Skip("no gcc: upstream's pause cannot be compiled")
	}
	cmd := exec.Command("go", "mod", "download", "-json", "k8s.io/kubernetes@v1.36.2")
	cmd.Dir = b.TempDir()
	out, err := cmd.Output()
	if err != nil {
		b.Skipf("upstream's source: %v\n%s", err, out)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(out, &module); err != nil {
		b.Fatal(err)
	}
	binary := filepath.Join(b.TempDir(), "pause")
	cmd = exec.Command(gcc, "-Os", "-Wall", "-static", "-s", "-DVERSION=v3.10.2", "-o", binary, filepath.Join(module.Dir, "build/pause/linux/pause.c"))
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("gcc: %v\n%s", err, out)
	}
	return binary
}

func memoryPerCopy(b *testing.B, binary string) {
	// The first run brings the file into the page cache, at our own charge.
	if out, err := exec.Command(binary, "-v").CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	charged, pss, ungrouped := 0, 0, false
	for b.Loop() {
		c, p, err := measure(b, binary)
		if err != nil && !ungrouped {
			fmt.Fprintf(os.Stderr, "no memory cgroup, Pss only: %v\n", err)
			ungrouped = true
		}
		charged, pss = charged+c, pss+p
	}
	b.ReportMetric(0, "ns/op") // the time is the shells', not pause's
	b.ReportMetric(float64(pss)/1024/float64(b.N)/copies, "pss-kB/copy")
	if !ungrouped {
		b.ReportMetric(float64(charged)/1024/float64(b.N)/copies, "charged-kB/copy")
	}
}

// measure starts the copies in a new memory cgroup and returns what they are
// charged and the sum of their Pss, in bytes. With an error there is no cgroup
// and no charge, but the Pss.
func measure(b *testing.B, binary string) (charged, pss int, groupErr error) {
	b.Helper()
	group, usage, groupErr := memoryGroup(b)
	var all []*process
	for range copies {
		// Only what is started inside a cgroup is charged to it.
		p := start(b, []string{"sh", "-c", `[ -z "$1" ] || echo $$ > "$1/cgroup.procs" && exec "$2"`, "sh", group, binary}, false)
		all = append(all, p)
	}
	for _, p := range all {
		p.await(b, "runs and sleeps", func() bool {
			exe, _ := os.Readlink(p.proc("exe"))
			return exe == binary && p.state() == "S" && p.sleepsForSignal()
		})
		pss += readPss(b, p.proc("smaps_rollup"))
	}
	if groupErr == nil {
		text, err := os.ReadFile(usage)
		if err != nil {
			b.Fatal(err)
		}
		if charged, err = strconv.Atoi(strings.TrimSpace(string(text))); err != nil {
			b.Fatal(err)
		}
	}
	for _, p := range all {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	}
	return charged, pss, groupErr
}

// sleepsForSignal: it is in rt_sigtimedwait (ours) or pause (upstream's).
func (p *process) sleepsForSignal() bool {
	call, err := os.ReadFile(p.proc("syscall"))
	number, _, _ := strings.Cut(string(call), " ")
	switch runtime.GOARCH {
	case "amd64":
		return err == nil && (number == "128" || number == "34")
	default: // arm64 has no pause: libc calls ppoll
		return err == nil && (number == "137" || number == "73")
	}
}

// memoryGroup makes a memory cgroup, version 1 or 2, and names the file that
// holds its charge.
func memoryGroup(b *testing.B) (group, usage string, err error) {
	for _, v := range []struct{ root, usage string }{
		{"/sys/fs/cgroup/memory", "memory.usage_in_bytes"},
		{"/sys/fs/cgroup", "memory.current"},
	} {
		group, err = os.MkdirTemp(v.root, "slipway-pause-")
		if err != nil {
			continue
		}
		b.Cleanup(func() { _ = os.Remove(group) })
		usage = filepath.Join(group, v.usage)
		if _, err = os.Stat(usage); err == nil {
			return group, usage, nil
		}
	}
	return "", "", err
}

func readPss(b *testing.B, name string) (bytes int) {
	text, err := os.ReadFile(name)
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "Pss:"); ok {
			kB, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
			if err != nil {
				b.Fatal(err)
			}
			return kB * 1024
		}
	}
	b.Fatalf("%s has no Pss", name)
	return 0
}
