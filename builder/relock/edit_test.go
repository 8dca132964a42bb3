package relock

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/distro"
)

// A channel file with a comment wherever one may stand.
const commented = `# What the channel pins.
channel: 1-40
release: {number: 1, date: "2026-01-01T00:00:00Z"} # set by cut
# Components in the order of their fame.
components:
  zeta: {version: v1.0.0, commit: aaaa} # last in the alphabet
  # beta is special
  beta: {version: v2.0.0}
# Lowest versions.
floors:
  # found by a scanner
  - {module: example.test/a, version: v1.0.0, reason: CVE-2026-0001}
  - {module: example.test/a, version: v1.1.0, reason: alignment, components: [beta, zeta]} # two of them
`

// edited applies a change to the commented file and returns what is written.
func edited(t *testing.T, text string, change func(*File)) string {
	t.Helper()
	dir := t.TempDir()
	place := filepath.Join(dir, "1-40", "channel.yaml")
	if err := os.MkdirAll(filepath.Dir(place), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(place, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := Open(dir, "1-40")
	if err != nil {
		t.Fatal(err)
	}
	change(f)
	if err := f.Save(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(place)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestEditsKeepCommentsAndOrder(t *testing.T) {
	for name, c := range map[string]struct {
		change   func(*File)
		old, new string // what one edit does to the file, and nothing else
	}{
		"nothing": {func(*File) {}, "", ""},
		"release": {
			func(f *File) { must(t, f.SetRelease(12, "2026-03-04T05:06:07Z")) },
			`{number: 1, date: "2026-01-01T00:00:00Z"}`, `{number: 12, date: "2026-03-04T05:06:07Z"}`,
		},
		"pin": {
			func(f *File) { must(t, f.SetPin("zeta", "v1.0.1", "bbbb")) },
			"{version: v1.0.0, commit: aaaa}", "{version: v1.0.1, commit: bbbb}",
		},
		"pin without a commit": {
			func(f *File) { must(t, f.SetPin("zeta", "v1.0.1", "")) },
			"{version: v1.0.0, commit: aaaa}", "{version: v1.0.1}",
		},
		"pin with its first commit": {
			func(f *File) { must(t, f.SetPin("beta", "v2.0.0", "cccc")) },
			"{version: v2.0.0}", "{version: v2.0.0, commit: cccc}",
		},
		"new floor": {
			func(f *File) {
				f.SetFloor(distro.Floor{Module: "example.test/b", Version: "v3.0.0", Reason: "CVE-2026-0002", Components: []string{"beta"}})
			},
			"# two of them\n", "# two of them\n  - {module: example.test/b, version: v3.0.0, reason: CVE-2026-0002, components: [beta]}\n",
		},
		"same module for other components": {
			func(f *File) {
				f.SetFloor(distro.Floor{Module: "example.test/a", Version: "v3.0.0", Reason: "x", Components: []string{"zeta"}})
			},
			"# two of them\n", "# two of them\n  - {module: example.test/a, version: v3.0.0, reason: x, components: [zeta]}\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(commented, c.old) {
				t.Fatalf("the file has no %q", c.old)
			}
			want := strings.Replace(commented, c.old, c.new, 1)
			if got := edited(t, commented, c.change); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestRaisingAFloorReplacesTheOneForTheSameComponents(t *testing.T) {
	got := edited(t, commented, func(f *File) {
		f.SetFloor(distro.Floor{Module: "example.test/a", Version: "v9.0.0", Reason: "CVE-2026-0003"})
	})
	if strings.Count(got, "module: example.test/a") != 2 || !strings.Contains(got, "{module: example.test/a, version: v9.0.0, reason: CVE-2026-0003}") ||
		strings.Contains(got, "CVE-2026-0001") || !strings.Contains(got, "version: v1.1.0, reason: alignment, components: [beta, zeta]") {
		t.Errorf("got\n%s", got)
	}
}

// TestEveryRealChannelSurvivesAnEdit holds that bump and cut write no line of a
// channel that they were not asked to.
func TestEveryRealChannelSurvivesAnEdit(t *testing.T) {
	files, err := filepath.Glob("../../distro/channels/*/channel.yaml")
	if err != nil || len(files) < 4 {
		t.Fatalf("found %v, %v", files, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got := edited(t, string(b), func(*File) {}); got != string(b) {
			t.Errorf("%s changes when it is read and written:\n%s", file, firstDifference(string(b), got))
		}
	}
}

func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return "- " + x[i] + "\n+ " + y[i]
		}
	}
	return "one is longer"
}

func TestEditsOfWhatIsNotThereNameFileAndField(t *testing.T) {
	edited(t, commented, func(f *File) {
		if err := f.SetPin("gamma", "v1.0.0", ""); err == nil || !strings.Contains(err.Error(), "channel.yaml: components: has no gamma") {
			t.Errorf("got %v", err)
		}
	})
	if _, err := Open(t.TempDir(), "1-40"); err == nil || !strings.Contains(err.Error(), "--channels") {
		t.Errorf("a folder without channels: %v", err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
