//go:build linux || darwin

package builder

import (
	"fmt"
	"io/fs"
	"syscall"
)

// statKey changes whenever the file's content may have: size, times and inode.
// The change time cannot be set back by a program.
func statKey(info fs.FileInfo) string {
	key := fmt.Sprintf("%d %d", info.Size(), info.ModTime().UnixNano())
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		key += fmt.Sprintf(" %d %d", st.Ino, changeTime(st))
	}
	return key
}
