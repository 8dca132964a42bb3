package builder_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/slipway-k8s/slipway/builder"
	"github.com/slipway-k8s/slipway/distro"
	"github.com/slipway-k8s/slipway/internal/testchannel"
)

var host = distro.Platform{OS: "linux", Arch: runtime.GOARCH}

// compile builds the test component with a cache folder.
func compile(t *testing.T, c *testchannel.Channel, cache string, events func(builder.Event)) (*builder.Binary, error) {
	t.Helper()
	cat, ch := c.Open(t)
	ctx := t.Context()
	b, err := builder.New(ctx, cat, ch, builder.Options{CacheDir: cache, OnEvent: events})
	if err != nil {
		return nil, err
	}
	defer b.Close()
	plan, err := builder.NewPlan(cat, ch, builder.Selection{Platforms: []distro.Platform{host}})
	if err != nil {
		return nil, err
	}
	bins, err := b.Compile(ctx, plan.Steps[0])
	if err != nil {
		return nil, err
	}
	return bins[0], nil
}

func mustCompile(t *testing.T, c *testchannel.Channel, cache string) *builder.Binary {
	t.Helper()
	bin, err := compile(t, c, cache, nil)
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

func TestABinarySaysItsStampAndWhatIsCompiledIn(t *testing.T) {
	c := testchannel.New(t)
	c.Environ(t)
	cat, ch := c.Open(t)
	stamp, err := cat.Stamp(ch, testchannel.Component)
	if err != nil {
		t.Fatal(err)
	}
	bin := mustCompile(t, c, t.TempDir())
	if want := "hello " + stamp; bin.VersionLine != want {
		t.Errorf("the binary says %q, want %q", bin.VersionLine, want)
	}
	var modules []string
	for _, m := range bin.Modules {
		modules = append(modules, m.Path)
	}
	if got := strings.Join(modules, " "); got != "std example.com/greet example.com/hello" {
		t.Errorf("compiled in: %s", got)
	}
}

func TestNothingIsCompiledTwice(t *testing.T) {
	c := testchannel.New(t)
	c.Environ(t)
	cache := t.TempDir()
	mustCompile(t, c, cache)
	var kinds []builder.EventKind
	if _, err := compile(t, c, cache, func(e builder.Event) { kinds = append(kinds, e.Kind) }); err != nil {
		t.Fatal(err)
	}
	if len(kinds) != 1 || kinds[0] != builder.StepCached {
		t.Errorf("the second build did %v, want only %q", kinds, builder.StepCached)
	}
}

func TestAnOfflineBuildWithAWarmModuleCacheWorks(t *testing.T) {
	c := testchannel.New(t)
	c.Environ(t)
	first := mustCompile(t, c, t.TempDir())
	t.Setenv("GOPROXY", "off")
	if second := mustCompile(t, c, t.TempDir()); second.Sha256 != first.Sha256 {
		t.Errorf("offline: sha256 %s, online %s", second.Sha256, first.Sha256)
	}
}

func TestAnOfflineBuildWithAColdModuleCacheNamesTheModule(t *testing.T) {
	c := testchannel.New(t)
	c.Environ(t)
	t.Setenv("GOPROXY", "off")
	_, err := compile(t, c, t.TempDir(), nil)
	wantError(t, err, "example.com/hello", "GOPROXY", "could not be downloaded")
}

func TestAChangedExtractedModuleStopsTheBuild(t *testing.T) {
	c := testchannel.New(t)
	mod := c.Environ(t)
	mustCompile(t, c, t.TempDir())
	file := filepath.Join(mod, "example.com", "greet@v1.0.0", "greet.go")
	testchannel.MakeWritable(mod)
	if err := os.WriteFile(file, []byte("package greet\n\nconst Word = \"evil\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := compile(t, c, t.TempDir(), nil)
	var changed *builder.ModuleError
	if !errors.As(err, &changed) || changed.Module != testchannel.Dep || changed.What != "extracted module" {
		t.Fatalf("got %v, want a ModuleError about the extracted %s", err, testchannel.Dep)
	}
	wantError(t, err, "channel 1-99: component hello", "example.com/greet@v1.0.0", changed.Want, changed.Got, "go clean -modcache")
}

func TestAChangedModuleZipStopsTheBuild(t *testing.T) {
	c := testchannel.New(t)
	mod := c.Environ(t)
	mustCompile(t, c, t.TempDir())
	testchannel.MakeWritable(mod)
	zip := filepath.Join(mod, "cache", "download", "example.com", "greet", "@v", "v1.0.0.zip")
	other, err := os.ReadFile(filepath.Join(mod, "cache", "download", "example.com", "hello", "@v", "v1.0.0.zip"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(zip, other, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = compile(t, c, t.TempDir(), nil)
	var changed *builder.ModuleError
	if !errors.As(err, &changed) || changed.What != "module zip" {
		t.Fatalf("got %v, want a ModuleError about the zip", err)
	}
}

func TestALockThatDisagreesWithTheDownloadStopsTheBuild(t *testing.T) {
	c := testchannel.New(t)
	c.Environ(t)
	file := filepath.Join(c.Channels, testchannel.Name, "locks", "hello.sum")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(b), "\n")
	fields := strings.Fields(lines[0])
	lines[0] = fields[0] + " " + fields[1] + " h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	testchannel.Write(t, file, strings.Join(lines, "\n"))
	_, err = compile(t, c, t.TempDir(), nil)
	wantError(t, err, "checksum mismatch", "h1:AAAA", "slipway-release bump --relock")
}

func TestAnotherToolchainThanTheChannelsIsRefused(t *testing.T) {
	c := testchannel.New(t)
	c.Environ(t)
	t.Setenv("GOPROXY", "off") // the go command must not go and find it
	c.SetGo(t, "go1.26.1")
	_, err := compile(t, c, t.TempDir(), nil)
	wantError(t, err, "channel 1-99", "go1.26.1")
}

func TestAWrongVersionStopsTheBuild(t *testing.T) {
	c := testchannel.New(t)
	c.Environ(t)
	file := filepath.Join(c.Components, "hello.yaml")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	testchannel.Write(t, file, strings.Replace(string(b), `want: "hello {stamp}"`, `want: "hello v9"`, 1))
	_, err = compile(t, c, t.TempDir(), nil)
	wantError(t, err, "hello", `printed no version "hello v9"`)
}

func TestADamagedCacheEntryIsBuiltAgain(t *testing.T) {
	c := testchannel.New(t)
	c.Environ(t)
	cache := t.TempDir()
	first := mustCompile(t, c, cache)
	for name, damage := range map[string]func() error{
		"a byte changed": func() error { return flip(first.Path()) },
		"cut short":      func() error { return os.Truncate(first.Path(), first.Size/2) },
		"empty entry":    func() error { return os.WriteFile(filepath.Join(filepath.Dir(first.Path()), "entry.json"), nil, 0o644) },
		"file gone":      func() error { return os.Remove(first.Path()) },
	} {
		t.Run(name, func(t *testing.T) {
			if err := damage(); err != nil {
				t.Fatal(err)
			}
			again := mustCompile(t, c, cache)
			if again.Sha256 != first.Sha256 {
				t.Errorf("sha256 %s, want %s", again.Sha256, first.Sha256)
			}
			r, err := again.Open()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if _, err := copyAll(r); err != nil {
				t.Errorf("the entry is still damaged: %v", err)
			}
		})
	}
}

func TestABinaryThatChangesAfterTheLookUpIsNoticedWhenItIsRead(t *testing.T) {
	c := testchannel.New(t)
	c.Environ(t)
	bin := mustCompile(t, c, t.TempDir())
	if err := flip(bin.Path()); err != nil {
		t.Fatal(err)
	}
	r, err := bin.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	_, err = copyAll(r)
	wantError(t, err, "something changed it", bin.Sha256)
}

func TestTwoBuildsAtOnceOnOneCacheAreBothRight(t *testing.T) {
	c := testchannel.New(t)
	c.Environ(t)
	cache := t.TempDir()
	var wg sync.WaitGroup
	sums := make([]string, 4)
	errs := make([]error, len(sums))
	for i := range sums {
		wg.Go(func() {
			bin, err := compile(t, c, cache, nil)
			if errs[i] = err; err == nil {
				sums[i] = bin.Sha256
			}
		})
	}
	wg.Wait()
	for i := range sums {
		if errs[i] != nil || sums[i] != sums[0] {
			t.Errorf("build %d: sha256 %q, error %v; build 0: %q", i, sums[i], errs[i], sums[0])
		}
	}
}

func TestTheUsersGoSettingsDoNotChangeABinary(t *testing.T) {
	c := testchannel.New(t)
	c.Environ(t)
	plain := mustCompile(t, c, t.TempDir())
	goenv := filepath.Join(t.TempDir(), "env")
	testchannel.Write(t, goenv, "GOAMD64=v3\nGOFLAGS=-tags=evil -modcacherw\n")
	for k, v := range map[string]string{
		"GOENV": goenv, "GOFLAGS": "-race -modcacherw", "GOAMD64": "v3", "GOARM64": "v9.0", "GODEBUG": "http2client=0", "CGO_ENABLED": "1",
		"GOEXPERIMENT": "", "GOWORK": "off", "TZ": "Pacific/Kiritimati", "LANG": "tr_TR.UTF-8", "HOME": t.TempDir(), "GOOS": "windows",
		"GOCACHE": filepath.Join(t.TempDir(), "gocache"),
	} {
		t.Setenv(k, v)
	}
	odd := mustCompile(t, c, filepath.Join(t.TempDir(), "a folder with a space"))
	if odd.Sha256 != plain.Sha256 {
		t.Errorf("with other settings the binary is another: %s, want %s", odd.Sha256, plain.Sha256)
	}
}

func TestACancelledBuildLeavesNothingBehind(t *testing.T) {
	c := testchannel.New(t)
	c.Environ(t)
	cache := t.TempDir()
	cat, ch := c.Open(t)
	ctx, cancel := context.WithCancel(t.Context())
	b, err := builder.New(ctx, cat, ch, builder.Options{CacheDir: cache, OnEvent: func(e builder.Event) {
		if e.Kind == builder.StepStarted {
			cancel()
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := builder.NewPlan(cat, ch, builder.Selection{Platforms: []distro.Platform{host}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Compile(ctx, plan.Steps[0]); err == nil {
		t.Error("a cancelled build reports success")
	}
	b.Close()
	left, err := os.ReadDir(filepath.Join(cache, "tmp"))
	if err != nil || len(left) != 0 {
		t.Errorf("left in the cache's tmp: %v (%v)", left, err)
	}
	mustCompile(t, c, cache)
}
