package debian

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/slipway-k8s/slipway/distro/fetch"
)

// ErrNotFound is what a Get wraps when the server says that it has no such file.
var ErrNotFound = errors.New("not found")

// Get fetches a URL of at most max bytes to the file dst, which it makes or
// overwrites. It does not check the content: its caller does. An error may
// leave a part of the file behind.
type Get func(ctx context.Context, url, dst string, max int64) error

// Attempts are few and pauses short: there is always another mirror to ask.
const (
	getAttempts = 3
	getWait     = 200 * time.Millisecond
	getTimeout  = 10 * time.Minute
)

// FetchGet is a Get for http and https. It tries again, with growing pauses,
// after broken connections and server errors.
func FetchGet(ctx context.Context, url, dst string, max int64) error {
	err := fetch.File(ctx, url, dst, fetch.Options{MaxBytes: max, Attempts: getAttempts, Wait: getWait, Timeout: getTimeout})
	switch {
	case errors.Is(err, fetch.ErrTooLarge):
		return fmt.Errorf("%w: %w", errOtherBytes, err)
	case hasStatus(err, http.StatusNotFound), hasStatus(err, http.StatusGone):
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	return err
}

// hasStatus looks for the error that go-getter makes of a response's status;
// go-getter has no type for it.
func hasStatus(err error, code int) bool {
	want := fmt.Sprintf("bad response code: %d", code)
	for ; err != nil; err = errors.Unwrap(err) {
		if err.Error() == want {
			return true
		}
	}
	return false
}

// checkFile compares a file with its expected digest and, unless it is
// negative, size in bytes.
func checkFile(name, want string, size int64) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return err
	}
	if size >= 0 && n != size {
		return fmt.Errorf("has %d bytes, want %d", n, size)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		return fmt.Errorf("has sha256 %s, want %s", got, want)
	}
	return nil
}
