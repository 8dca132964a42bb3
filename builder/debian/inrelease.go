package debian

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// The public keys of Debian's archives, as its package debian-archive-keyring
// 2023.3+deb12u2 has them.
//
//go:embed keys/*.asc
var archiveKeys embed.FS

// ArchiveKeys are the keys that sign Debian 12: the release key, and the
// automatic keys of the main and of the security archive.
func ArchiveKeys() (openpgp.EntityList, error) {
	names, err := fs.Glob(archiveKeys, "keys/*.asc")
	if err != nil {
		return nil, err
	}
	var all openpgp.EntityList
	for _, name := range names {
		text, err := archiveKeys.ReadFile(name)
		if err != nil {
			return nil, err
		}
		keys, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(text))
		if err != nil {
			return nil, fmt.Errorf("embedded %s: %w", name, err)
		}
		all = append(all, keys...)
	}
	return all, nil
}

// inRelease is what a signed InRelease file says.
type inRelease struct {
	date   time.Time
	byHash bool
	files  map[string]indexFile // by path below dists/<suite>/
}

type indexFile struct {
	sha256 string
	size   int64
}

// clockSkew is how far the machine's clock may be behind the archive's.
const clockSkew = 24 * time.Hour

// readInRelease verifies text against keys and reads it. suite is the code name
// that the file must be for: a mirror could serve another suite's, well signed.
func readInRelease(text []byte, suite string, keys openpgp.KeyRing, now time.Time) (*inRelease, error) {
	block, rest := clearsign.Decode(text)
	if block == nil {
		return nil, errors.New("is not a clear-signed message")
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return nil, fmt.Errorf("has %d bytes after its signature", len(rest))
	}
	config := &packet.Config{Time: func() time.Time { return now }}
	if _, err := block.VerifySignature(keys, config); err != nil {
		return nil, fmt.Errorf("its signature is not by one of the embedded Debian keys or does not fit: %w", err)
	}
	// Only what the signature covers is read from here on.
	var stanza Stanza
	err := ReadStanzas(bytes.NewReader(block.Plaintext), "signed part", func(s Stanza) error {
		if stanza != nil {
			return errors.New("has more than one paragraph")
		}
		stanza = s
		return nil
	})
	if err != nil {
		return nil, err
	}
	if got := stanza["Codename"]; got != suite {
		return nil, fmt.Errorf("is for %q, want %q", got, suite)
	}
	r := &inRelease{byHash: stanza["Acquire-By-Hash"] == "yes", files: map[string]indexFile{}}
	if r.date, err = time.Parse(time.RFC1123, stanza["Date"]); err != nil {
		return nil, fmt.Errorf("its Date: %w", err)
	}
	if r.date.After(now.Add(clockSkew)) {
		return nil, fmt.Errorf("is dated %s, but it is %s: set this machine's clock", stamp(r.date), stamp(now))
	}
	if until := stanza["Valid-Until"]; until != "" { // the main archive states none
		end, err := time.Parse(time.RFC1123, until)
		if err != nil {
			return nil, fmt.Errorf("its Valid-Until: %w", err)
		}
		if now.After(end) {
			return nil, fmt.Errorf("was valid until %s, and it is %s: the mirror is out of date (or this machine's clock is wrong)", stamp(end), stamp(now))
		}
	}
	return r, r.readSums(stanza["SHA256"])
}

func (r *inRelease) readSums(field string) error {
	for line := range strings.Lines(field) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		if len(f) != 3 || !digestForm.MatchString(f[0]) {
			return fmt.Errorf("SHA256: line %q is not \"digest size path\"", line)
		}
		size, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			return fmt.Errorf("SHA256: line %q: %w", line, err)
		}
		r.files[f[2]] = indexFile{sha256: f[0], size: size}
	}
	if len(r.files) == 0 {
		return errors.New("lists no files under SHA256")
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
