package distro

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// embeddedCatalog is what the binaries have built in.
func embeddedCatalog(t *testing.T) *Catalog {
	t.Helper()
	c, err := Open(Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func channelOf(t *testing.T, c *Catalog, name string) *Channel {
	t.Helper()
	ch, err := c.Channel(name)
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

// eachChannel runs a test for every embedded channel.
func eachChannel(t *testing.T, test func(t *testing.T, c *Catalog, ch *Channel)) {
	t.Helper()
	c := embeddedCatalog(t)
	names, err := c.ChannelNames()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) { test(t, c, channelOf(t, c, name)) })
	}
}

func TestEmbeddedChannelsAreTheSupportedOnesOldestFirst(t *testing.T) {
	names, err := embeddedCatalog(t).ChannelNames()
	if want := []string{"1-33", "1-34", "1-35", "1-36"}; err != nil || !reflect.DeepEqual(names, want) {
		t.Errorf("got %v, %v, want %v", names, err, want)
	}
}

func TestEveryEmbeddedChannelFitsTheRecipes(t *testing.T) {
	eachChannel(t, func(t *testing.T, c *Catalog, ch *Channel) {
		if _, _, err := c.DebianLock(ch); err != nil {
			t.Error(err)
		}
		for _, r := range c.Recipes() {
			if r.Source.Programs {
				continue
			}
			if _, err := c.Vars(ch, r); err != nil {
				t.Errorf("%s: %v", r.Name, err)
			}
		}
		if want := "v" + ch.Minor() + "."; !strings.HasPrefix(ch.Components["kubernetes"].Version, want) {
			t.Errorf("kubernetes is %s, want %s…", ch.Components["kubernetes"].Version, want)
		}
	})
}

func TestEveryPlaceholderOfTheRecipesHasAValue(t *testing.T) {
	eachChannel(t, func(t *testing.T, c *Catalog, ch *Channel) {
		for _, r := range c.Recipes() {
			vars, err := c.Vars(ch, r)
			if err != nil {
				t.Fatal(err)
			}
			vars = vars.With(PlatformVars(Platform{"linux", "amd64"}))
			for _, text := range texts(reflect.ValueOf(*r)) {
				if _, err := vars.Expand(text); err != nil {
					t.Errorf("%s.yaml: %v", r.Name, err)
				}
			}
		}
	})
}

// texts are all strings in a value.
func texts(v reflect.Value) []string {
	var all []string
	switch v.Kind() {
	case reflect.String:
		return []string{v.String()}
	case reflect.Pointer:
		if !v.IsNil() {
			return texts(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			all = append(all, texts(v.Index(i))...)
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			all = append(all, texts(v.MapIndex(k))...)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			all = append(all, texts(v.Field(i))...)
		}
	}
	return all
}

func TestTheEmptyNameIsTheNewestChannel(t *testing.T) {
	if ch := channelOf(t, embeddedCatalog(t), ""); ch.Name != "1-36" {
		t.Errorf("got %s", ch.Name)
	}
}

func TestUnknownNamesListWhatThereIs(t *testing.T) {
	c := embeddedCatalog(t)
	for name, c := range map[string]struct {
		look func() error
		want []string
	}{
		"channel":   {func() error { _, err := c.Channel("1-20"); return err }, []string{`channel "1-20"`, "1-33, 1-34, 1-35, 1-36"}},
		"component": {func() error { _, err := c.Recipe("etdc"); return err }, []string{`component "etdc"`, "etcd", "coredns"}},
	} {
		err := c.look()
		var unknown *UnknownError
		if !errors.As(err, &unknown) || unknown.Kind != name {
			t.Errorf("%s: got %v, want an UnknownError", name, err)
			continue
		}
		for _, part := range c.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: no %q in %v", name, part, err)
			}
		}
		if strings.Contains(err.Error(), "programs") {
			t.Errorf("%s: offers an internal component: %v", name, err)
		}
	}
}

