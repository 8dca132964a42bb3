package debian

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// poolOf reads stanzas as the archives "debian" and, after "--", "debian-security".
func poolOf(t *testing.T, text string) *pool {
	t.Helper()
	p := newPool("amd64")
	for i, part := range strings.Split(text, "--\n") {
		err := ReadStanzas(strings.NewReader(part), "test", func(s Stanza) error {
			for field, value := range map[string]string{"Version": "1.0", "Architecture": "amd64", "Size": "1", "Filename": "pool/x.deb"} {
				if s[field] == "" {
					s[field] = value
				}
			}
			return p.add([]string{Main, Security}[i], s)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func TestClosure(t *testing.T) {
	for _, tt := range []struct {
		name, index string
		omit        []string
		want        string
	}{
		{"depends and pre-depends, not recommends", "Package: root\nDepends: aa\nPre-Depends: bb\nRecommends: cc\nSuggests: cc\n\nPackage: aa\n\nPackage: bb\nDepends: dd\n\nPackage: cc\n\nPackage: dd\n", nil, "aa bb dd root"},
		{"a circle ends", "Package: root\nDepends: aa\n\nPackage: aa\nDepends: root\n", nil, "aa root"},
		{"first alternative", "Package: root\nDepends: aa | bb\n\nPackage: aa\n\nPackage: bb\n", nil, "aa root"},
		{"second alternative when there is no first", "Package: root\nDepends: aa | bb\n\nPackage: bb\n", nil, "bb root"},
		{"second alternative when the first is too old", "Package: root\nDepends: aa (>= 2) | bb\n\nPackage: aa\n\nPackage: bb\n", nil, "bb root"},
		{"the alternative that is there already", "Package: root\nDepends: bb, aa | bb\n\nPackage: aa\n\nPackage: bb\n", nil, "bb root"},
		{"a virtual package, required provider first", "Package: root\nDepends: awk\n\nPackage: gawk\nProvides: awk\nPriority: optional\n\nPackage: mawk\nProvides: awk\nPriority: required\n", nil, "mawk root"},
		{"a provider that is there already", "Package: root\nDepends: gawk, awk\n\nPackage: gawk\nProvides: awk\n\nPackage: mawk\nProvides: awk\nPriority: required\n", nil, "gawk root"},
		{"a versioned virtual package", "Package: root\nDepends: api (>= 2)\n\nPackage: aa\nProvides: api\n\nPackage: bb\nProvides: api (= 1)\n\nPackage: cc\nProvides: api (= 2.1)\n", nil, "cc root"},
		{"omitted, with what it needs", "Package: root\nDepends: aa, bb\n\nPackage: aa\nDepends: cc\n\nPackage: bb\n\nPackage: cc\n", []string{"aa"}, "bb root"},
		{"an architecture qualifier", "Package: root\nDepends: aa:any (>= 1)\n\nPackage: aa\nArchitecture: all\n", nil, "aa root"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			packages, err := poolOf(t, tt.index).closure([]string{"root"}, tt.omit)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, p := range packages {
				names = append(names, p.Name)
			}
			if got := strings.Join(names, " "); got != tt.want {
				t.Errorf("closure is %q, want %q", got, tt.want)
			}
		})
	}
}

func TestClosureTakesTheNewestOfAllSuites(t *testing.T) {
	p := poolOf(t, "Package: root\nVersion: 1.0-9\n--\nPackage: root\nVersion: 1.0-10\nFilename: pool/updates/root.deb\n")
	got, err := p.closure([]string{"root"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []Package{{Name: "root", Version: "1.0-10", Architecture: "amd64", Archive: Security, Path: "pool/updates/root.deb", Size: 1}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("closure (-want +got):\n%s", diff)
	}
}

func TestUnsatisfiedDependencyIsNamed(t *testing.T) {
	for _, op := range []string{">= 2", ">> 1.0", "= 1.1", "<< 1.0", "<= 0.9"} {
		p := poolOf(t, fmt.Sprintf("Package: root\nDepends: aa (%s) | cc\n\nPackage: aa\n", op))
		_, err := p.closure([]string{"root"}, nil)
		want := fmt.Sprintf("root 1.0 (amd64): needs aa (%s) | cc, which no suite has for amd64", op)
		if err == nil || err.Error() != want {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	if _, err := poolOf(t, "Package: aa\n").closure([]string{"root"}, nil); err == nil || !strings.Contains(err.Error(), "there is no package root for amd64") {
		t.Errorf("missing root: %v", err)
	}
}

func TestOddDependencyIsRefused(t *testing.T) {
	for _, field := range []string{"aa (> 1)", "aa (>= )", "AA", "aa bb", "$(x)", "aa (>= 1) bb"} {
		if got, err := parseDependencies(field); err == nil {
			t.Errorf("%q was read as %v", field, got)
		}
	}
}
