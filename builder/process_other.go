//go:build !(linux || darwin)

package builder

import "os/exec"

func setProcessGroup(*exec.Cmd) {}
