package builder

import "syscall"

// dieWithParent has a command end when slipway-build is killed: the next run
// removes the folder that it would still write to.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