// sample is a small catalogue that tests change.
func sample() (channels, components fstest.MapFS) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	channels = fstest.MapFS{
		"1-40/channel.yaml": file(`channel: 1-40
vendor: slipway
release: {number: 3, date: "2026-01-02T03:04:05Z"}
go: go1.26.8
platforms: [linux/amd64, linux/arm64]
pauseTag: "3.10"
debian: bookworm
support: {standardEnd: "2027-01-01", extendedEnd: "2028-01-01", upstreamEnd: "2026-12-01"}
components:
  lead: {version: v1.2.3, commit: a123456789012345678901234567890123456789}
  other: {version: v4.5.6}
floors:
- {module: example.test/m, version: v1.0.0, reason: CVE-2026-0001, components: [other]}
`),
		"1-40/locks/lead.mod":  file("module lead\n"),
		"1-40/locks/lead.sum":  file("a v1 h1:x=\n"),
		"1-40/locks/other.mod": file("module other\n"),
		"1-40/locks/other.sum": file("b v1 h1:y=\n"),
	}
	components = fstest.MapFS{
		"lead.yaml":     file("name: lead\nfolder: lead\norder: 1\nsource: {modules: [example.test/lead]}\nbinaries:\n- {name: lead, package: example.test/lead, path: bin/lead}\n"),
		"follower.yaml": file("name: follower\nfolder: follower\norder: 2\nbuildWith: lead\nbinaries:\n- {name: follower, package: example.test/lead/follower}\n"),
		"other.yaml":    file("name: other\nfolder: other\norder: 3\nsource: {modules: [example.test/other]}\nbinaries:\n- {name: other, package: example.test/other}\n"),
	}
	return channels, components
}

// edit replaces text in a file and fails when it is not there.
func edit(t *testing.T, fsys fstest.MapFS, name, old, changed string) {
	t.Helper()
	text := string(fsys[name].Data)
	if !strings.Contains(text, old) {
		t.Fatalf("%s has no %q", name, old)
	}
	fsys[name] = &fstest.MapFile{Data: []byte(strings.Replace(text, old, changed, 1))}
}

func TestMistakesNameFileAndField(t *testing.T) {
	const channel, recipe = "1-40/channel.yaml", "lead.yaml"
	for _, c := range []struct {
		file, old, changed string
		want               string
	}{
		{channel, "vendor: slipway", "vendor: slipway\nvender: x", `1-40/channel.yaml: error unmarshaling JSON: while decoding JSON: json: unknown field "vender"`},
		{recipe, "folder: lead", "folders: lead", `lead.yaml: error unmarshaling JSON: while decoding JSON: json: unknown field "folders"`},
		{channel, "vendor: slipway", "vendor: eks", "1-40/channel.yaml: vendor: "},
		{channel, "channel: 1-40", "channel: 1-41", "1-40/channel.yaml: channel: "},
		{channel, "number: 3", "number: 0", "1-40/channel.yaml: release.number: "},
		{channel, "2026-01-02T03:04:05Z", "yesterday", "1-40/channel.yaml: release.date: "},
		{channel, "2027-01-01", "soon", "1-40/channel.yaml: support.standardEnd: "},
		{channel, "go: go1.26.8", "go: latest", "1-40/channel.yaml: go: "},
		{channel, "commit: a123", "commit: xyz", "1-40/channel.yaml: components.lead.commit: "},
		{channel, "  other: {version: v4.5.6}\n", "", "1-40/channel.yaml: components: lacks other"},
		{channel, "  other: {version: v4.5.6}\n", "  other: {version: v4.5.6}\n  another: {version: v1}\n", "1-40/channel.yaml: components.another: "},
		{channel, "reason: CVE-2026-0001", `reason: ""`, "1-40/channel.yaml: floors[0].reason: "},
		{channel, "components: [other]", "components: [nobody]", "1-40/channel.yaml: floors[0].components: "},
		{recipe, "name: lead\n", "name: leader\n", `lead.yaml: name: is "leader"`},
		{recipe, "source: {modules: [example.test/lead]}", "source: {}", "lead.yaml: source: "},
		{"follower.yaml", "buildWith: lead", "buildWith: nobody", "follower.yaml: buildWith: "},
	} {
		channels, components := sample()
		fsys := channels
		if components[c.file] != nil {
			fsys = components
		}
		edit(t, fsys, c.file, c.old, c.changed)
		cat, err := open(channels, components)
		if err == nil {
			_, err = cat.Channel("1-40")
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s with %q: got %v, want %q", c.file, c.changed, err, c.want)
		}
	}
}

