package debian

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// member is one file of an ar archive.
type member struct {
	name    string
	content *io.SectionReader
}

// readAr lists the members of a .deb, which is an ar archive in its oldest
// form (deb(5)). The ar library among the project's dependencies takes malformed
// headers for zeros and panics on some, so it is used by the tests only.
func readAr(f *os.File) ([]member, error) {
	const magic, headerSize = "!<arch>\n", 60
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	head := make([]byte, headerSize)
	if _, err := f.ReadAt(head[:len(magic)], 0); err != nil || string(head[:len(magic)]) != magic {
		return nil, errors.New("is not a Debian package: no ar archive")
	}
	var all []member
	for at := int64(len(magic)); at < info.Size(); {
		if _, err := f.ReadAt(head, at); err != nil {
			return nil, fmt.Errorf("ar header at byte %d: %w", at, err)
		}
		name := strings.TrimSuffix(strings.TrimRight(string(head[:16]), " "), "/")
		size, err := strconv.ParseInt(strings.TrimRight(string(head[48:58]), " "), 10, 64)
		if err != nil || size < 0 || string(head[58:]) != "`\n" {
			return nil, fmt.Errorf("ar header at byte %d is malformed: %q", at, head)
		}
		at += headerSize
		if at+size > info.Size() {
			return nil, fmt.Errorf("ar member %q ends at byte %d, the file at %d: it is cut off", name, at+size, info.Size())
		}
		all = append(all, member{name: name, content: io.NewSectionReader(f, at, size)})
		at += size + size%2
	}
	return all, nil
}
