package debian

import (
	"fmt"
	"regexp"
	"strings"
)

// relation is one alternative of a dependency: "libc6 (>= 2.36)".
type relation struct {
	name    string
	op      string // <<, <=, =, >=, >>, or "" for any version
	version string
}

// dependency is a list of alternatives, in the order of preference.
type dependency []relation

// A qualifier (":any") says which architectures may satisfy a dependency; within
// one architecture it changes nothing.
var relationForm = regexp.MustCompile(`^([a-z0-9][a-z0-9+.-]+)(?::[a-z0-9-]+)?(?:\s*\(\s*(<<|<=|=|>=|>>)\s*([^\s)]+)\s*\))?$`)

// parseDependencies reads a Depends, Pre-Depends or Provides field.
func parseDependencies(field string) ([]dependency, error) {
	var all []dependency
	for _, group := range strings.Split(field, ",") {
		group = strings.TrimSpace(group)
		if group == "" {
			continue
		}
		var d dependency
		for _, alternative := range strings.Split(group, "|") {
			m := relationForm.FindStringSubmatch(strings.TrimSpace(alternative))
			if m == nil {
				return nil, fmt.Errorf("dependency %q: want \"name (>= version)\"", alternative)
			}
			d = append(d, relation{name: m[1], op: m[2], version: m[3]})
		}
		all = append(all, d)
	}
	return all, nil
}

// allows says whether a package of that version satisfies r.
func (r relation) allows(version string) bool {
	if r.op == "" {
		return true
	}
	c := CompareVersions(version, r.version)
	switch r.op {
	case "<<":
		return c < 0
	case "<=":
		return c <= 0
	case "=":
		return c == 0
	case ">=":
		return c >= 0
	default:
		return c > 0
	}
}

// String writes r as a control file does.
func (r relation) String() string {
	if r.op == "" {
		return r.name
	}
	return fmt.Sprintf("%s (%s %s)", r.name, r.op, r.version)
}

// String writes d as a control file does.
func (d dependency) String() string {
	parts := make([]string, len(d))
	for i, r := range d {
		parts[i] = r.String()
	}
	return strings.Join(parts, " | ")
}
