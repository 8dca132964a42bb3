package debian

import (
	"archive/tar"
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"github.com/slipway-k8s/slipway/builder/files"
)

// Limits of one package, unpacked. Debian's largest in use here (libc6, iptables)
// have some hundred files and 13 MB.
const (
	maxEntries      = 100_000
	maxContent      = 2 << 30 // bytes
	maxControlEntry = 16 << 20
	maxWindow       = 128 << 20 // memory of a decoder
)

// Unpacked is the content of one .deb.
type Unpacked struct {
	// Name is the package's name from its control file.
	Name string
	// Control is the control file as it is in the package.
	Control []byte
	// MD5Sums is its md5sums file; nil when it has none.
	MD5Sums []byte
	// Files are the entries of its data archive as they are there, in that
	// order; hard links have become copies. Content is read from the spool.
	Files []files.File
}

// Unpack reads a .deb (data in xz, zstd, gzip or plain), and runs nothing of it.
// Content goes to one new file in the folder spool, which must stay as long as
// Files are read. Paths that are absolute or lead out of the tree, links that
// point out of it, devices, and more than a sane amount of data are errors.
func Unpack(deb, spool string) (*Unpacked, error) {
	u, err := unpack(deb, spool)
	if err != nil {
		return nil, fmt.Errorf("Debian package %s: %w", deb, err)
	}
	return u, nil
}

func unpack(deb, spool string) (*Unpacked, error) {
	f, err := os.Open(deb)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	members, err := readAr(f)
	if err != nil {
		return nil, err
	}
	// deb(5): debian-binary, control.tar, data.tar, in this order; members
	// whose names begin with an underscore may stand between and are ignored.
	var parts []member
	for _, m := range members {
		if !strings.HasPrefix(m.name, "_") {
			parts = append(parts, m)
		}
	}
	if len(parts) < 3 || parts[0].name != "debian-binary" || !isTar(parts[1], "control.tar") || !isTar(parts[2], "data.tar") {
		return nil, errors.New("want debian-binary, control.tar and data.tar in this order")
	}
	if version, err := io.ReadAll(io.LimitReader(parts[0].content, 64)); err != nil || !strings.HasPrefix(string(version), "2.") {
		return nil, fmt.Errorf("format version %q, want 2.x (%v)", version, err)
	}
	u := &Unpacked{}
	if err := u.readControl(parts[1]); err != nil {
		return nil, fmt.Errorf("%s: %w", parts[1].name, err)
	}
	if err := u.readData(parts[2], spool); err != nil {
		return nil, fmt.Errorf("%s: %w", parts[2].name, err)
	}
	return u, nil
}

func isTar(m member, name string) bool { return m.name == name || strings.HasPrefix(m.name, name+".") }

// decompress chooses by the member's name, as dpkg does.
func decompress(m member) (io.Reader, func(), error) {
	r, done := bufio.NewReader(m.content), func() {}
	switch path.Ext(m.name) {
	case ".tar":
		return r, done, nil
	case ".xz":
		x, err := xz.NewReader(r)
		return x, done, err
	case ".gz":
		g, err := gzip.NewReader(r)
		return g, done, err
	case ".zst":
		z, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, nil, err
		}
		return z, z.Close, nil
	default:
		return nil, nil, fmt.Errorf("compression %q is not read: xz, zst, gz and none are", path.Ext(m.name))
	}
}

// eachEntry calls do for every entry of a tar archive, with its cleaned path
// ("" for the root).
func eachEntry(m member, do func(name string, h *tar.Header, content io.Reader) error) error {
	plain, done, err := decompress(m)
	if err != nil {
		return err
	}
	defer done()
	tr := tar.NewReader(io.LimitReader(plain, maxContent))
	for n := 0; ; n++ {
		h, err := tr.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if n >= maxEntries {
			return fmt.Errorf("has more than %d entries", maxEntries)
		}
		name, err := entryPath(h.Name)
		if err != nil {
			return err
		}
		if err := do(name, h, tr); err != nil {
			return fmt.Errorf("entry %q: %w", h.Name, err)
		}
	}
}

