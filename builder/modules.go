package builder

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"sync"

	"github.com/slipway-k8s/slipway/distro"
	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	"golang.org/x/sync/errgroup"
)

// sourceModule is a module that a build reads: the path and version under
// which go.sum knows it, and where it is extracted.
type sourceModule struct {
	Path, Version, Dir string
}

// ModuleError says that a module is not what the lock says.
type ModuleError struct {
	Module, Version string
	What            string // "module zip" or "extracted module"
	Path            string
	Want, Got       string
}

func (e *ModuleError) Error() string {
	return fmt.Sprintf("%s@%s: the %s %s hashes to %s, the lock says %s: it changed after it was pinned; remove it (go clean -modcache) and build again",
		e.Module, e.Version, e.What, e.Path, e.Got, e.Want)
}

// usedModules asks the go command which modules the packages come from. What
// is not in the module cache is downloaded, checked against go.sum.
func (t *Toolchain) usedModules(ctx context.Context, dir string, p distro.Platform, tags []string, packages []string) ([]sourceModule, error) {
	args := []string{"list", "-mod=readonly", "-deps", "-tags=" + strings.Join(tags, ","),
		"-f", `{{with .Module}}{{if not .Main}}{{if .Replace}}{{.Replace.Path}} {{.Replace.Version}}{{else}}{{.Path}} {{.Version}}{{end}} {{.Dir}}{{end}}{{end}}`}
	cmd := t.Command(ctx, dir, p, append(args, packages...)...)
	out, err := runGo(cmd)
	if err != nil {
		return nil, err
	}
	seen := map[sourceModule]bool{}
	var list []sourceModule
	s := bufio.NewScanner(bytes.NewReader(out))
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		f := strings.SplitN(s.Text(), " ", 3)
		if len(f) != 3 {
			continue // a package of the standard library
		}
		m := sourceModule{f[0], f[1], f[2]}
		if !seen[m] {
			seen[m] = true
			list = append(list, m)
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Path < list[j].Path })
	return list, s.Err()
}

// runGo runs a go command and returns its output; the error holds what it
// printed on stderr.
func runGo(cmd *exec.Cmd) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("go %s: %w\n%s%s", cmd.Args[1], err, lastLines(stderr.String(), 30), goAdvice(stderr.String()))
	}
	return stdout.Bytes(), nil
}

// goAdvice says what to do about failures of the go command that users meet.
func goAdvice(stderr string) string {
	switch {
	case strings.Contains(stderr, "SECURITY ERROR") || strings.Contains(stderr, "checksum mismatch"):
		return "\nthe lock and the module disagree: if the module cache was changed, go clean -modcache; if the lock was edited, make it anew with slipway-release bump --relock"
	case strings.Contains(stderr, "missing go.sum entry") || strings.Contains(stderr, "updates to go.mod needed"):
		return "\nthe lock is not whole: make it anew with slipway-release bump --relock"
	case strings.Contains(stderr, "no space left on device"):
		return "\nthe disk is full: make room, or move GOCACHE and --cache; then run again, what is built is kept"
	case strings.Contains(stderr, "GOPROXY=off") || strings.Contains(stderr, "dial tcp") || strings.Contains(stderr, "connection refused"):
		return "\nthe module named above is not in the module cache and could not be downloaded: check the network and GOPROXY"
	}
	return ""
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return strings.Join(lines, "\n")
}

// moduleVerifier hashes modules against locks, each at most once a run.
type moduleVerifier struct {
	modCache string
	mu       sync.Mutex
	done     map[string]bool
}

// verify checks the zip and the extracted folder of every module against
// go.sum. The go command checks a zip when it downloads it and trusts an
// extracted folder ever after; this is what does not.
func (v *moduleVerifier) verify(ctx context.Context, sums map[string]string, modules []sourceModule) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.NumCPU())
	for _, m := range modules {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return v.verifyOne(sums, m)
		})
	}
	return g.Wait()
}

