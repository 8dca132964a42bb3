package builder

import (
	"encoding/json"
	"os"
	"sync"
	"time"
)

// timings are how long steps took on this machine; where nothing is known, the
// recipe's cost stands in.
type timings struct {
	mu      sync.Mutex
	path    string
	seconds map[string]float64
}

func readTimings(path string) *timings {
	t := &timings{path: path, seconds: map[string]float64{}}
	if b, err := os.ReadFile(path); err == nil {
		_ = json.Unmarshal(b, &t.seconds) // only estimates hang on it
	}
	return t
}

func (t *timings) estimate(s Step) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	sec, ok := t.seconds[s.String()]
	if !ok {
		sec = s.Unit.Cost
	}
	return time.Duration(sec * float64(time.Second))
}

func (t *timings) learn(s Step, d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seconds[s.String()] = d.Round(100 * time.Millisecond).Seconds()
	_ = writeJSON(t.path, t.seconds) // only estimates hang on it
}

// Estimate is how long a step will take if it has to be compiled.
func (b *Builder) Estimate(s Step) time.Duration { return b.timings.estimate(s) }
