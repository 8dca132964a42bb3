// Package progress shows how a build goes: bars with an estimate on a terminal,
// one line for each event elsewhere.
package progress

import (
	"fmt"
	"io"
	"math"
	"os"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// Display shows the steps of a build.
type Display interface {
	// Start shows that a step began; estimate is 0 where none is known.
	Start(step string, estimate time.Duration)
	// Done shows that it ended.
	Done(step string, elapsed time.Duration)
	// Note shows a line for a person.
	Note(text string)
	// Close ends the display.
	Close()
}

// New returns bars if w is a terminal, else lines. remaining is how long all
// steps are estimated to take, 0 for not known.
func New(w io.Writer, remaining time.Duration) Display {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return newBars(f, remaining, 40)
	}
	return &lines{w: w}
}

type lines struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lines) print(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.w, format+"\n", args...)
}

func (l *lines) Start(step string, estimate time.Duration) {
	if estimate >= time.Second {
		l.print("compile  %s (about %s)", step, round(estimate))
		return
	}
	l.print("compile  %s", step)
}

func (l *lines) Done(step string, elapsed time.Duration) {
	l.print("done     %s (%s)", step, round(elapsed))
}
func (l *lines) Note(text string) { l.print("%s", text) }
func (l *lines) Close()           {}

func round(d time.Duration) time.Duration {
	if d < 10*time.Second {
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Second)
}

// bars shows one bar for all of the build and one for the step at work. Both
// run by time: the go command does not say how far it is.
type bars struct {
	p     *mpb.Progress
	total *mpb.Bar

	mu    sync.Mutex
	step  *mpb.Bar
	start time.Time
	// base is the estimate of the steps that are done.
	base, remaining, estimate time.Duration
	stop                      chan struct{}
	closed                    bool
}

// newBars limits the bars to a width in characters; elsewhere than on a terminal
// it is that of the whole line.
func newBars(w io.Writer, remaining time.Duration, width int) *bars {
	b := &bars{p: mpb.New(mpb.WithOutput(w), mpb.WithWidth(width), mpb.WithAutoRefresh()), remaining: max(remaining, time.Second), stop: make(chan struct{})}
	b.total = b.bar("build", b.remaining)
	go b.tick()
	return b
}

func (b *bars) bar(name string, length time.Duration) *mpb.Bar {
	return b.p.AddBar(length.Milliseconds(),
		mpb.PrependDecorators(decor.Name(name, decor.WC{W: 38, C: decor.DindentRight})),
		mpb.AppendDecorators(
			decor.Elapsed(decor.ET_STYLE_MMSS),
			decor.Any(func(s decor.Statistics) string {
				left := time.Duration(s.Total-s.Current) * time.Millisecond
				if left <= 0 {
					return ""
				}
				return " about " + round(left).String() + " left"
			})))
}

func (b *bars) tick() {
	t := time.NewTicker(250 * time.Millisecond)
	defer t.Stop()
	for {
		select {
		case <-b.stop:
			return
		case <-t.C:
			b.advance()
		}
	}
}

// advance moves the bars by the clock, but never to their end: that is for Done.
func (b *bars) advance() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.step == nil {
		return
	}
	at := min(time.Since(b.start), b.estimate*95/100)
	b.step.SetCurrent(at.Milliseconds())
	b.total.SetCurrent(min(b.base+at, b.remaining*99/100).Milliseconds())
}

func (b *bars) Start(step string, estimate time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return // mpb panics
	}
	b.drop()
	b.estimate, b.start = max(estimate, 5*time.Second), time.Now()
	b.step = b.bar(step, b.estimate)
}

// drop gives up a step that never ended: mpb would wait for it.
func (b *bars) drop() {
	if b.step != nil {
		b.step.Abort(false)
		b.step = nil
	}
}

func (b *bars) Done(string, time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.step != nil {
		complete(b.step)
		b.base += b.estimate
		b.step = nil
	}
}

func (b *bars) Note(text string) { fmt.Fprintln(b.p, text) }

func (b *bars) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	b.closed = true
	close(b.stop)
	if b.step != nil { // it failed
		b.drop()
		b.total.Abort(false)
	} else {
		complete(b.total)
	}
	b.p.Wait()
}

// complete fills a bar. NOTE: SetTotal(…, true) does nothing to a bar that was
// made with a total, and Wait would wait for it for ever.
func complete(bar *mpb.Bar) { bar.SetCurrent(math.MaxInt64) }
