package publish

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

func TestCompareStreamsAgreesWithASimpleComparison(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 200 {
		a := make([]byte, r.IntN(1<<18))
		for i := range a {
			a[i] = byte(r.Uint32())
		}
		b := bytes.Clone(a)
		for range r.IntN(3) {
			if len(b) > 0 {
				b[r.IntN(len(b))] ^= 1
			}
		}
		switch r.IntN(4) {
		case 0:
			b = b[:r.IntN(len(b)+1)]
		case 1:
			b = append(b, make([]byte, 1+r.IntN(1<<17))...)
		}
		got, err := compareStreams(bytes.NewReader(a), bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		want := simpleCompare(a, b)
		if (got == nil) != (want == nil) || got != nil && *got != *want {
			t.Fatalf("round %d: got %v, want %v", round, got, want)
		}
	}
}

func simpleCompare(a, b []byte) *ByteRange {
	r := &ByteRange{First: -1, PublishedSize: int64(len(a)), RebuiltSize: int64(len(b))}
	for i := range max(len(a), len(b)) {
		if i >= len(a) || i >= len(b) || a[i] != b[i] {
			if r.First < 0 {
				r.First = int64(i)
			}
			r.Last = int64(i)
		}
	}
	if r.First < 0 {
		return nil
	}
	return r
}
