package distro

import (
	"regexp"
	"testing"
	"testing/fstest"
)

// stampOf is a unit's stamp in the sample after a change to it.
func stampOf(t *testing.T, unit string, change func(channels, components fstest.MapFS)) string {
	t.Helper()
	channels, components := sample()
	change(channels, components)
	cat, err := open(channels, components)
	if err != nil {
		t.Fatal(err)
	}
	stamp, err := cat.Stamp(channelOf(t, cat, "1-40"), unit)
	if err != nil {
		t.Fatal(err)
	}
	return stamp
}

func unchanged(_, _ fstest.MapFS) {}

func TestStampHasTagVendorAndSevenHexDigits(t *testing.T) {
	if got := stampOf(t, "lead", unchanged); !regexp.MustCompile(`^v1\.2\.3\+slipway\.[0-9a-f]{7}$`).MatchString(got) {
		t.Errorf("got %s", got)
	}
}

func TestStampChangesWithWhateverChangesABinary(t *testing.T) {
	before := stampOf(t, "lead", unchanged)
	for what, change := range map[string]func(channels, components fstest.MapFS){
		"go.mod of the lock": func(ch, _ fstest.MapFS) { edit(t, ch, "1-40/locks/lead.mod", "module lead", "module lead // x") },
		"go.sum of the lock": func(ch, _ fstest.MapFS) { edit(t, ch, "1-40/locks/lead.sum", "h1:x=", "h1:z=") },
		"toolchain":          func(ch, _ fstest.MapFS) { edit(t, ch, "1-40/channel.yaml", "go1.26.8", "go1.26.9") },
		"commit":             func(ch, _ fstest.MapFS) { edit(t, ch, "1-40/channel.yaml", "commit: a", "commit: b") },
		"build tags":         func(_, c fstest.MapFS) { edit(t, c, "lead.yaml", "order: 1", "order: 1\ngo: {tags: [x]}") },
		"variables":          func(_, c fstest.MapFS) { edit(t, c, "lead.yaml", "order: 1", "order: 1\ngo: {stamps: {main.v: x}}") },
		"package": func(_, c fstest.MapFS) {
			edit(t, c, "lead.yaml", "package: example.test/lead", "package: example.test/lead/cmd")
		},
		"a follower's package": func(_, c fstest.MapFS) {
			edit(t, c, "follower.yaml", "package: example.test/lead/follower", "package: example.test/lead/cmd")
		},
	} {
		if after := stampOf(t, "lead", change); after == before {
			t.Errorf("%s: the stamp stayed %s", what, after)
		}
	}
}

// TestStampStaysWhenNoBinaryChanges holds that no node rolls for nothing.
func TestStampStaysWhenNoBinaryChanges(t *testing.T) {
	before := stampOf(t, "lead", unchanged)
	for what, change := range map[string]func(channels, components fstest.MapFS){
		"release number": func(ch, _ fstest.MapFS) { edit(t, ch, "1-40/channel.yaml", "number: 3", "number: 4") },
		"release date":   func(ch, _ fstest.MapFS) { edit(t, ch, "1-40/channel.yaml", "2026-01-02", "2026-01-03") },
		"published path": func(_, c fstest.MapFS) { edit(t, c, "lead.yaml", "path: bin/lead", "path: sbin/lead") },
		"description":    func(_, c fstest.MapFS) { edit(t, c, "lead.yaml", "order: 1", "order: 1\ndescription: x") },
		"an image": func(_, c fstest.MapFS) {
			edit(t, c, "lead.yaml", "order: 1", "order: 1\nimages: [{name: i, repository: r, user: \"0\"}]")
		},
		"another component's pin":    func(ch, _ fstest.MapFS) { edit(t, ch, "1-40/channel.yaml", "v4.5.6", "v4.5.7") },
		"another component's lock":   func(ch, _ fstest.MapFS) { edit(t, ch, "1-40/locks/other.sum", "h1:y=", "h1:z=") },
		"another component's recipe": func(_, c fstest.MapFS) { edit(t, c, "other.yaml", "order: 3", "order: 3\ngo: {tags: [x]}") },
		"a floor not locked yet":     func(ch, _ fstest.MapFS) { edit(t, ch, "1-40/channel.yaml", "version: v1.0.0", "version: v1.0.1") },
	} {
		if after := stampOf(t, "lead", change); after != before {
			t.Errorf("%s: the stamp changed from %s to %s", what, before, after)
		}
	}
}

// TestKubeProxySharesTheStampOfKubernetes: kubeadm computes kube-proxy's tag
// from kubernetesVersion.
func TestKubeProxySharesTheStampOfKubernetes(t *testing.T) {
	eachChannel(t, func(t *testing.T, c *Catalog, ch *Channel) {
		tags := map[string]string{}
		for _, name := range []string{"kubernetes", "kube-proxy"} {
			r, err := c.Recipe(name)
			if err != nil {
				t.Fatal(err)
			}
			vars, err := c.Vars(ch, r)
			if err != nil {
				t.Fatal(err)
			}
			tags[name] = vars["stampTag"]
		}
		if tags["kubernetes"] == "" || tags["kubernetes"] != tags["kube-proxy"] {
			t.Errorf("got %v", tags)
		}
	})
}
