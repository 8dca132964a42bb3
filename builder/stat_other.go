//go:build !(linux || darwin)

package builder

import (
	"fmt"
	"io/fs"
)

func statKey(info fs.FileInfo) string {
	return fmt.Sprintf("%d %d", info.Size(), info.ModTime().UnixNano())
}
