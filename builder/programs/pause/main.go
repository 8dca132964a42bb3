//go:build linux && (amd64 || arm64)

// Command pause holds a pod's namespaces: it does what upstream's pause.c does
// (kubernetes/build/pause/linux), without a C compiler and with less memory,
// since every pod pays for it.
//
// It is linked with -ldflags '-E main.entry', which makes the kernel start the
// assembly function entry: the Go runtime is in the file but never runs, so
// there are no threads, no heap and no garbage collector.
package main

// version is set by -ldflags '-X main.version=…'. The assembly reads its string
// header; the linker writes both the header and the bytes, so no Go code runs.
var version = "(devel)"

// entry is the program; see entry_linux_*.s.
func entry()

// The compiler counts neither as used: only the assembly and the linker do.
var _, _ = entry, &version

// main runs only when the program was linked without -E main.entry.
func main() {
	panic("pause was linked wrongly: it needs -ldflags '-E main.entry'")
}
