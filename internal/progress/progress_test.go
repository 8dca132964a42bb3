package progress

import (
	"bytes"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// screen is what a display writes, safe to read at any time.
type screen struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// within fails the test if a display does not come to its end: mpb waits for
// every bar that it ever began.
func within(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatalf("%s: does not end", what)
	}
}

func TestBarsSurviveEventsInAnyOrder(t *testing.T) {
	for what, use := range map[string]func(Display){
		"nothing at all":            func(Display) {},
		"a step":                    func(d Display) { d.Start("etcd", time.Minute); d.Done("etcd", time.Second) },
		"a step without an end":     func(d Display) { d.Start("etcd", 0) },
		"an end without a step":     func(d Display) { d.Done("etcd", time.Second) },
		"two ends":                  func(d Display) { d.Start("etcd", 0); d.Done("etcd", 0); d.Done("etcd", 0) },
		"a step that a second cuts": func(d Display) { d.Start("etcd", 0); d.Start("coredns", 0); d.Done("coredns", 0) },
		"closed twice":              func(d Display) { d.Close() },
		"events after the end": func(d Display) {
			d.Close()
			d.Start("etcd", time.Second)
			d.Note("late")
			d.Done("etcd", time.Second)
		},
		"longer than estimated": func(d Display) { d.Start("etcd", time.Nanosecond); d.(*bars).advance(); d.Done("etcd", time.Hour) },
		"all at once": func(d Display) {
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() { d.Start("etcd", 0); d.Note("note"); d.Done("etcd", 0) })
			}
			wg.Wait()
		},
	} {
		t.Run(what, func(t *testing.T) {
			within(t, what, func() {
				d := newBars(&screen{}, time.Minute, 120)
				use(d)
				d.Close()
			})
		})
	}
}

func TestBarsShowStepsNotesAndAnEstimate(t *testing.T) {
	s := &screen{}
	within(t, "the display", func() {
		d := newBars(s, 10*time.Minute, 120)
		d.Start("kubernetes linux/amd64", 5*time.Minute)
		for !strings.Contains(s.String(), "kubernetes linux/amd64") || !strings.Contains(s.String(), "left") {
			time.Sleep(time.Millisecond) // until it is drawn; within ends the wait
		}
		d.Note("image    localhost:5050/etcd-io/etcd:v3")
		d.Done("kubernetes linux/amd64", 4*time.Minute)
		d.Close()
	})
	for _, want := range []string{"build", "about", "left", "image    localhost:5050/etcd-io/etcd:v3\n"} {
		if !strings.Contains(s.String(), want) {
			t.Errorf("the screen never shows %q:\n%q", want, s.String())
		}
	}
}

func TestElsewhereThanOnATerminalThereIsALineForEachEvent(t *testing.T) {
	s := &screen{}
	d := New(s, time.Hour)
	d.Done("before", 1200*time.Millisecond)
	d.Start("etcd linux/amd64", 90*time.Second)
	d.Start("pause linux/amd64", 0)
	d.Note("a note")
	d.Close()
	d.Close()
	want := "done     before (1.2s)\ncompile  etcd linux/amd64 (about 1m30s)\ncompile  pause linux/amd64\na note\n"
	if got := s.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestAFileIsNoTerminal(t *testing.T) {
	f, err := os.Create(t.TempDir() + "/log")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := New(f, 0)
	defer d.Close()
	if _, bars := d.(*bars); bars {
		t.Error("a log file gets bars")
	}
}
