package distro

import (
	"fmt"
	"sort"
	"strings"
)

// Platform is what a binary or an image runs on.
type Platform struct {
	OS   string // linux, darwin, windows
	Arch string // amd64, arm64
}

// ParsePlatform reads "linux/amd64".
func ParsePlatform(s string) (Platform, error) {
	goos, arch, ok := strings.Cut(s, "/")
	if !ok || goos == "" || arch == "" || strings.Contains(arch, "/") {
		return Platform{}, fmt.Errorf("platform %q: want os/arch, such as linux/amd64", s)
	}
	return Platform{OS: goos, Arch: arch}, nil
}

// String is "linux/amd64".
func (p Platform) String() string { return p.OS + "/" + p.Arch }

// Dashed is "linux-amd64", as file names have it.
func (p Platform) Dashed() string { return p.OS + "-" + p.Arch }

// Exe is the ending of a program's file name: ".exe" on windows, else "".
func (p Platform) Exe() string {
	if p.OS == "windows" {
		return ".exe"
	}
	return ""
}

// MarshalText writes "linux/amd64".
func (p Platform) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads "linux/amd64".
func (p *Platform) UnmarshalText(b []byte) error {
	parsed, err := ParsePlatform(string(b))
	if err == nil {
		*p = parsed
	}
	return err
}

// SortPlatforms sorts by operating system (linux first: it is what clusters
// run), then by architecture.
func SortPlatforms(ps []Platform) {
	rank := func(p Platform) string {
		if p.OS == "linux" {
			return " " + p.Arch
		}
		return p.OS + " " + p.Arch
	}
	sort.Slice(ps, func(i, j int) bool { return rank(ps[i]) < rank(ps[j]) })
}
