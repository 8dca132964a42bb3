package publish

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Verification is how a published release and its rebuild compare.
type Verification struct {
	Release  string `json:"release"`
	Manifest string `json:"manifest"`
	// Notes are what a reader must know to judge the rest.
	Notes []string   `json:"notes,omitempty"`
	Items []Compared `json:"items"`
}

// Status is the outcome of one comparison.
type Status string

// The outcomes of a comparison.
const (
	Equal       Status = "equal"
	Different   Status = "different"
	NotCompared Status = "not compared"
)

// Kinds of what is compared.
const (
	KindBinary   = "binary"
	KindFile     = "file"
	KindImage    = "image"
	KindRecord   = "record"   // a field of the record
	KindManifest = "manifest" // a field of the manifest, addresses apart
)

// Compared is one thing that was compared.
type Compared struct {
	Kind      string `json:"kind"`
	Component string `json:"component,omitempty"`
	Name      string `json:"name"`
	Platform  string `json:"platform,omitempty"`
	Status    Status `json:"status"`
	// Published and Rebuilt are a sha256, a digest or a field's value; empty
	// where one side lacks it.
	Published string `json:"published,omitempty"`
	Rebuilt   string `json:"rebuilt,omitempty"`
	// Range is where the bytes of a file differ, if both could be read.
	Range *ByteRange `json:"range,omitempty"`
	// Note says more: what differs, or why it was not compared.
	Note string `json:"note,omitempty"`
}

// ByteRange says where two files differ. Offsets count from 0; Last is the last
// byte that differs, the end of the longer file when their lengths do.
type ByteRange struct {
	First         int64 `json:"first"`
	Last          int64 `json:"last"`
	PublishedSize int64 `json:"publishedSize"`
	RebuiltSize   int64 `json:"rebuiltSize"`
}

// String is "bytes 10 to 20 differ (lengths: 100 published, 100 rebuilt)".
func (r ByteRange) String() string {
	return fmt.Sprintf("bytes %d to %d differ (lengths: %d published, %d rebuilt)", r.First, r.Last, r.PublishedSize, r.RebuiltSize)
}

// Count is how many comparisons had that outcome.
func (v *Verification) Count(s Status) int {
	n := 0
	for _, i := range v.Items {
		if i.Status == s {
			n++
		}
	}
	return n
}

// WriteText writes a table of all comparisons, what differs below it, and a sum.
func (v *Verification) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "RESULT\tKIND\tCOMPONENT\tNAME\tPLATFORM\tPUBLISHED")
	for _, i := range v.Items {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", i.Status, i.Kind, dash(i.Component), i.Name, dash(i.Platform), dash(brief(i.Published)))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	for _, i := range v.Items {
		if i.Status != Equal {
			fmt.Fprintln(w, i.sentence())
		}
	}
	for _, n := range v.Notes {
		fmt.Fprintln(w, "note:", n)
	}
	_, err := fmt.Fprintf(w, "%s: %d equal, %d different, %d not compared\n", v.Release, v.Count(Equal), v.Count(Different), v.Count(NotCompared))
	return err
}

func (i Compared) sentence() string {
	var parts []string
	if i.Published != i.Rebuilt {
		parts = append(parts, fmt.Sprintf("published %s, rebuilt %s", orAbsent(i.Published), orAbsent(i.Rebuilt)))
	}
	if i.Range != nil {
		parts = append(parts, i.Range.String())
	}
	if i.Note != "" {
		parts = append(parts, i.Note)
	}
	what := strings.Join(strings.Fields(i.Kind+" "+i.Component+" "+i.Name+" "+i.Platform), " ")
	return fmt.Sprintf("%s: %s: %s", i.Status, what, strings.Join(parts, "; "))
}

// brief cuts a checksum or digest to what a person compares.
func brief(s string) string {
	hex := strings.TrimPrefix(s, "sha256:")
	if len(hex) == 64 && !strings.ContainsAny(hex, " /") {
		return s[:len(s)-52]
	}
	return s
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func orAbsent(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}