// entryPath cleans the path of an entry: "./usr/bin/" is "usr/bin".
func entryPath(raw string) (string, error) {
	if strings.HasPrefix(raw, "/") {
		return "", fmt.Errorf("entry %q: the path is absolute", raw)
	}
	for element := range strings.SplitSeq(raw, "/") {
		if element == ".." {
			return "", fmt.Errorf("entry %q: the path leads out of the package", raw)
		}
	}
	name := path.Clean(raw)
	if name == "." {
		return "", nil
	}
	return name, nil
}

func (u *Unpacked) readControl(m member) error {
	err := eachEntry(m, func(name string, h *tar.Header, content io.Reader) error {
		var to *[]byte
		switch name {
		case "control":
			to = &u.Control
		case "md5sums":
			to = &u.MD5Sums
		default:
			return nil
		}
		if h.Typeflag != tar.TypeReg || h.Size > maxControlEntry {
			return fmt.Errorf("is no regular file of at most %d bytes", maxControlEntry)
		}
		var err error
		*to, err = io.ReadAll(content)
		return err
	})
	if err != nil {
		return err
	}
	err = ReadStanzas(strings.NewReader(string(u.Control)), "control", func(s Stanza) error {
		u.Name = s["Package"]
		return nil
	})
	if err == nil && !nameForm.MatchString(u.Name) {
		err = fmt.Errorf("control: the package's name is %q", u.Name)
	}
	return err
}

func (u *Unpacked) readData(m member, spool string) error {
	out, err := os.CreateTemp(spool, u.Name+"-*")
	if err != nil {
		return err
	}
	w := spooler{file: out, byPath: map[string]int{}}
	err = eachEntry(m, w.add)
	u.Files = w.files
	return errors.Join(err, out.Close())
}

// spooler writes the content of all files of a package one behind the other.
type spooler struct {
	file   *os.File
	at     int64
	files  []files.File
	byPath map[string]int // index in files
}

func (s *spooler) add(name string, h *tar.Header, content io.Reader) error {
	if name == "" {
		return nil // the root itself
	}
	if _, dup := s.byPath[name]; dup {
		return errors.New("is there twice")
	}
	mode := h.FileInfo().Mode()
	f := files.File{Path: name, Mode: mode & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky), UID: h.Uid, GID: h.Gid}
	switch h.Typeflag {
	case tar.TypeDir:
		f.Mode |= fs.ModeDir
	case tar.TypeSymlink:
		if !inside(name, h.Linkname) {
			return fmt.Errorf("the link to %q leads out of the package", h.Linkname)
		}
		f.Mode, f.Link = fs.ModeSymlink|0o777, h.Linkname
	case tar.TypeLink:
		target, err := entryPath(h.Linkname)
		if err != nil {
			return err
		}
		i, ok := s.byPath[target]
		if !ok || !s.files[i].Mode.IsRegular() {
			return fmt.Errorf("is a hard link to %q, which is no file before it", h.Linkname)
		}
		f = s.files[i]
		f.Path = name
	case tar.TypeReg:
		n, err := io.Copy(s.file, content)
		if err != nil {
			return err
		}
		f.Size, f.Open = n, section(s.file.Name(), s.at, n)
		s.at += n
	default:
		return fmt.Errorf("has type %q: only files, directories and links are taken", h.Typeflag)
	}
	s.byPath[name] = len(s.files)
	s.files = append(s.files, f)
	return nil
}

// inside says whether a symbolic link at name with that target stays in the
// tree. An absolute target does: it is meant from the tree's own root.
func inside(name, target string) bool {
	if target == "" {
		return false
	}
	if path.IsAbs(target) {
		return true
	}
	to := path.Join(path.Dir(name), target)
	return to != ".." && !strings.HasPrefix(to, "../")
}

// section opens a part of a spool file.
func section(name string, at, size int64) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		return struct {
			io.Reader
			io.Closer
		}{io.NewSectionReader(f, at, size), f}, nil
	}
}
