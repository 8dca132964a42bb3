package release

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// ErrNotBound is what CheckBinding's errors are when the record is not the one
// that the release was published with.
var ErrNotBound = errors.New("the record does not belong to the release")

// ReadRecord reads a record; name is what errors call it. An unknown or repeated
// field, another schemaVersion, anything after the object, or more than MaxBytes
// is an error.
func ReadRecord(r io.Reader, name string) (*Record, error) {
	b, err := readLimited(r, name)
	if err != nil {
		return nil, err
	}
	var head struct {
		SchemaVersion *int `json:"schemaVersion"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return nil, fmt.Errorf("%s: is no record (%s): want the JSON that stands beside a release manifest (%s)", name, oneLine(err), RecordFile("kubernetes-1-36-…"))
	}
	if head.SchemaVersion == nil {
		return nil, fmt.Errorf("%s: schemaVersion: is missing, want %d: is this a record?", name, RecordSchemaVersion)
	}
	if *head.SchemaVersion != RecordSchemaVersion {
		return nil, fmt.Errorf("%s: schemaVersion: found %d, want %d: use the Slipway version that wrote it", name, *head.SchemaVersion, RecordSchemaVersion)
	}
	out := &Record{}
	if err := decodeStrict(b, name, out); err != nil {
		return nil, err
	}
	if out.Release == "" {
		return nil, fmt.Errorf("%s: release: is missing: want the name of the release", name)
	}
	return out, nil
}

// WriteRecord writes r as indented JSON with a newline at the end, in a stable
// order: everything that has a name by name, then by platform; tags and
// platforms sorted; layers and diffIDs as they are, since their order has a
// meaning. SchemaVersion 0 is written as RecordSchemaVersion. r is not changed.
func WriteRecord(w io.Writer, r *Record) error {
	plain, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write record: %w", err)
	}
	sorted := &Record{}
	if err := json.Unmarshal(plain, sorted); err != nil {
		return fmt.Errorf("write record: %w", err)
	}
	sortRecord(sorted)
	if sorted.SchemaVersion == 0 {
		sorted.SchemaVersion = RecordSchemaVersion
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false) // package names and versions stay readable
	return e.Encode(sorted)
}

func sortRecord(r *Record) {
	slices.Sort(r.Platforms)
	sortBy(r.Components, func(c RecordComponent) string { return c.Name })
	for i := range r.Components {
		c := &r.Components[i]
		sortBy(c.Modules, func(m RecordModule) string { return m.Path })
		sortBy(c.Binaries, func(b RecordBinary) string { return b.Name + "\x00" + b.Platform })
		sortBy(c.Archives, func(a RecordArchive) string { return a.Name + "\x00" + a.Platform })
		sortBy(c.Packages, func(p RecordPackage) string { return p.Name + "\x00" + p.Architecture })
		for j := range c.Images {
			slices.Sort(c.Images[j].Tags)
			sortBy(c.Images[j].Platforms, func(p RecordImagePlatform) string { return p.Platform })
		}
		sortBy(c.Images, func(m RecordImage) string { return m.Name })
	}
}

// Bind says in the release's annotations which record is its own: the sha256 of
// the very bytes of the record file.
func Bind(r *Release, record []byte) {
	annotate(r, AnnotationRecordSHA256, sum256(record))
}

// CheckBinding checks that record, the bytes of a record file, is the one that
// the release was published with. Its error is an ErrNotBound.
func CheckBinding(r *Release, record []byte) error {
	want, ok := r.Annotations[AnnotationRecordSHA256]
	if !ok {
		return fmt.Errorf("%w: %s: metadata.annotations[%s] is missing, so nothing says which record is its own", ErrNotBound, r.Name, AnnotationRecordSHA256)
	}
	if found := sum256(record); found != want {
		return fmt.Errorf("%w: %s: metadata.annotations[%s] is %s, the record's sha256 is %s: fetch manifest and record together from where they were published", ErrNotBound, r.Name, AnnotationRecordSHA256, want, found)
	}
	return nil
}

func sum256(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
