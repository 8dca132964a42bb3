package builder

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"

	"github.com/slipway-k8s/slipway/distro"
)

// Toolchain is the Go toolchain that compiles, and the environment it gets.
type Toolchain struct {
	Version  string // "go1.26.8"
	Identity string // hash of compiler, linker, assembler and standard library
	// Library is a hash of the standard library's source alone, which is the
	// same on every kind of machine that a toolchain is published for.
	Library string
	GOROOT  string
	// ModCache is where modules are extracted.
	ModCache string

	command string
	env     []string
}

// keptVariables are settings of the user that say where modules come from and
// where the go command keeps things. Nothing else of Go's passes through:
// whatever could change a binary is fixed by distro.BuildEnv.
var keptVariables = []string{
	"GOPROXY", "GOPRIVATE", "GONOPROXY", "GONOSUMDB", "GOSUMDB", "GOINSECURE", "GOAUTH", "GOVCS",
	"GOMODCACHE", "GOCACHE", "GOPATH", "GOTMPDIR",
}

// FindToolchain asks the go command for the channel's toolchain and computes
// its identity. Distributions patch Go without changing its version, so two
// toolchains of one version share no cache entry unless they are equal.
// A toolchain of another version is an error.
func FindToolchain(ctx context.Context, goCommand string, ch *distro.Channel, cache *Cache) (*Toolchain, error) {
	if goCommand == "" {
		goCommand = "go"
	}
	t := &Toolchain{command: goCommand}
	settings, err := t.settings(ctx, ch.Go)
	if err != nil {
		return nil, fmt.Errorf("channel %s wants the toolchain %s: %w", ch.Name, ch.Go, err)
	}
	t.Version, t.GOROOT, t.ModCache = settings["GOVERSION"], settings["GOROOT"], settings["GOMODCACHE"]
	if t.Version != ch.Go {
		return nil, fmt.Errorf("Go toolchain: channel %s wants %s, the go command found is %s: install %s, or let GOTOOLCHAIN fetch it",
			ch.Name, ch.Go, t.Version, ch.Go)
	}
	t.env = buildEnv(os.Environ(), settings, ch.Go)
	return t, t.identify(settings["GOTOOLDIR"], cache)
}

// settings reads what the user's own go environment says, their GOENV file
// included.
func (t *Toolchain) settings(ctx context.Context, version string) (map[string]string, error) {
	cmd := exec.CommandContext(ctx, t.command, append([]string{"env", "-json", "GOVERSION", "GOROOT", "GOTOOLDIR"}, keptVariables...)...)
	cmd.Dir = os.TempDir() // no go.mod of the current folder decides the toolchain
	cmd.Env = append(os.Environ(), "GOTOOLCHAIN="+version, "GOWORK=off", "GOFLAGS=")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s env: %w: %s", t.command, err, strings.TrimSpace(stderr.String()))
	}
	settings := map[string]string{}
	return settings, json.Unmarshal(out, &settings)
}

// buildEnv is the environment of every go command: the user's, without
// anything of Go's and cgo's but the kept variables, with distro.BuildEnv set.
func buildEnv(environ []string, settings map[string]string, version string) []string {
	var env []string
	for _, kv := range environ {
		name, _, _ := strings.Cut(kv, "=")
		if strings.HasPrefix(name, "GO") || strings.HasPrefix(name, "CGO_") || name == "CC" || name == "CXX" || name == "PWD" {
			continue
		}
		env = append(env, kv)
	}
	for _, name := range keptVariables {
		if v := settings[name]; v != "" {
			env = append(env, name+"="+v)
		}
	}
	names := make([]string, 0, len(distro.BuildEnv))
	for name := range distro.BuildEnv {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		env = append(env, name+"="+distro.BuildEnv[name])
	}
	return append(env, "GOENV=off", "GOTOOLCHAIN="+version)
}

// useGoCache makes every go command keep what it compiles in dir.
func (t *Toolchain) useGoCache(dir string) error {
	abs, err := filepath.Abs(dir) // the go command takes no other
	if err != nil {
		return fmt.Errorf("Go build cache %q: %w", dir, err)
	}
	t.env = append(t.env, "GOCACHE="+abs) // the last one counts
	return nil
}

// useTemp makes every go command work in dir, unless the user chose a place: a
// go command that is stopped leaves its work folder, gigabytes, behind.
func (t *Toolchain) useTemp(dir string) {
	for _, kv := range t.env {
		if strings.HasPrefix(kv, "GOTMPDIR=") {
			return
		}
	}
	t.env = append(t.env, "GOTMPDIR="+dir)
}

// Command prepares a go command in a folder for a platform.
func (t *Toolchain) Command(ctx context.Context, dir string, p distro.Platform, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, t.command, args...)
	cmd.Dir = dir
	cmd.Env = append(t.env[:len(t.env):len(t.env)], "GOOS="+p.OS, "GOARCH="+p.Arch, "PWD="+dir)
	// On cancel the compilers must go too: they are children of their own.
	setProcessGroup(cmd)
	return cmd
}

// identify hashes the tools and the standard library. When nothing changed,
// only the stat of every file is looked at.
func (t *Toolchain) identify(toolDir string, cache *Cache) error {
	var library []string
	for _, dir := range []string{"src", filepath.Join("pkg", "include")} {
		found, err := sourceFiles(filepath.Join(t.GOROOT, dir))
		if err != nil {
			return fmt.Errorf("Go toolchain: %w", err)
		}
		library = append(library, found...)
	}
	var tools []string
	for _, tool := range []string{"asm", "compile", "link"} {
		tools = append(tools, filepath.Join(toolDir, tool))
	}
	var err error
	if t.Library, err = cache.rememberHash("library", t.GOROOT, library); err != nil {
		return fmt.Errorf("Go toolchain: %w", err)
	}
	toolHash, err := cache.rememberHash("tools", toolDir, tools)
	if err != nil {
		return fmt.Errorf("Go toolchain: %w", err)
	}
	t.Identity, err = keyOf([]string{t.Version, t.Library, toolHash})
	return err
}

// sourceFiles lists a tree without tests.
func sourceFiles(dir string) ([]string, error) {
	// Distributions make GOROOT of links, which WalkDir does not follow.
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, err
	}
	var list []string
	err = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == "testdata" {
			return fs.SkipDir
		}
		if d.Type().IsRegular() && !strings.HasSuffix(p, "_test.go") {
			list = append(list, p)
		}
		return nil
	})
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("%s holds no file: the toolchain is not whole", dir)
	}
	return list, err
}

// rememberHash is hashFiles, not computed again while no file's stat changes.
func (c *Cache) rememberHash(kind, root string, paths []string) (string, error) {
	stats := sha256.New()
	for _, p := range paths {
		info, err := os.Lstat(p)
		if err != nil {
			return "", err
		}
		fmt.Fprintln(stats, p, statKey(info))
	}
	return c.remember(kind, hex.EncodeToString(stats.Sum(nil)), func() (string, error) {
		return hashFiles(root, paths)
	})
}

func hashFiles(root string, paths []string) (string, error) {
	all := sha256.New()
	for _, p := range paths {
		f, err := os.Open(p)
		if err != nil {
			return "", err
		}
		h := sha256.New()
		_, err = io.Copy(h, f)
		f.Close()
		if err != nil {
			return "", err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(all, "%x  %s\n", h.Sum(nil), filepath.ToSlash(rel))
	}
	return hex.EncodeToString(all.Sum(nil)), nil
}
