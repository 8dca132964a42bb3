package builder

import "syscall"

// dieWithParent cannot be asked for on darwin.
func dieWithParent(*syscall.SysProcAttr) {}