func (v *moduleVerifier) verifyOne(sums map[string]string, m sourceModule) error {
	id := m.Path + "@" + m.Version
	want, ok := sums[id]
	if !ok {
		return fmt.Errorf("%s: the lock has no checksum for it: make it anew with slipway-release bump --relock", id)
	}
	v.mu.Lock()
	known := v.done[id+want]
	v.mu.Unlock()
	if known {
		return nil
	}
	if zip, err := v.zipPath(m); err != nil {
		return err
	} else if _, err := os.Stat(zip); err == nil {
		got, err := dirhash.HashZip(zip, dirhash.Hash1)
		if err != nil {
			return fmt.Errorf("%s: module zip: %w: remove it (go clean -modcache) and build again", id, err)
		}
		if got != want {
			return &ModuleError{m.Path, m.Version, "module zip", zip, want, got}
		}
	}
	got, err := dirhash.HashDir(m.Dir, id, dirhash.Hash1)
	if err != nil {
		return fmt.Errorf("%s: extracted module: %w", id, err)
	}
	if got != want {
		return &ModuleError{m.Path, m.Version, "extracted module", m.Dir, want, got}
	}
	v.mu.Lock()
	v.done[id+want] = true
	v.mu.Unlock()
	return nil
}

func (v *moduleVerifier) zipPath(m sourceModule) (string, error) {
	p, err := module.EscapePath(m.Path)
	if err != nil {
		return "", err
	}
	ver, err := module.EscapeVersion(m.Version)
	if err != nil {
		return "", err
	}
	return filepath.Join(v.modCache, "cache", "download", filepath.FromSlash(p), "@v", ver+".zip"), nil
}

// parseSums reads go.sum: "path@version" to "h1:…", without the go.mod lines.
func parseSums(sum []byte) map[string]string {
	sums := map[string]string{}
	for _, line := range strings.Split(string(sum), "\n") {
		f := strings.Fields(line)
		if len(f) == 3 && !strings.HasSuffix(f[1], "/go.mod") {
			sums[f[0]+"@"+f[1]] = f[2]
		}
	}
	return sums
}

// ModuleFile reads a file of a module of the component's lock, after the module
// was hashed against the lock.
func (b *Builder) ModuleFile(ctx context.Context, r *distro.Recipe, modulePath, file string) ([]byte, error) {
	m, err := b.lockedModule(ctx, r, modulePath)
	if err != nil {
		return nil, err
	}
	if !filepath.IsLocal(filepath.FromSlash(file)) {
		return nil, fmt.Errorf("%s.yaml: file %q: leaves the module", r.Name, file)
	}
	return os.ReadFile(filepath.Join(m.Dir, filepath.FromSlash(file)))
}

// lockedModule finds a module of a component's lock, extracted and verified.
func (b *Builder) lockedModule(ctx context.Context, r *distro.Recipe, modulePath string) (sourceModule, error) {
	lock, err := b.channel.Lock(r.Unit())
	if err != nil {
		return sourceModule{}, err
	}
	dir, err := b.wrapper(lock)
	if err != nil {
		return sourceModule{}, err
	}
	// Downloading one module, not listing packages: nothing is compiled.
	version := b.channel.Components[r.Unit()].Version
	cmd := b.toolchain.Command(ctx, dir, distro.DefaultPlatforms[0], "mod", "download", "-json", modulePath+"@"+version)
	out, err := runGo(cmd)
	if err != nil {
		return sourceModule{}, err
	}
	m := sourceModule{}
	if err := json.Unmarshal(out, &m); err != nil {
		return sourceModule{}, err
	}
	return m, b.verifier.verify(ctx, parseSums(lock.Sum), []sourceModule{m})
}

// wrapper writes a lock as a module of its own into the temporary folder.
func (b *Builder) wrapper(lock distro.Lock) (string, error) {
	dir, err := os.MkdirTemp(b.temp, "wrapper-")
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), lock.Mod, 0o644); err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, "go.sum"), lock.Sum, 0o644)
}
