// Package relock makes module locks: it lets the go command resolve a
// component's wrapper module at the pinned version and raises what the
// channel's floors ask for. All version arithmetic is the go command's own.
package relock

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/slipway-k8s/slipway/distro"
	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// Result is a new lock and what was learned of the source.
type Result struct {
	Lock   distro.Lock
	Commit string // git commit of the first module; empty where the proxy does not say
	// Raised are the modules whose version a floor decided, as module@version.
	Raised []string
}

// Maker makes locks with the go command.
type Maker struct {
	// Go is the go command; default "go".
	Go string
	// Log gets one line for each step; nil for none.
	Log func(format string, args ...any)
}

// Lock resolves the lock of one recipe of a channel. The checksum database must
// be on: a lock made without it would pin whatever happened to be served.
func (m *Maker) Lock(ctx context.Context, cat *distro.Catalog, ch *distro.Channel, r *distro.Recipe) (*Result, error) {
	fail := func(err error) (*Result, error) {
		return nil, fmt.Errorf("channel %s: component %s: lock: %w", ch.Name, r.Name, err)
	}
	if len(r.Source.Modules) == 0 {
		return fail(fmt.Errorf("its source is no Go module, so it has none"))
	}
	dir, err := os.MkdirTemp("", "slipway-lock-")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)
	w := &wrapper{maker: m, dir: dir, ch: ch, recipe: r}
	if err := w.requireSumDB(ctx); err != nil {
		return fail(err)
	}
	if err := w.compose(ctx, cat); err != nil {
		return fail(err)
	}
	if err := w.settle(ctx); err != nil {
		return fail(err)
	}
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return fail(err)
	}
	sum, err := os.ReadFile(filepath.Join(dir, "go.sum"))
	if err != nil {
		return fail(err)
	}
	return &Result{Lock: distro.Lock{Mod: mod, Sum: sum}, Commit: w.commit, Raised: w.raised}, nil
}

// wrapper is the module that is being resolved.
type wrapper struct {
	maker  *Maker
	dir    string
	ch     *distro.Channel
	recipe *distro.Recipe
	commit string
	// upstream are versions that upstream's own replace lines ask for. Go
	// ignores a dependency's replace lines, so they count as floors here.
	upstream []module.Version
	raised   []string
}

func (w *wrapper) run(ctx context.Context, args ...string) ([]byte, error) {
	name := w.maker.Go
	if name == "" {
		name = "go"
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = w.dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off", "GOTOOLCHAIN="+w.ch.Go)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.Bytes(), fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.Bytes(), nil
}

func (w *wrapper) requireSumDB(ctx context.Context) error {
	out, err := w.run(ctx, "env", "GOSUMDB")
	if err == nil && strings.TrimSpace(string(out)) == "off" {
		err = fmt.Errorf("GOSUMDB is off: a lock is only made with the checksum database on; unset GOSUMDB")
	}
	return err
}

// compose writes the first go.mod: upstream's go line and godebug default, the
// pinned modules, staging modules, and a tool line for each command.
func (w *wrapper) compose(ctx context.Context, cat *distro.Catalog) error {
	f := new(modfile.File)
	if err := f.AddModuleStmt("slipway.invalid/" + w.recipe.Name); err != nil {
		return err
	}
	pin := w.ch.Components[w.recipe.Name]
	for i, path := range w.recipe.Source.Modules {
		up, commit, err := w.download(ctx, path, pin.Version)
		if err != nil {
			return err
		}
		if i == 0 {
			w.commit = commit
			if err := carryLanguage(f, up); err != nil {
				return err
			}
		}
		if err := f.AddRequire(path, pin.Version); err != nil {
			return err
		}
		if err := w.carryReplaces(f, up, pin.Version); err != nil {
			return err
		}
	}
	for _, r := range cat.Recipes() {
		if r.Unit() != w.recipe.Name {
			continue
		}
		for _, b := range r.Binaries {
			if err := f.AddTool(b.Package); err != nil {
				return err
			}
		}
	}
	return w.write(f)
}

func (w *wrapper) write(f *modfile.File) error {
	f.Cleanup()
	b, err := f.Format()
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(w.dir, "go.mod"), b, 0o644)
}

