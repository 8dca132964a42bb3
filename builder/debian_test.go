package builder

import "testing"

func TestADebianVersionIsComparedWithUpstreams(t *testing.T) {
	for _, c := range []struct {
		version, upstream string
		want              bool
	}{
		{"1.1.5+ds1-1+deb12u1", "1.1.5", true},
		{"1:1.35.0-4+deb12u1+b1", "1.35.0", true},
		{"1.35.0", "1.35.0", true},
		{"1:1.35.1-4", "1.35.0", false},
		{"1.1.50-1", "1.1.5", false},
	} {
		if got := isUpstream(c.version, c.upstream); got != c.want {
			t.Errorf("is %s of upstream's %s? %v, want %v", c.version, c.upstream, got, c.want)
		}
	}
}
