// Package atomicfile writes files that a reader sees whole or not at all.
package atomicfile

import (
	"io/fs"
	"os"
	"path/filepath"
)

// TempPrefix begins the names of files that are being written; a killed process
// leaves them behind.
const TempPrefix = ".slipway-"

// Write writes a file whole or not at all: beside its place, then moved.
// The mode does not depend on the umask.
func Write(path string, b []byte, perm fs.FileMode) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), TempPrefix+"*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp.Name())
		}
	}()
	_, err = tmp.Write(b)
	if err == nil {
		err = tmp.Chmod(perm)
	}
	if e := tmp.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
