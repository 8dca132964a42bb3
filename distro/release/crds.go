package release

import (
	"embed"
	"io/fs"
)

//go:embed crds/*.yaml
var crds embed.FS

// CRDs holds the custom resource definitions of Release and ReleaseChannel, one
// file each, under the names that EKS Distro publishes them by. A cluster that
// has EKS Distro's needs no change.
func CRDs() fs.FS {
	sub, err := fs.Sub(crds, "crds")
	if err != nil {
		panic(err) // the folder is embedded
	}
	return sub
}
