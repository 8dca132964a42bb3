package builder

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/slipway-k8s/slipway/distro"
)

// versionTimeout is how long a binary may take to say its version; under
// emulation the large ones take seconds.
const versionTimeout = 2 * time.Minute

// checkVersion runs a binary and returns the line that holds the version that
// the channel says. A binary that cannot run on this machine is not checked and
// said so; see emulator.
func (b *Builder) checkVersion(ctx context.Context, s Step, bin distro.Binary, file string) (string, error) {
	if bin.Version == nil || b.opts.SkipRun {
		return "", nil
	}
	runner, ok := emulator(s.Platform)
	if !ok {
		b.Note("%s: version of %s not checked: %s binaries do not run here", s, bin.Name, s.Platform)
		return "", nil
	}
	vars, err := b.catalog.Vars(b.channel, s.Unit)
	if err != nil {
		return "", err
	}
	want, err := vars.Expand(bin.Version.Want)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	args := append(append(runner, file), bin.Version.Args...)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = b.temp
	// No configuration of the user's, no proxy, no cluster.
	cmd.Env = []string{"HOME=" + b.temp, "PATH=/usr/bin:/bin", "TMPDIR=" + os.TempDir()}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	runErr := cmd.Run() // some print their version and then fail for want of a task
	for _, line := range strings.Split(out.String(), "\n") {
		if strings.Contains(line, want) {
			return strings.TrimSpace(line), nil
		}
	}
	return "", fmt.Errorf("%s %s: printed no version %q (%v):\n%s",
		bin.Name, strings.Join(bin.Version.Args, " "), want, runErr, lastLines(out.String(), 10))
}

// canRun says whether binaries of a platform are asked for their version. It is
// part of the cache's key: what was never asked is built, and asked, once it
// can be.
func (b *Builder) canRun(p distro.Platform) bool {
	_, ok := emulator(p)
	return ok && !b.opts.SkipRun
}

// emulator says how binaries of a platform run here: directly, or under
// qemu-user where that is installed.
func emulator(p distro.Platform) (prefix []string, ok bool) {
	if p.OS != runtime.GOOS {
		return nil, false
	}
	if p.Arch == runtime.GOARCH {
		return nil, true
	}
	arch := map[string]string{"arm64": "aarch64", "amd64": "x86_64"}[p.Arch]
	for _, name := range []string{"qemu-" + arch + "-static", "qemu-" + arch} {
		if path, err := exec.LookPath(name); err == nil {
			return []string{path}, true
		}
	}
	return nil, false
}
