//go:build unix

package main

import (
	"bufio"
	"io"
	"os/exec"
	"strings"
)

// rules reads the kernel's two rule sets through the paths of the two programs
// that know them.
type rules struct{ nft, legacy string }

// hints are chains that a kubelet makes for exactly this question: the first
// since Kubernetes 1.24, the second since 1.17.
var hints = []string{":KUBE-IPTABLES-HINT", ":KUBE-KUBELET-CANARY"}

// program is the path of the program to use: the one in whose rule set a
// kubelet left a hint, nft first; without a hint the one with more rules, as
// whatever ran before us wrote them; nft when that decides nothing.
func (r rules) program() string {
	// A kubelet's hint is in the mangle table, so the usual case reads that
	// one table and starts one process. It is asked of both families in
	// turn, since a kubelet on a one-family node writes only to that one.
	for _, save := range []string{"iptables-save", "ip6tables-save"} {
		if count(r.nft, save, "-t", "mangle").hinted {
			return r.nft
		}
	}
	// Naming a table to the legacy program makes the kernel create it, so
	// the legacy rules are read whole.
	legacy := tally{}
	for _, save := range []string{"iptables-save", "ip6tables-save"} {
		t := count(r.legacy, save)
		if t.hinted {
			return r.legacy
		}
		legacy.rules += t.rules
	}
	if legacy.rules == 0 {
		return r.nft
	}
	nft := count(r.nft, "iptables-save").rules + count(r.nft, "ip6tables-save").rules
	if legacy.rules > nft {
		return r.legacy
	}
	return r.nft
}

// tally is what was found in one rule set.
type tally struct {
	hinted bool // a kubelet's chain is there
	rules  int
}

// count runs program under the name applet and reads what it prints. A program
// that fails (no such family, no such kernel module, no permission) counts for
// what it printed, which is nothing: the other one may still work, and the one
// that is chosen says itself what is wrong.
func count(program, applet string, args ...string) tally {
	cmd := &exec.Cmd{Path: program, Args: append([]string{applet}, args...)}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return tally{}
	}
	if err := cmd.Start(); err != nil {
		return tally{}
	}
	t := read(out)
	_ = cmd.Wait() // see above: a failure is an answer
	return t
}

// read counts the rules in what iptables-save prints and looks for a hint. It
// reads to the end, so that the writer is not killed by a closed pipe, and
// holds one buffer however long a line is.
func read(r io.Reader) tally {
	t, lines := tally{}, bufio.NewReader(r)
	for start := true; ; {
		part, err := lines.ReadSlice('\n')
		if start && len(part) > 0 {
			if part[0] == '-' {
				t.rules++
			}
			for _, hint := range hints {
				if rest, ok := strings.CutPrefix(string(part), hint); ok && strings.HasPrefix(rest, " ") {
					t.hinted = true
				}
			}
		}
		switch err {
		case nil:
			start = true
		case bufio.ErrBufferFull:
			start = false
		default:
			return t
		}
	}
}
