package images

import (
	"bytes"
	_ "embed"
	"encoding/pem"
	"fmt"
	"io/fs"

	"golang.org/x/crypto/x509roots/fallback/bundle"

	"github.com/slipway-k8s/slipway/builder/files"
)

// NonrootID is the user and group id of "nonroot" in the base.
const NonrootID = 65532

// NonrootUser is Spec.User of an image that runs as nonroot.
const NonrootUser = "65532:65532"

const rootsModule = "golang.org/x/crypto/x509roots/fallback"

const passwd = `root:x:0:0:root:/root:/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin
nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin
`

const group = `root:x:0:
tty:x:5:
staff:x:50:
nobody:x:65534:
nonroot:x:65532:
`

// Without it, C libraries and some Go programs ask DNS before /etc/hosts.
const nsswitch = "hosts: files dns\n"

// No version: the base layer stays the same, and shared, from release to release.
const osRelease = `ID=slipway
NAME="Slipway"
PRETTY_NAME="Slipway minimal base"
`

//go:embed licences/x509roots-LICENSE
var rootsLicence []byte

const rootsNotice = `etc/ssl/certs/ca-certificates.crt holds certificates of the Mozilla root
programme, taken from NSS (https://hg.mozilla.org/projects/nss, Mozilla Public
License 2.0, https://mozilla.org/MPL/2.0/) by way of the Go module
golang.org/x/crypto/x509roots/fallback.
`

// BaseFiles is the minimal base of every image that holds static programs:
// users, name service, CA certificates, a temporary folder and os-release. It
// has no shell and no program, and it is the same for every platform. Licences
// are not in it: see BaseLicences.
func BaseFiles() []files.File {
	tmp := files.Dir("tmp", fs.ModeSticky|0o777)
	varTmp := files.Dir("var/tmp", fs.ModeSticky|0o777)
	home := files.Dir("home/nonroot", 0o700)
	home.UID, home.GID = NonrootID, NonrootID
	return []files.File{
		files.Bytes("etc/passwd", 0o644, []byte(passwd)),
		files.Bytes("etc/group", 0o644, []byte(group)),
		files.Bytes("etc/nsswitch.conf", 0o644, []byte(nsswitch)),
		files.Bytes("etc/os-release", 0o644, []byte(osRelease)),
		files.Bytes("etc/ssl/certs/ca-certificates.crt", 0o644, caCertificates()),
		files.Dir("root", 0o700),
		files.Dir("run", 0o755),
		files.Symlink("var/run", "/run"),
		home, tmp, varTmp,
	}
}

// BaseLicences is the licence of what BaseFiles carries, laid out as
// LICENSES/<module>/…, to be put into every image that has the base.
func BaseLicences() []files.File {
	dir := "LICENSES/" + rootsModule
	return []files.File{
		files.Bytes(dir+"/LICENSE", 0o644, rootsLicence),
		files.Bytes(dir+"/NOTICE", 0o644, []byte(rootsNotice)),
	}
}

// caCertificates is the bundle as PEM, in the module's order (by name). A root
// with a constraint (Mozilla trusts what it signed before some day, and nothing
// newer) is left out: PEM cannot say so, and its readers would trust it whole.
func caCertificates() []byte {
	var b bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint != nil {
			continue
		}
		// Writing to a bytes.Buffer cannot fail.
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate})
	}
	if b.Len() == 0 {
		panic(fmt.Sprintf("images: module %s holds no certificate", rootsModule))
	}
	return b.Bytes()
}
