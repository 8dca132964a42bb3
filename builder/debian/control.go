package debian

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// Stanza is one paragraph of a Debian control file (deb822): field names as
// written, continuation lines joined to their field by newlines.
type Stanza map[string]string

// maxControlLine is the longest line of a control file that is read, in bytes.
// The longest in Debian's indexes (a Provides of a Rust crate) are some 50 KB.
const maxControlLine = 4 << 20

// ReadStanzas calls each for every paragraph of r. name is what errors call r.
// Comment lines (#) are skipped, as in sources files.
func ReadStanzas(r io.Reader, name string, each func(Stanza) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxControlLine)
	stanza, field := Stanza{}, ""
	flush := func() error {
		if len(stanza) == 0 {
			return nil
		}
		done := stanza
		stanza, field = Stanza{}, ""
		return each(done)
	}
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		switch {
		case strings.TrimSpace(line) == "":
			if err := flush(); err != nil {
				return err
			}
		case line[0] == '#':
		case line[0] == ' ' || line[0] == '\t':
			if field == "" {
				return fmt.Errorf("%s: line %d continues a field, but none has begun: %q", name, n, line)
			}
			stanza[field] += "\n" + strings.TrimSpace(line)
		default:
			key, value, ok := strings.Cut(line, ":")
			if !ok || key == "" {
				return fmt.Errorf("%s: line %d is not \"Field: value\": %q", name, n, line)
			}
			if _, dup := stanza[key]; dup {
				return fmt.Errorf("%s: line %d gives the field %s a second time", name, n, key)
			}
			field = key
			stanza[field] = strings.TrimSpace(value)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return flush()
}
