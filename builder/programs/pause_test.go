//go:build linux

package programs

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// pauses runs test with the command line that starts pause, once for each
// architecture that can run here.
func pauses(t *testing.T, test func(t *testing.T, pause []string)) {
	for _, arch := range []string{"amd64", "arm64"} {
		t.Run(arch, func(t *testing.T) {
			binary := build(t, "pause", arch)
			if arch == runtime.GOARCH {
				test(t, []string{binary})
				return
			}
			emulator := map[string]string{"amd64": "qemu-x86_64-static", "arm64": "qemu-aarch64-static"}[arch]
			path, err := exec.LookPath(emulator)
			if err != nil {
				fmt.Fprintf(os.Stderr, "\n*** %s: SKIPPED: pause for %s was built but not run: %s is not installed (Debian: qemu-user-static)\n\n", t.Name(), arch, emulator)
				t.Skip("no " + emulator)
			}
			test(t, []string{path, binary})
		})
	}
}

func TestPausePrintsItsVersion(t *testing.T) {
	pauses(t, func(t *testing.T, pause []string) {
		for _, args := range [][]string{{"-v"}, {"-V"}, {"", "-", "-vv", "v", "-v", "x"}} {
			cmd := exec.Command(pause[0], append(pause[1:], args...)...)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			if err != nil || string(out) != "pause 3.10.2\n" || stderr.Len() > 0 {
				t.Errorf("pause %q: %v, printed %q and on stderr %q, want \"pause 3.10.2\\n\" alone", args, err, out, stderr.String())
			}
		}
	})
}

func TestPauseEndsWellOnTermAndInt(t *testing.T) {
	pauses(t, func(t *testing.T, pause []string) {
		for sig, name := range map[syscall.Signal]string{syscall.SIGTERM: "Terminated", syscall.SIGINT: "Interrupt"} {
			for _, first := range []bool{true, false} {
				want := "Shutting down, got signal: " + name + "\n"
				if !first {
					want = "Warning: pause should be the first process\n" + want
				}
				p := start(t, pause, first)
				p.await(t, "waits for signals", p.waits)
				// A stopped and continued process gets EINTR and must go on.
				p.signal(t, syscall.SIGSTOP)
				p.await(t, "is stopped", func() bool { return p.state() == "T" })
				p.signal(t, syscall.SIGCONT)
				p.await(t, "waits again", p.waits)
				p.signal(t, sig)
				if err := p.cmd.Wait(); err != nil {
					t.Errorf("first process %v, %v: ended with %v, want exit code 0", first, sig, err)
				}
				if got := p.stderr.String(); got != want {
					t.Errorf("first process %v, %v: stderr %q, want %q", first, sig, got, want)
				}
			}
		}
	})
}

func TestPauseKeepsTheDefaultOfOtherSignals(t *testing.T) {
	pauses(t, func(t *testing.T, pause []string) {
		p := start(t, pause, false)
		p.await(t, "waits for signals", p.waits)
		p.signal(t, syscall.SIGHUP)
		err := p.cmd.Wait()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGHUP {
			t.Errorf("SIGHUP: ended with %v, want to be killed by it, as upstream's is", err)
		}
	})
}

// A shell in pause's PID namespace leaves orphans behind: pause inherits them
// and must collect every one, also those that ended in the same moment.
func TestPauseReapsOrphans(t *testing.T) {
	pauses(t, func(t *testing.T, pause []string) {
		p := start(t, pause, true)
		p.await(t, "waits for signals", p.waits)
		ns := fmt.Sprintf("--pid=/proc/%d/ns/pid", p.cmd.Process.Pid)
		// The children wait for the shell's end, which makes them orphans,
		// through the pipe that only the shell holds open for writing.
		script := `i=0; while [ $i -lt 20 ]; do (read x <&3) >/dev/null 2>&1 & echo child; i=$((i+1)); done`
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		shell := exec.Command("nsenter", ns, "sh", "-c", script)
		shell.ExtraFiles = []*os.File{r}
		if out, err := shell.Output(); err != nil || strings.Count(string(out), "child") != 20 {
			t.Fatalf("shell in the namespace: %v, %q", err, out)
		}
		if n := len(p.children()); n != 20 {
			t.Fatalf("pause has %d children, want the 20 orphans", n)
		}
		w.Close() // read ends in every orphan
		p.await(t, "has no children, dead or alive", func() bool { return len(p.children()) == 0 })
		p.signal(t, syscall.SIGTERM)
		if err := p.cmd.Wait(); err != nil {
			t.Errorf("after reaping: %v", err)
		}
	})
}

// process is a pause that runs.
type process struct {
	cmd    *exec.Cmd
	stderr bytes.Buffer
}

// start starts pause, as the first process of a PID namespace if first.
func start(t testing.TB, pause []string, first bool) *process {
	t.Helper()
	p := &process{cmd: exec.Command(pause[0], pause[1:]...)}
	p.cmd.Stderr = &p.stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if first {
		p.cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWPID
	}
	// Pdeathsig fires when the starting thread ends, so keep it.
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	err := p.cmd.Start()
	if first && errors.Is(err, syscall.EPERM) {
		fmt.Fprintf(os.Stderr, "\n*** %s: SKIPPED: a new PID namespace needs root\n\n", t.Name())
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill(); _ = p.cmd.Wait() })
	return p
}

func (p *process) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// await polls until ok is true; the limit only ends a test that has failed.
func (p *process) await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); runtime.Gosched() {
		if time.Now().After(deadline) {
			status, _ := os.ReadFile(p.proc("status"))
			t.Fatalf("pause never came so far that it %s:\n%s", what, status)
		}
	}
}

func (p *process) proc(file string) string {
	return filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid), file)
}

// status is one field of /proc/PID/status.
func (p *process) status(field string) string {
	f, err := os.Open(p.proc("status"))
	if err != nil {
		return ""
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if rest, ok := strings.CutPrefix(s.Text(), field+":"); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

func (p *process) state() string { s, _, _ := strings.Cut(p.status("State"), " "); return s }

// waits: it sleeps inside rt_sigtimedwait.
func (p *process) waits() bool {
	call, err := os.ReadFile(p.proc("syscall"))
	number, _, _ := strings.Cut(string(call), " ")
	want := map[string]string{"amd64": "128", "arm64": "137"}[runtime.GOARCH]
	return err == nil && number == want
}

// children lists the processes whose parent is pause, zombies included.
func (p *process) children() []string {
	b, err := os.ReadFile(p.proc(fmt.Sprintf("task/%d/children", p.cmd.Process.Pid)))
	if err != nil {
		return []string{err.Error()}
	}
	return strings.Fields(string(b))
}
