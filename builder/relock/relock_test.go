package relock

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/distro"
)

func embedded(t *testing.T, channel, component string) (*distro.Catalog, *distro.Channel, *distro.Recipe) {
	t.Helper()
	cat, err := distro.Open(distro.Overrides{})
	must(t, err)
	ch, err := cat.Channel(channel)
	must(t, err)
	r, err := cat.Recipe(component)
	must(t, err)
	return cat, ch, r
}

// TestRelockGivesTheLockInTheTree: locks are made, never edited, and making one
// again changes nothing. It asks the module proxy for what the module cache
// lacks.
func TestRelockGivesTheLockInTheTree(t *testing.T) {
	cat, ch, r := embedded(t, "1-36", "etcd")
	have, err := ch.Lock("etcd")
	must(t, err)
	res, err := (&Maker{}).Lock(t.Context(), cat, ch, r)
	must(t, err)
	if !bytes.Equal(res.Lock.Mod, have.Mod) {
		t.Errorf("go.mod differs: %s", firstDifference(string(have.Mod), string(res.Lock.Mod)))
	}
	if !bytes.Equal(res.Lock.Sum, have.Sum) {
		t.Errorf("go.sum differs: %s", firstDifference(string(have.Sum), string(res.Lock.Sum)))
	}
	if want := ch.Components["etcd"].Commit; res.Commit != want {
		t.Errorf("commit is %s, the channel pins %s", res.Commit, want)
	}
}

func TestAFloorRaisesWhatIsBelowItAndNothingElse(t *testing.T) {
	cat, ch, r := embedded(t, "1-36", "etcd")
	before, err := ch.Lock("etcd")
	must(t, err)
	const have, want = "github.com/mattn/go-runewidth v0.0.16", "github.com/mattn/go-runewidth v0.0.17"
	if !strings.Contains(string(before.Mod), have) {
		t.Fatalf("etcd's lock has no %s: choose another module for this test", have)
	}
	ch.Floors = append(ch.Floors,
		distro.Floor{Module: "github.com/mattn/go-runewidth", Version: "v0.0.17", Reason: "a test"},
		distro.Floor{Module: "github.com/rivo/uniseg", Version: "v0.4.0", Reason: "below what is locked"},
		distro.Floor{Module: "github.com/fatih/color", Version: "v99.0.0", Reason: "not for etcd", Components: []string{"coredns"}})
	res, err := (&Maker{}).Lock(t.Context(), cat, ch, r)
	must(t, err)
	if got, want := string(res.Lock.Mod), strings.Replace(string(before.Mod), have, want, 1); got != want {
		t.Errorf("beside the raised module: %s", firstDifference(want, got))
	}
	if !slices.Contains(res.Raised, "github.com/mattn/go-runewidth@v0.0.17") || slices.ContainsFunc(res.Raised, func(s string) bool { return strings.HasPrefix(s, "github.com/rivo/") }) {
		t.Errorf("raised: %v", res.Raised)
	}
}

func TestLocksAreNotMadeWithoutTheChecksumDatabase(t *testing.T) {
	t.Setenv("GOSUMDB", "off")
	cat, ch, r := embedded(t, "1-36", "etcd")
	_, err := (&Maker{}).Lock(t.Context(), cat, ch, r)
	if err == nil || !strings.Contains(err.Error(), "channel 1-36: component etcd: lock: GOSUMDB is off") {
		t.Errorf("got %v", err)
	}
}

func TestWhatHasNoModulesHasNoLock(t *testing.T) {
	cat, ch, r := embedded(t, "1-36", "busybox")
	if _, err := (&Maker{}).Lock(t.Context(), cat, ch, r); err == nil || !strings.Contains(err.Error(), "component busybox: lock: its source is no Go module") {
		t.Errorf("got %v", err)
	}
}