func TestALockOfOneFileIsAnError(t *testing.T) {
	channels, components := sample()
	delete(channels, "1-40/locks/lead.sum")
	cat, err := open(channels, components)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cat.Channel("1-40"); err == nil || !strings.Contains(err.Error(), "1-40/locks/lead.mod") {
		t.Errorf("got %v", err)
	}
}

func TestAComponentWithoutALockSaysHowToMakeOne(t *testing.T) {
	channels, components := sample()
	delete(channels, "1-40/locks/lead.mod")
	cat, err := open(channels, components)
	if err != nil {
		t.Fatal(err)
	}
	_, err = channelOf(t, cat, "1-40").Lock("lead")
	if err == nil || !strings.Contains(err.Error(), "component lead") || !strings.Contains(err.Error(), "bump --channel 1-40 --relock") {
		t.Errorf("got %v", err)
	}
}

func TestFoldersOverrideWhatIsEmbedded(t *testing.T) {
	channels, components := sample()
	dir := t.TempDir()
	over := Overrides{Channels: filepath.Join(dir, "channels"), Components: filepath.Join(dir, "components")}
	for to, from := range map[string]fstest.MapFS{over.Channels: channels, over.Components: components} {
		if err := os.CopyFS(to, from); err != nil {
			t.Fatal(err)
		}
	}
	cat, err := Open(over)
	if err != nil {
		t.Fatal(err)
	}
	if ch := channelOf(t, cat, ""); ch.ReleaseName() != "kubernetes-1-40-slipway-3" || len(cat.Recipes()) != 3 {
		t.Errorf("got %s and %d recipes", ch.ReleaseName(), len(cat.Recipes()))
	}
	// One of both may be overridden alone.
	if cat, err = Open(Overrides{Channels: over.Channels}); err != nil || len(cat.Recipes()) <= 3 {
		t.Errorf("channels alone: %v", err)
	}
	missing := filepath.Join(dir, "absent")
	if _, err := Open(Overrides{Components: missing}); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("a folder that is not there: %v", err)
	}
}

func TestFloorsApplyToAllLocksOrToThoseTheyName(t *testing.T) {
	all, one := Floor{}, Floor{Components: []string{"etcd", "coredns"}}
	if !all.AppliesTo("etcd") || !one.AppliesTo("coredns") || one.AppliesTo("etc") {
		t.Errorf("all: %v; named: %v; another: %v", all.AppliesTo("etcd"), one.AppliesTo("coredns"), one.AppliesTo("etc"))
	}
}

func TestSupportEndsAfterTheLastDay(t *testing.T) {
	s := Support{StandardEnd: "2027-01-01", ExtendedEnd: "2028-01-01"}
	for day, want := range map[string]string{
		"2027-01-01T23:59:59Z": "standard", "2027-01-02T00:00:00Z": "extended",
		"2028-01-01T23:59:59Z": "extended", "2028-01-02T00:00:00Z": "ended",
		"2027-01-01T23:59:59-05:00": "extended", // already the next day in UTC
	} {
		at, err := time.Parse(time.RFC3339, day)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.State(at); got != want {
			t.Errorf("%s: %s, want %s", day, got, want)
		}
	}
}
