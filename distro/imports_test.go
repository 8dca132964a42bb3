package distro

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const ourModule = "github.com/slipway-k8s/slipway"

type listedPackage struct {
	ImportPath    string
	Imports, Deps []string
}

func goList(t *testing.T, args ...string) []listedPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-e", "-json=ImportPath,Imports,Deps"}, args...)...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var list []listedPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listedPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

// TestDistroStaysLight: anyone may import what a release is.
func TestDistroStaysLight(t *testing.T) {
	list := goList(t, ourModule+"/distro", ourModule+"/distro/release")
	if len(list) != 2 || len(list[0].Deps) == 0 {
		t.Fatalf("go list gave %v", list)
	}
	for _, p := range list {
		for _, d := range p.Deps {
			ours := d == ourModule || strings.HasPrefix(d, ourModule+"/")
			if ours && d != p.ImportPath {
				t.Errorf("%s depends on %s", p.ImportPath, d)
			}
			for _, heavy := range []string{"k8s.io/kops", "github.com/aws/", "cloud.google.com/", "github.com/hashicorp/go-getter",
				"github.com/google/go-containerregistry", "github.com/distribution/", "k8s.io/client-go", "github.com/spf13/cobra"} {
				if strings.HasPrefix(d, heavy) {
					t.Errorf("%s depends on %s", p.ImportPath, d)
				}
			}
		}
	}
}

// rooms are the folders of the house and which others each may import; see
// docs/architecture.md. What is not listed here is no room.
var rooms = map[string][]string{
	"distro":    {},
	"builder":   {"distro"},
	"images":    {"builder", "distro"},
	"manifests": {"distro"},
	"bootstrap": {"distro", "manifests"},
	"e2e":       {"bootstrap", "distro", "manifests"},
	"internal":  {"distro", "builder", "images"}, // helpers of tests
	"cmd":       {"distro", "builder", "images", "manifests", "bootstrap", "e2e", "internal"},
	"docs":      {},
}

func TestImportsRunOneWay(t *testing.T) {
	for _, p := range goList(t, ourModule+"/...") {
		from, ok := roomOf(p.ImportPath)
		if !ok || from == "" {
			continue
		}
		may, known := rooms[from]
		if !known {
			t.Errorf("%s: %s is no room of the house", p.ImportPath, from)
		}
		for _, d := range p.Imports {
			// The module's root holds nothing but the licence's text.
			if d == ourModule+"/internal/atomicfile" && from != "distro" {
				continue // imports nothing of ours: a tool, not a room
			}
			if to, ok := roomOf(d); ok && to != "" && to != from && !slices.Contains(may, to) {
				t.Errorf("%s imports %s: %s may import %v", p.ImportPath, d, from, may)
			}
		}
	}
}

// TestHeavyLibrariesHaveOnePlace: go-getter brings two cloud SDKs, kOps and kind
// what belongs to bootstrapping.
func TestHeavyLibrariesHaveOnePlace(t *testing.T) {
	places := map[string]string{
		"github.com/hashicorp/go-getter": ourModule + "/distro/fetch", "k8s.io/kops": ourModule + "/bootstrap/", "sigs.k8s.io/kind": ourModule + "/bootstrap/",
	}
	for _, p := range goList(t, ourModule+"/...") {
		for _, d := range p.Imports {
			for library, place := range places {
				if (d == library || strings.HasPrefix(d, library+"/")) && !strings.HasPrefix(p.ImportPath+"/", place) {
					t.Errorf("%s imports %s, which is for %s", p.ImportPath, d, place)
				}
			}
		}
	}
}

// roomOf is the first folder of one of our packages; "" is the module's root.
func roomOf(pkg string) (string, bool) {
	if pkg == ourModule {
		return "", true
	}
	rest, ours := strings.CutPrefix(pkg, ourModule+"/")
	room, _, _ := strings.Cut(rest, "/")
	return room, ours
}
