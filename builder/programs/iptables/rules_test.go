//go:build unix

package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	kubeletChain = ":KUBE-KUBELET-CANARY - [0:0]\n"
	hintChain    = ":KUBE-IPTABLES-HINT - [0:0]\n"
	oneRule      = "-A INPUT -j ACCEPT\n"
	noRule       = "# Generated\n*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n"
)

// TestMain turns copies of this test binary into the programs that the wrapper
// starts (nft, legacy) and into the wrapper itself: a script would not see the
// name it was called by.
func TestMain(m *testing.M) {
	dir := os.Getenv("FAKE_XTABLES")
	if dir == "" {
		os.Exit(m.Run())
	}
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	if filepath.Base(self) == "wrapper" {
		fmt.Fprintln(os.Stderr, run(rules{nft: filepath.Join(dir, "nft"), legacy: filepath.Join(dir, "legacy")}, os.Args))
		os.Exit(1)
	}
	os.Exit(xtables(dir, filepath.Base(self)))
}

// xtables logs how it was called and prints the text prepared for that call.
func xtables(dir, name string) int {
	call := strings.Join(append([]string{name}, os.Args...), " ")
	log, err := os.OpenFile(filepath.Join(dir, "log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(log, call)
	text, err := os.ReadFile(filepath.Join(dir, call))
	if err != nil {
		fmt.Fprintln(os.Stderr, "no such family")
		return 1
	}
	os.Stdout.Write(text)
	return 0
}

// fakes makes both programs; prints maps a call ("nft iptables-save -t mangle")
// to its output, other calls fail.
func fakes(t *testing.T, prints map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	t.Setenv("FAKE_XTABLES", dir)
	for call, text := range prints {
		if err := os.WriteFile(filepath.Join(dir, call), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"nft", "legacy", "wrapper"} {
		copySelf(t, filepath.Join(dir, name))
	}
	return dir
}

func copySelf(t *testing.T, to string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(self)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestProgramFollowsTheKubelet(t *testing.T) {
	for _, tt := range []struct {
		name   string
		prints map[string]string
		want   string
	}{
		{"nothing works", nil, "nft"},
		{"nothing there", map[string]string{"nft iptables-save -t mangle": "", "legacy iptables-save": noRule, "nft iptables-save": noRule}, "nft"},
		{"hint in nft, IPv4", map[string]string{"nft iptables-save -t mangle": hintChain, "legacy iptables-save": strings.Repeat(oneRule, 9)}, "nft"},
		{"canary in nft, IPv6 only", map[string]string{"nft ip6tables-save -t mangle": kubeletChain, "legacy iptables-save": kubeletChain}, "nft"},
		{"canary in legacy, IPv4", map[string]string{"legacy iptables-save": kubeletChain, "nft iptables-save": strings.Repeat(oneRule, 9)}, "legacy"},
		{"hint in legacy, IPv6 only", map[string]string{"legacy ip6tables-save": hintChain, "nft iptables-save": strings.Repeat(oneRule, 9)}, "legacy"},
		{"a chain that is only named alike", map[string]string{"nft iptables-save -t mangle": ":KUBE-KUBELET-CANARY-2 - [0:0]\n", "legacy iptables-save": oneRule}, "legacy"},
		{"a rule that only mentions the chain", map[string]string{"nft iptables-save -t mangle": "-A X -j KUBE-KUBELET-CANARY\n", "legacy iptables-save": kubeletChain}, "legacy"},
		{"more legacy rules", map[string]string{"legacy iptables-save": oneRule, "legacy ip6tables-save": oneRule, "nft iptables-save": oneRule}, "legacy"},
		{"more nft rules", map[string]string{"legacy iptables-save": oneRule, "nft iptables-save": oneRule, "nft ip6tables-save": oneRule}, "nft"},
		{"as many of both", map[string]string{"legacy iptables-save": oneRule, "nft iptables-save": oneRule}, "nft"},
		{"a line longer than the buffer", map[string]string{"nft iptables-save -t mangle": "# " + strings.Repeat("x", 9000) + hintChain + hintChain}, "nft"},
		{"a hint inside a long line is none", map[string]string{"nft iptables-save -t mangle": "# " + strings.Repeat("x", 4094) + hintChain, "legacy iptables-save": oneRule}, "legacy"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := fakes(t, tt.prints)
			r := rules{nft: filepath.Join(dir, "nft"), legacy: filepath.Join(dir, "legacy")}
			if got := filepath.Base(r.program()); got != tt.want {
				t.Errorf("chose %s, want %s", got, tt.want)
			}
		})
	}
}

func TestUsualCaseReadsOneTable(t *testing.T) {
	dir := fakes(t, map[string]string{"nft iptables-save -t mangle": hintChain})
	rules{nft: filepath.Join(dir, "nft"), legacy: filepath.Join(dir, "legacy")}.program()
	log, err := os.ReadFile(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("nft iptables-save -t mangle\n", string(log)); diff != "" {
		t.Errorf("programs started (-want +got):\n%s", diff)
	}
}

func TestBecomesTheProgramUnderItsOwnName(t *testing.T) {
	dir := fakes(t, map[string]string{
		"legacy iptables-save":                        kubeletChain,
		"legacy ip6tables-restore --noflush --wait=5": "restored\n",
	})
	link := filepath.Join(dir, "ip6tables-restore")
	if err := os.Symlink("wrapper", link); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(link, "--noflush", "--wait=5").CombinedOutput()
	if err != nil || string(out) != "restored\n" {
		t.Errorf("ip6tables-restore through the wrapper: %v, printed %q, want the output of the legacy ip6tables-restore", err, out)
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	for _, tt := range []struct {
		name, call, want string
	}{
		{"unknown name", "wrapper", "it is to be called as one of [iptables "},
		{"no program", "iptables", "the image must carry Debian's iptables package"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := fakes(t, nil)
			if err := os.Remove(filepath.Join(dir, "nft")); err != nil {
				t.Fatal(err)
			}
			cmd := &exec.Cmd{Path: filepath.Join(dir, "wrapper"), Args: []string{"/usr/sbin/" + tt.call}}
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), tt.want) {
				t.Errorf("%v, printed %q, want a failure that says %q", err, out, tt.want)
			}
		})
	}
}