// download fetches a module and returns its go.mod and git commit.
func (w *wrapper) download(ctx context.Context, path, version string) (*modfile.File, string, error) {
	out, err := w.run(ctx, "mod", "download", "-json", path+"@"+version)
	var info struct {
		GoMod, Error string
		Origin       *struct{ Hash string }
	}
	if json.Unmarshal(out, &info) == nil && info.Error != "" {
		return nil, "", fmt.Errorf("%s@%s: %s", path, version, info.Error)
	}
	if err != nil {
		return nil, "", err
	}
	b, err := os.ReadFile(info.GoMod)
	if err != nil {
		return nil, "", err
	}
	up, err := modfile.Parse(path+"/go.mod", b, nil)
	if err != nil {
		return nil, "", err
	}
	commit := ""
	if info.Origin != nil {
		commit = info.Origin.Hash
	}
	return up, commit, nil
}

// carryLanguage takes over upstream's go line and godebug settings. Go ignores
// those of a dependency, and they change how a program behaves; since tidying
// may raise the go line, the default is always written out.
func carryLanguage(f, up *modfile.File) error {
	if up.Go == nil {
		return fmt.Errorf("%s has no go line", up.Module.Mod.Path)
	}
	if err := f.AddGoStmt(up.Go.Version); err != nil {
		return err
	}
	hasDefault := false
	for _, g := range up.Godebug {
		hasDefault = hasDefault || g.Key == "default"
		if err := f.AddGodebug(g.Key, g.Value); err != nil {
			return err
		}
	}
	if hasDefault {
		return nil
	}
	parts := strings.SplitN(up.Go.Version, ".", 3)
	return f.AddGodebug("default", "go"+parts[0]+"."+parts[1])
}

// carryReplaces turns upstream's replace lines into what a wrapper can use:
// staging folders become the modules published from them, versions become
// floors. Other local folders are published at the version the pin requires.
func (w *wrapper) carryReplaces(f, up *modfile.File, version string) error {
	staging := w.recipe.Source.Staging
	for _, r := range up.Replace {
		switch {
		case r.New.Version != "":
			w.upstream = append(w.upstream, module.Version{Path: r.New.Path, Version: r.New.Version})
		case staging != "" && strings.HasPrefix(r.Old.Path, staging):
			published := "v0." + strings.TrimPrefix(version, "v1.")
			if err := f.AddReplace(r.Old.Path, "", r.Old.Path, published); err != nil {
				return err
			}
		}
	}
	return nil
}

// settle tidies and raises until no floor asks for more.
func (w *wrapper) settle(ctx context.Context) error {
	for range 8 {
		if _, err := w.run(ctx, "mod", "tidy"); err != nil {
			return err
		}
		raised, err := w.raise()
		if err != nil || raised == 0 {
			return err
		}
	}
	return fmt.Errorf("floors and go mod tidy do not agree after 8 rounds")
}

// raise sets every module that is below a floor to the floor.
func (w *wrapper) raise() (int, error) {
	file := filepath.Join(w.dir, "go.mod")
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	f, err := modfile.Parse(file, b, nil)
	if err != nil {
		return 0, err
	}
	replaced := map[string]bool{}
	for _, r := range f.Replace {
		replaced[r.Old.Path] = true
	}
	want := map[string]string{}
	need := func(path, version string) {
		if semver.Compare(version, want[path]) > 0 {
			want[path] = version
		}
	}
	for _, fl := range w.ch.Floors {
		if fl.AppliesTo(w.recipe.Name) {
			need(fl.Module, fl.Version)
		}
	}
	for _, u := range w.upstream {
		need(u.Path, u.Version)
	}
	n := 0
	for _, r := range f.Require {
		v, ok := want[r.Mod.Path]
		if !ok || replaced[r.Mod.Path] || semver.Compare(r.Mod.Version, v) >= 0 {
			continue
		}
		if err := f.AddRequire(r.Mod.Path, v); err != nil {
			return 0, err
		}
		w.raised = append(w.raised, r.Mod.Path+"@"+v)
		n++
	}
	if n == 0 {
		return 0, nil
	}
	return n, w.write(f)
}
