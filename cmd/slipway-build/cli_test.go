//go:build unix

package main

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/slipway-k8s/slipway/internal/testchannel/testtree"
)

func TestAnUnknownNameListsWhatThereIsAndIsWrongUsage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for what, c := range map[string]struct {
		args []string
		want []string
	}{
		"channel":   {[]string{"--channel", "1-12"}, []string{`channel "1-12"`, "1-33, 1-34, 1-35, 1-36"}},
		"component": {[]string{"--component", "etdc"}, []string{`component "etdc"`, "etcd", "kubernetes", "livenessprobe"}},
		"platform":  {[]string{"--platform", "linux/riscv64"}, []string{`platform "linux/riscv64"`, "linux/amd64", "linux/arm64", "all"}},
		"group":     {[]string{"--group", "csi"}, []string{`group "csi"`, "csi-node"}},
		"form":      {[]string{"--platform", "amd64"}, []string{`platform "amd64"`, "linux/amd64"}},
		"flag":      {[]string{"--componnet", "etcd"}, []string{"--componnet", "--help"}},
		"argument":  {[]string{"etcd"}, []string{"etcd"}},
		"exclusion": {[]string{"--boot", "--component", "etcd"}, []string{"--boot", "--component"}},
	} {
		t.Run(what, func(t *testing.T) {
			o := finish(t, w.bare(c.args...))
			wantFailure(t, o, 2, c.want...)
			if o.stdout != "" {
				t.Errorf("stdout is not empty: %q", o.stdout)
			}
		})
	}
}

func TestJSONGoesToStdoutAloneAndProgressToStderr(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newChannel(t))
	o := w.mustRun("-o", "json")
	var got summary
	d := json.NewDecoder(strings.NewReader(o.stdout))
	d.DisallowUnknownFields()
	if err := d.Decode(&got); err != nil {
		t.Fatalf("stdout is no JSON: %v\n%s", err, o.stdout)
	}
	if d.More() {
		t.Errorf("stdout holds more than one JSON value:\n%s", o.stdout)
	}
	manifests := testtree.Manifests(t, w.out)
	if len(manifests) != 1 || filepath.Clean(got.Manifest) != manifests[0] || !got.Partial {
		t.Errorf("manifest %q, partial %v; in the tree: %v", got.Manifest, got.Partial, manifests)
	}
	if len(got.Images) != 1 || got.Images[0].Name != "hello" || got.Images[0].Size == 0 || !strings.HasPrefix(got.Images[0].Digest, "sha256:") {
		t.Errorf("images: %+v", got.Images)
	}
	for _, want := range []string{"building kubernetes-1-99-slipway-1-linux-", "compile  hello linux/", "done     hello linux/", "image    localhost:5050/test/hello:"} {
		if !strings.Contains(o.stderr, want) {
			t.Errorf("stderr lacks %q:\n%s", want, o.stderr)
		}
	}
	if strings.ContainsRune(o.stderr, '\x1b') {
		t.Errorf("stderr is no terminal and gets escape sequences: %q", o.stderr)
	}
}

func TestTheTableNamesEachImageAndTheManifest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newChannel(t))
	o := w.mustRun()
	lines := strings.Split(strings.TrimSpace(o.stdout), "\n")
	if !regexp.MustCompile(`^IMAGE +SIZE +DIGEST +TIME$`).MatchString(lines[0]) {
		t.Errorf("the table begins with %q", lines[0])
	}
	if !regexp.MustCompile(`^localhost:5050/test/hello:\S+ +[0-9.]+ MB +sha256:[0-9a-f]{64} +[0-9]`).MatchString(lines[1]) {
		t.Errorf("the image's line is %q", lines[1])
	}
	if last := lines[len(lines)-1]; !slices.Contains(testtree.Manifests(t, w.out), last) {
		t.Errorf("the last line is %q, want the manifest's path", last)
	}
}

func TestThePlanSaysWhatIsCached(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newChannel(t))
	plan := func() planned {
		t.Helper()
		o := finish(t, w.bare("plan", "-o", "json", "--cache", w.cache, "--channels", w.channel.Channels, "--recipes", w.channel.Components))
		var list []planned
		if err := json.Unmarshal([]byte(o.stdout), &list); err != nil || o.code != 0 || len(list) != 1 {
			t.Fatalf("exit code %d, %v, %d steps:\n%s%s", o.code, err, len(list), o.stdout, o.stderr)
		}
		return list[0]
	}
	if p := plan(); p.Cached || p.Component != "hello" || p.Modules != 2 {
		t.Errorf("before the build: %+v", p)
	}
	w.mustRun()
	if p := plan(); !p.Cached {
		t.Errorf("after the build: %+v", p)
	}
}

func TestCtrlCWhileTheCompilerRunsLeavesNothingHalfWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newChannel(t))
	w.goCache = filepath.Join(w.dir, "gocache") // so that compiling takes a while
	var stderr strings.Builder
	cmd := w.command()
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := await(cmd, func() bool {
		found, _ := filepath.Glob(filepath.Join(w.cache, "tmp", "run-*", "go-build*", "b*"))
		return len(found) > 3
	})
	if !ended {
		_ = cmd.Process.Signal(os.Interrupt)
	}
	_ = cmd.Wait()
	if ended {
		t.Fatalf("it ended before the compiler was seen at work:\n%s", stderr.String())
	}
	wantFailure(t, outcome{code: cmd.ProcessState.ExitCode(), stderr: stderr.String()}, 1)
	w.noManifest()
	if left := w.leftovers(); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestCtrlCStopsAndLeavesNothingHalfWritten(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"building", "compile", "done", "image"} {
		t.Run("after "+line, func(t *testing.T) {
			w := newWorld(t, newChannel(t))
			cmd := w.command()
			stderr, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			var text strings.Builder
			sent := false
			for s := bufio.NewScanner(stderr); s.Scan(); {
				text.WriteString(s.Text() + "\n")
				if !sent && strings.HasPrefix(s.Text(), line) {
					sent = true
					if err := cmd.Process.Signal(os.Interrupt); err != nil {
						t.Fatal(err)
					}
				}
			}
			_ = cmd.Wait()
			o := outcome{code: cmd.ProcessState.ExitCode(), stderr: text.String()}
			if !sent {
				t.Fatalf("it never said %q:\n%s", line, o.stderr)
			}
			status := cmd.ProcessState.Sys().(syscall.WaitStatus)
			switch {
			case status.Signaled():
				t.Errorf("it died of %s instead of ending by itself:\n%s", status.Signal(), o.stderr)
			case o.code == 0 && line != "image": // by then it may be done
				t.Errorf("exit code 0 after Ctrl-C:\n%s", o.stderr)
			case o.code == 1:
				w.noManifest()
			}
			if o.code > 1 {
				t.Errorf("exit code %d, want 1:\n%s", o.code, o.stderr)
			}
			if left := w.leftovers(); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
			testtree.Truthful(t, w.out, "")
			w.mustRun()
		})
	}
}
