package programs

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// build compiles one program from its embedded source in a folder of its own,
// as the builder does, and returns the binary's path.
func build(t testing.TB, name, arch string) string {
	t.Helper()
	for _, p := range All() {
		if p.Name != name {
			continue
		}
		dir := t.TempDir()
		if err := os.CopyFS(dir, Sources()); err != nil {
			t.Fatal(err)
		}
		out := filepath.Join(t.TempDir(), p.Name)
		flags := append([]string{"-s", "-w", "-buildid="}, p.LDFlags...)
		if p.VersionVar != "" {
			flags = append(flags, "-X", p.VersionVar+"=3.10.2")
		}
		cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", strings.Join(flags, " "), "-o", out, p.Package)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+p.OS, "GOARCH="+arch, "GOWORK=off", "GOFLAGS=")
		if msg, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go build %s for %s: %v\n%s", p.Package, arch, err, msg)
		}
		return out
	}
	t.Fatalf("no program is called %q", name)
	return ""
}

func TestEverySourceFileIsEmbedded(t *testing.T) {
	for _, dir := range []string{"pause", "iptables"} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			_, err := fs.Stat(Sources(), path.Join(dir, e.Name()))
			if isTest := strings.HasSuffix(e.Name(), "_test.go"); isTest == (err == nil) {
				t.Errorf("%s/%s: embedded is %v; every file but the tests must be named in programs.go", dir, e.Name(), err == nil)
			}
		}
	}
}

func TestProgramsAreStaticAndKeepNoTraceOfTheFolder(t *testing.T) {
	for _, p := range All() {
		for arch, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
			t.Run(p.Name+" "+arch, func(t *testing.T) {
				first, err := os.ReadFile(build(t, p.Name, arch))
				if err != nil {
					t.Fatal(err)
				}
				second, err := os.ReadFile(build(t, p.Name, arch))
				if err != nil {
					t.Fatal(err)
				}
				if sha256.Sum256(first) != sha256.Sum256(second) {
					t.Error("built in two folders it gave two binaries")
				}
				file, err := elf.NewFile(bytes.NewReader(first))
				if err != nil {
					t.Fatal(err)
				}
				if file.Machine != machine || file.Type != elf.ET_EXEC {
					t.Errorf("is a %v %v, want a %v executable", file.Machine, file.Type, machine)
				}
				for _, prog := range file.Progs {
					if prog.Type == elf.PT_INTERP || prog.Type == elf.PT_DYNAMIC {
						t.Errorf("has a %v segment: it is not static", prog.Type)
					}
				}
			})
		}
	}
}
