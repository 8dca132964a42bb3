//go:build linux || darwin

package builder

import (
	"os/exec"
	"syscall"
	"time"
)

// setProcessGroup makes a cancelled command take its children along.
func setProcessGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(cmd.SysProcAttr)
	// NOTE: not SIGTERM, at which the go command leaves its work folder behind.
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = 10 * time.Second
}
