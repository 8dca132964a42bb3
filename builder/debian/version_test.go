package debian

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// Older first; equal ones with "=".
var versionPairs = []struct{ a, op, b string }{
	{"1.0", "=", "1.0"},
	{"1.0", "lt", "1.1"},
	{"1.9", "lt", "1.10"},
	{"1.0", "lt", "1.0-1"},
	{"1.0-0", "=", "1.0"},
	{"0:1.0", "=", "1.0"},
	{"9.9", "lt", "1:0.1"},
	{"1.0~rc1", "lt", "1.0"},
	{"1.0~rc1", "lt", "1.0~rc2"},
	{"1.0~~", "lt", "1.0~"},
	{"1.0~~a", "lt", "1.0~"},
	{"1.0-1~deb12u1", "lt", "1.0-1"},
	{"1.0-1", "lt", "1.0-1+deb12u1"},
	{"1.0-1+b1", "lt", "1.0-1+b2"},
	{"1.0-1+b2", "lt", "1.0-1+b10"},
	{"1.0a", "lt", "1.0+"},
	{"1.0a", "lt", "1.0b"},
	{"1.0Z", "lt", "1.0a"},
	{"1.0", "lt", "1.0a"},
	{"1.00", "=", "1.0"},
	{"1.001", "=", "1.1"},
	{"1.0.", "=", "1.0.0"},
	{"2.36-9+deb12u9", "lt", "2.36-9+deb12u10"},
	{"1.2-3-4", "lt", "1.2-3-5"},
	{"1.2-3-4", "lt", "1.2-4-1"},
	{"1:1.35.0-4+b3", "lt", "1:1.35.0-4+deb12u1+b1"},
	{"3.0.15-1~deb12u1", "lt", "3.0.15-1"},
	{"20230311", "lt", "20230311+deb12u1"},
	{"99999999999999999999998", "lt", "99999999999999999999999"},
	{"1.0-a", "lt", "1.0-+"},
	{"1.0-~", "lt", "1.0"},
	{"a", "lt", "a1"},
	{"1a~", "lt", "1a"},
}

func TestVersionsCompareAsPolicySays(t *testing.T) {
	for _, p := range versionPairs {
		want := map[string]int{"=": 0, "lt": -1}[p.op]
		if got := sign(CompareVersions(p.a, p.b)); got != want {
			t.Errorf("%s against %s: %d, want %d", p.a, p.b, got, want)
		}
		if got := sign(CompareVersions(p.b, p.a)); got != -want {
			t.Errorf("%s against %s: %d, want %d", p.b, p.a, got, -want)
		}
	}
}

// Every pair of the table's versions, also those that the table does not order.
func TestVersionsCompareAsDpkgDoes(t *testing.T) {
	dpkg, err := exec.LookPath("dpkg")
	if err != nil {
		fmt.Fprintln(os.Stderr, "\n*** SKIPPED: no dpkg here to compare with; TestVersionsCompareAsPolicySays has run")
		t.Skip(err)
	}
	for i, p := range versionPairs {
		for _, other := range []string{p.b, versionPairs[(i*7+3)%len(versionPairs)].a, versionPairs[(i*5+1)%len(versionPairs)].b} {
			for op, holds := range map[string]bool{"lt": CompareVersions(p.a, other) < 0, "gt": CompareVersions(p.a, other) > 0} {
				err := exec.Command(dpkg, "--force-bad-version", "--compare-versions", p.a, op, other).Run()
				if (err == nil) != holds {
					t.Errorf("%s %s %s: dpkg says %v, we say %v", p.a, op, other, err == nil, holds)
				}
			}
		}
	}
}

func sign(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}

func FuzzVersionsAreOrdered(f *testing.F) {
	for _, p := range versionPairs {
		f.Add(p.a, p.b)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if sign(CompareVersions(a, b)) != -sign(CompareVersions(b, a)) {
			t.Errorf("%q and %q: the two directions disagree", a, b)
		}
		if CompareVersions(a, a) != 0 {
			t.Errorf("%q is not equal to itself", a)
		}
	})
}
