package publish_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/slipway-k8s/slipway/builder"
	"github.com/slipway-k8s/slipway/distro"
	"github.com/slipway-k8s/slipway/distro/release"
	"github.com/slipway-k8s/slipway/images/publish"
	"github.com/slipway-k8s/slipway/internal/testchannel"
)

// tiny is a published release of two components that compile in a moment: the
// whole way from pin to Release, offline.
type tiny struct {
	over  distro.Overrides
	cache string
	out   string
	// manifest is the path of the Release.
	manifest string
}

const (
	tinyVersion = testchannel.Version
	tinyRelease = "kubernetes-1-99-slipway-1"
)

// master is a published tiny, made by the first test that asks for one.
var master struct {
	once sync.Once
	dir  string
}

func TestMain(m *testing.M) {
	code := m.Run()
	if master.dir != "" {
		testchannel.MakeWritable(filepath.Join(master.dir, "mod"))
		_ = os.RemoveAll(master.dir)
	}
	os.Exit(code)
}

// newTiny returns a published tiny that the test may spoil. Module proxy, module
// cache and Slipway's cache are shared by all tests.
func newTiny(t *testing.T) *tiny {
	t.Helper()
	first := false
	master.once.Do(func() {
		first = true
		dir, err := os.MkdirTemp("", "slipway-tiny-")
		if err != nil {
			t.Fatal(err)
		}
		master.dir = dir
		makeTiny(t, dir)
	})
	useProxy(t, master.dir)
	d := tinyIn(master.dir)
	if first {
		d.publish(t)
	}
	mine := tinyIn(t.TempDir())
	mine.cache = d.cache
	for from, to := range map[string]string{d.out: mine.out, d.over.Channels: mine.over.Channels, d.over.Components: mine.over.Components} {
		if err := os.CopyFS(to, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	return mine
}

func tinyIn(dir string) *tiny {
	out := filepath.Join(dir, "out")
	return &tiny{
		over:  distro.Overrides{Channels: filepath.Join(dir, "channels"), Components: filepath.Join(dir, "components")},
		cache: filepath.Join(dir, "cache"), out: out, manifest: filepath.Join(out, "kubernetes-1-99", tinyRelease+".yaml"),
	}
}

func useProxy(t *testing.T, dir string) {
	t.Setenv("GOPROXY", "file://"+filepath.ToSlash(filepath.Join(dir, "proxy")))
	t.Setenv("GOSUMDB", "off") // the lock's sums count all the same
	t.Setenv("GOMODCACHE", filepath.Join(dir, "mod"))
}

// makeTiny is the project's test channel with a second component beside hello.
func makeTiny(t *testing.T, dir string) {
	t.Helper()
	c := testchannel.NewIn(t, dir)
	c.EditChannel(t, "components:\n", "components:\n  mini: {version: v1.0.0}\n")
	recipe := string(readFile(t, filepath.Join(c.Components, "hello.yaml")))
	recipe = strings.NewReplacer("name: hello", "name: mini", "folder: hello", "folder: mini", "order: 1", "order: 2", "bin/{os}/{arch}/hello", "bin/{os}/{arch}/mini",
		"test/hello", "test/mini", "binary: hello", "binary: mini", "hello-{os}", "mini-{os}").Replace(recipe)
	testchannel.Write(t, filepath.Join(c.Components, "mini.yaml"), recipe)
	locks := filepath.Join(c.Channels, testchannel.Name, "locks")
	for _, ending := range []string{".mod", ".sum"} {
		testchannel.Write(t, filepath.Join(locks, "mini"+ending), string(readFile(t, filepath.Join(locks, "hello"+ending))))
	}
}

func (d *tiny) catalog(t *testing.T) *distro.Catalog {
	t.Helper()
	cat, err := distro.Open(d.over)
	if err != nil {
		t.Fatal(err)
	}
	return cat
}

// publish builds the whole release.
func (d *tiny) publish(t *testing.T) {
	t.Helper()
	cat := d.catalog(t)
	ch, err := cat.Channel("1-99")
	if err != nil {
		t.Fatal(err)
	}
	plan, err := builder.NewPlan(cat, ch, builder.Selection{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := builder.New(t.Context(), cat, ch, builder.Options{CacheDir: d.cache})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if _, err := publish.Run(t.Context(), b, plan, publish.Options{Out: d.out}); err != nil {
		t.Fatal(err)
	}
}

func (d *tiny) options(t *testing.T) publish.VerifyOptions {
	return publish.VerifyOptions{
		Catalog: d.catalog(t), Builder: builder.Options{CacheDir: d.cache}, Temp: t.TempDir(),
		ReuseGoCache: true, // or the standard library is compiled for each test
	}
}

// rewrite changes a published release and binds the changed record to it, as a
// publisher that is careless or worse might.
func rewrite(t *testing.T, manifest string, change func(*release.Release, *release.Record)) {
	t.Helper()
	rel, err := release.Read(bytes.NewReader(readFile(t, manifest)), manifest)
	if err != nil {
		t.Fatal(err)
	}
	recordFile := strings.TrimSuffix(manifest, ".yaml") + ".record.json"
	rec := &release.Record{}
	if err := json.Unmarshal(readFile(t, recordFile), rec); err != nil {
		t.Fatal(err)
	}
	change(rel, rec)
	var raw, text bytes.Buffer
	if err := release.WriteRecord(&raw, rec); err != nil {
		t.Fatal(err)
	}
	release.Bind(rel, raw.Bytes())
	if err := release.Write(&text, rel); err != nil {
		t.Fatal(err)
	}
	writeTree(t, filepath.Dir(manifest), map[string]string{filepath.Base(recordFile): raw.String(), filepath.Base(manifest): text.String()})
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func writeTree(t *testing.T, dir string, content map[string]string) string {
	t.Helper()
	for name, text := range content {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
