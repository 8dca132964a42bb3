package fetch

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/hashicorp/go-getter"
)

// The limits of a source archive: several times what Kubernetes' own takes.
const (
	maxUnpacked = 4 << 30
	maxFiles    = 200_000
)

// Unpack unpacks a tar.gz file into the new folder dst and returns the folder
// that everything in it lies in, which source archives of Git hosts have.
// Entries that would leave dst are an error, links are passed over, and size
// and number of files are limited.
func Unpack(archive, dst string) (string, error) {
	d := getter.TarGzipDecompressor{FileSizeLimit: maxUnpacked, FilesLimit: maxFiles}
	if err := d.Decompress(dst, archive, true, 0o022); err != nil {
		return "", fmt.Errorf("%s: unpack: %w", archive, err)
	}
	entries, err := os.ReadDir(dst)
	if err != nil {
		return "", err
	}
	if len(entries) != 1 || !entries[0].IsDir() {
		return "", fmt.Errorf("%s: holds %d entries at its top, want the one folder of a source archive", archive, len(entries))
	}
	return filepath.Join(dst, entries[0].Name()), nil
}
