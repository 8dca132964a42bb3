// Package programs carries the source of Slipway's own small programs, which
// run inside the images, so that an installed slipway-build compiles them with
// the channel's toolchain like any other component, without a checkout.
package programs

import (
	"archive/zip"
	"bytes"
	"embed"
	"fmt"
	"io/fs"
)

// Module is the path of the module that Sources makes. It is the programs'
// import path in this repository too, so that both ways of compiling them give
// the same package paths.
const Module = "github.com/slipway-k8s/slipway/builder/programs"

// goMod is made here since go:embed takes no folder with a go.mod in it. The go
// line also fixes DefaultGODEBUG, which is part of a binary.
const goMod = "module " + Module + "\n\ngo 1.26\n"

//go:embed pause/main.go pause/text.h pause/entry_linux_amd64.s pause/entry_linux_arm64.s
//go:embed iptables/main.go iptables/rules.go
var sources embed.FS

// Program is one program of the module.
type Program struct {
	// Name is the file name of the binary.
	Name string
	// Package is the import path to give to go build.
	Package string
	// OS is the only operating system it is for; every program is for amd64
	// and arm64.
	OS string
	// LDFlags are linker flags it cannot do without, beside the builder's own.
	LDFlags []string
	// VersionVar is what -ldflags -X sets to the version; "" when it has none.
	VersionVar string
}

// All lists the programs: pause, and iptables-wrapper, which chooses between
// nft and legacy iptables. Both need CGO_ENABLED=0 and nothing but the standard
// library.
func All() []Program {
	return []Program{
		{Name: "pause", Package: Module + "/pause", OS: "linux", LDFlags: []string{"-E", "main.entry"}, VersionVar: "main.version"},
		{Name: "iptables-wrapper", Package: Module + "/iptables", OS: "linux"},
	}
}

// Sources is the whole module, go.mod included: os.CopyFS writes it to a
// folder, and go build of a Program's Package compiles it there. It has no
// tests and needs no go.sum.
func Sources() fs.FS {
	tree, err := module(sources, goMod)
	if err != nil {
		// The embedded files are read from this very binary.
		panic(fmt.Sprintf("embedded sources of %s: %v", Module, err))
	}
	return tree
}

// module adds a go.mod to a tree of files. A zip archive in memory is the
// standard library's only writable fs.FS outside of its test packages.
func module(tree fs.FS, mod string) (fs.FS, error) {
	var buf bytes.Buffer
	zw := zip.NewWriter(&buf)
	if err := zw.AddFS(tree); err != nil {
		return nil, err
	}
	w, err := zw.Create("go.mod")
	if err != nil {
		return nil, err
	}
	if _, err := w.Write([]byte(mod)); err != nil {
		return nil, err
	}
	if err := zw.Close(); err != nil {
		return nil, err
	}
	return zip.NewReader(bytes.NewReader(buf.Bytes()), int64(buf.Len()))
}
