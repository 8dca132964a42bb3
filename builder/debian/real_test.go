//go:build linux

package debian

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/slipway-k8s/slipway/builder/files"
)

// realRoot is a set of the published lock, from this host's mirrors. A fetch
// that fails for want of a network skips the test; nothing else does.
func realRoot(t *testing.T, set, arch string) []files.File {
	t.Helper()
	lock := openLock(t)
	mirrors, err := FindMirrors(nil, AptFolder, lock.Snapshot)
	if err != nil {
		t.Fatal(err)
	}
	cache, err := DefaultCache()
	if err != nil {
		cache = t.TempDir()
	}
	f := &Fetcher{Mirrors: mirrors, Cache: cache}
	root, err := f.SetRoot(context.Background(), lock, set, arch, t.TempDir())
	var network *net.OpError
	if errors.As(err, &network) || err != nil && strings.Contains(err.Error(), "dial tcp") {
		fmt.Fprintf(os.Stderr, "\n*** %s: SKIPPED: no Debian mirror can be reached: %v\n\n", t.Name(), err)
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func TestKubeProxyToolsRunInTheirRoot(t *testing.T) {
	if os.Geteuid() != 0 || runtime.GOARCH != "amd64" {
		fmt.Fprintf(os.Stderr, "\n*** %s: SKIPPED: needs root on amd64, for chroot\n\n", t.Name())
		t.Skip("needs root on amd64")
	}
	var layer bytes.Buffer
	if err := files.WriteTar(&layer, append(realRoot(t, "kube-proxy", "amd64"), files.Dir("run", 0o755))); err != nil {
		t.Fatal(err)
	}
	t.Logf("the layer has %d bytes", layer.Len())
	root := t.TempDir()
	untar := exec.Command("tar", "-x", "-C", root)
	untar.Stdin = &layer
	if out, err := untar.CombinedOutput(); err != nil {
		t.Fatalf("tar: %v\n%s", err, out)
	}
	for _, tt := range []struct {
		command []string
		want    string
	}{
		{[]string{"/usr/sbin/iptables-nft", "--version"}, "(nf_tables)"},
		{[]string{"/usr/sbin/ip6tables-legacy", "--version"}, "(legacy)"},
		{[]string{"/usr/sbin/iptables-legacy", "--version"}, "(legacy)"},
		{[]string{"/usr/sbin/nft", "--version"}, "nftables v"},
		{[]string{"/sbin/ipset", "--version"}, "ipset v"},
		{[]string{"/bin/kmod", "--version"}, "kmod version"},
		{[]string{"/usr/sbin/conntrack", "--version"}, "conntrack v"},
	} {
		cmd := &exec.Cmd{Path: tt.command[0], Args: tt.command, Dir: "/", SysProcAttr: &syscall.SysProcAttr{Chroot: root}}
		out, err := cmd.CombinedOutput()
		// ipset asks the kernel for its own version too, which may have none.
		if !strings.Contains(string(out), tt.want) || err != nil && tt.command[0] != "/sbin/ipset" {
			t.Errorf("%v: %v, printed %q, want %q", tt.command, err, out, tt.want)
		}
	}
	// The names that the wrapper calls the two programs by.
	for _, program := range []string{"xtables-nft-multi", "xtables-legacy-multi"} {
		for _, l := range iptablesLinks() {
			applet := filepath.Base(l.Path)
			cmd := &exec.Cmd{Path: "/usr/sbin/" + program, Args: []string{applet, "--version"}, SysProcAttr: &syscall.SysProcAttr{Chroot: root}}
			if out, err := cmd.CombinedOutput(); err != nil || !strings.HasPrefix(string(out), applet+" v") {
				t.Errorf("%s as %s: %v, printed %q", program, applet, err, out)
			}
		}
	}
	for _, name := range []string{"etc/os-release", "usr/share/doc/iptables/copyright", "var/lib/dpkg/status.d/libc6", "var/lib/dpkg/status.d/libc6.md5sums"} {
		if info, err := os.Stat(filepath.Join(root, name)); err != nil || info.Size() == 0 {
			t.Errorf("scanners look for %s: %v", name, err)
		}
	}
}

func TestOtherSetsUnpackForBothArchitectures(t *testing.T) {
	for set, program := range map[string]string{"busybox": "usr/bin/busybox", "runc": "usr/sbin/runc", "kube-proxy": "usr/sbin/xtables-nft-multi"} {
		for arch, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
			found := false
			for _, f := range realRoot(t, set, arch) {
				if f.Path != program {
					continue
				}
				found = true
				r, err := f.Open()
				if err != nil {
					t.Fatal(err)
				}
				var content bytes.Buffer
				_, err = content.ReadFrom(r)
				r.Close()
				if err != nil {
					t.Fatal(err)
				}
				if e, err := elf.NewFile(bytes.NewReader(content.Bytes())); err != nil || e.Machine != machine {
					t.Errorf("%s for %s: %s is not for %v: %v", set, arch, program, machine, err)
				}
			}
			if !found {
				t.Errorf("%s for %s has no %s", set, arch, program)
			}
		}
	}
}
