package debian

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStanzasKeepFieldsAndContinuations(t *testing.T) {
	text := "# a comment\nPackage: a\nDescription: short\n long\n .\n\tmore\n\n\n \t\nPackage: b\nDepends:\n c,\n d\n"
	var got []Stanza
	if err := ReadStanzas(strings.NewReader(text), "test", func(s Stanza) error { got = append(got, s); return nil }); err != nil {
		t.Fatal(err)
	}
	want := []Stanza{{"Package": "a", "Description": "short\nlong\n.\nmore"}, {"Package": "b", "Depends": "\nc,\nd"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("stanzas (-want +got):\n%s", diff)
	}
}

func TestMalformedStanzasNameTheLine(t *testing.T) {
	for text, want := range map[string]string{
		"Package: a\nno colon\n":     `index: line 2 is not "Field: value"`,
		" continued\n":               "index: line 1 continues a field",
		"Package: a\nPackage: b\n":   "index: line 2 gives the field Package a second time",
		"Package: a\n\n continued\n": "index: line 3 continues a field",
	} {
		err := ReadStanzas(strings.NewReader(text), "index", func(Stanza) error { return nil })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
