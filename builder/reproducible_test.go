package builder_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/slipway-k8s/slipway/builder"
	"github.com/slipway-k8s/slipway/distro"
)

// programs compiles Slipway's own programs, pause first, with empty caches if
// goCache is not "".
func programs(t *testing.T, cache, goCache string) map[string]*builder.Binary {
	t.Helper()
	cat, err := distro.Open(distro.Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	ch, err := cat.Channel("")
	if err != nil {
		t.Fatal(err)
	}
	b, err := builder.New(t.Context(), cat, ch, builder.Options{CacheDir: cache, GoCache: goCache})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	plan, err := builder.NewPlan(cat, ch, builder.Selection{Components: []string{"kubernetes"}, Platforms: []distro.Platform{host}})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*builder.Binary{}
	for _, step := range plan.Steps {
		if step.Unit.Name != "programs" {
			continue
		}
		bins, err := b.Compile(t.Context(), step)
		if err != nil {
			t.Fatal(err)
		}
		for _, bin := range bins {
			all[bin.Name] = bin
		}
	}
	return all
}

func TestPauseIsReproducible(t *testing.T) {
	plain := programs(t, t.TempDir(), "")
	if plain["pause"] == nil {
		t.Fatal("Kubernetes needs no pause: the plan has no step that compiles it")
	}
	tmp := filepath.Join(t.TempDir(), "another folder")
	if err := os.Mkdir(tmp, 0o755); err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{"TMPDIR": tmp, "HOME": tmp, "TZ": "Pacific/Kiritimati", "LANG": "tr_TR.UTF-8", "GOPROXY": "off"} {
		t.Setenv(k, v)
	}
	odd := programs(t, filepath.Join(tmp, "cache"), filepath.Join(tmp, "gocache"))
	for name, bin := range plain {
		if odd[name] == nil || odd[name].Sha256 != bin.Sha256 {
			t.Errorf("%s: with other folders, caches, time zone and language it is %+v, want sha256 %s", name, odd[name], bin.Sha256)
		}
	}
}
