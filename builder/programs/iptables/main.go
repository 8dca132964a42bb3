//go:build unix

// Command iptables-wrapper stands where iptables, iptables-save,
// iptables-restore and their ip6tables twins are looked up. It finds out which
// of the two rule sets of the kernel the node's kubelet writes to (nft or
// legacy) and becomes the matching program.
//
// It decides as kubernetes-sigs/iptables-wrappers does, but at every start and
// without changing a file, so it works in a read-only root and for any user.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// What Debian's iptables package installs.
const (
	nftMulti    = "/usr/sbin/xtables-nft-multi"
	legacyMulti = "/usr/sbin/xtables-legacy-multi"
)

// applets are the names this program can be called by.
var applets = []string{
	"iptables", "iptables-save", "iptables-restore",
	"ip6tables", "ip6tables-save", "ip6tables-restore",
}

func main() {
	err := run(rules{nft: nftMulti, legacy: legacyMulti}, os.Args)
	fmt.Fprintln(os.Stderr, "iptables-wrapper:", err)
	os.Exit(1)
}

// run becomes the chosen program; it returns only with an error.
func run(r rules, args []string) error {
	applet := ""
	if len(args) > 0 {
		applet = filepath.Base(args[0])
	}
	if !known(applet) {
		return fmt.Errorf("called as %q: it is to be called as one of %v, through a link of that name", applet, applets)
	}
	program := r.program()
	// Both programs choose what to do by the name they are called by, and
	// know the plain names as well as those that end in -nft and -legacy.
	args = append([]string{applet}, args[1:]...)
	if err := syscall.Exec(program, args, os.Environ()); err != nil {
		return fmt.Errorf("%s as %s: %w: the image must carry Debian's iptables package", program, applet, err)
	}
	return nil
}

func known(applet string) bool {
	for _, a := range applets {
		if a == applet {
			return true
		}
	}
	return false
}
