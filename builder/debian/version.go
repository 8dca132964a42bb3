package debian

import (
	"strings"
)

// CompareVersions orders two Debian versions ([epoch:]upstream[-revision]) as
// dpkg does (Debian policy 5.6.12, dpkg's lib/dpkg/version.c): negative when a
// is older than b, 0 when they are equal, positive when a is newer.
func CompareVersions(a, b string) int {
	aEpoch, aUpstream, aRevision := splitVersion(a)
	bEpoch, bUpstream, bRevision := splitVersion(b)
	if c := compareParts(aEpoch, bEpoch); c != 0 {
		return c
	}
	if c := compareParts(aUpstream, bUpstream); c != 0 {
		return c
	}
	return compareParts(aRevision, bRevision)
}

// splitVersion cuts at the first colon and at the last hyphen.
func splitVersion(v string) (epoch, upstream, revision string) {
	epoch, upstream, found := strings.Cut(v, ":")
	if !found {
		epoch, upstream = "", v
	}
	if i := strings.LastIndexByte(upstream, '-'); i >= 0 {
		upstream, revision = upstream[:i], upstream[i+1:]
	}
	return epoch, upstream, revision
}

// compareParts compares stretches of non-digits and of digits by turns. A
// missing part is equal to "0", since an empty number counts as zero.
func compareParts(a, b string) int {
	for a != "" || b != "" {
		for (a != "" && !isDigit(a[0])) || (b != "" && !isDigit(b[0])) {
			if x, y := rank(a), rank(b); x != y {
				return x - y
			}
			a, b = a[1:], b[1:] // equal ranks here are never at an end: see rank
		}
		var x, y string
		x, a = cutNumber(a)
		y, b = cutNumber(b)
		if len(x) != len(y) {
			return len(x) - len(y)
		}
		if c := strings.Compare(x, y); c != 0 {
			return c
		}
	}
	return 0
}

// rank orders one character: "~" before the end, the end (or a digit, where
// this stretch ends) before letters, letters before all else. Only an end and a
// digit share a rank, and the loop in compareParts does not meet two of them.
func rank(s string) int {
	switch {
	case s == "" || isDigit(s[0]):
		return 0
	case s[0] == '~':
		return -1
	case s[0] >= 'A' && s[0] <= 'Z' || s[0] >= 'a' && s[0] <= 'z':
		return int(s[0])
	default:
		return int(s[0]) + 256
	}
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// cutNumber takes the digits at the start of s, without leading zeros, so that
// numbers of any length compare by length and then as text.
func cutNumber(s string) (number, rest string) {
	i := 0
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return strings.TrimLeft(s[:i], "0"), s[i:]
}
