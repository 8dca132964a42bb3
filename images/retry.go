package images

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// The retries of a push: so many attempts for each blob and each manifest, with
// 1, 2, 4, 8 and 16 seconds between them, more where the registry asks for it.
const (
	attempts     = 6
	firstBackoff = time.Second
)

// retrier does one thing of a push until it is done or cannot be.
//
// NOTE: go-containerregistry retries too, but without Retry-After, without
// minding the context while it sleeps, and with one try less than a registry
// that restarts needs. Its own retries are therefore switched off, and each
// unit it can start over by itself (a blob: HEAD, POST, PATCH, PUT) is tried
// again as a whole here: half of an upload cannot be sent again on its own.
type retrier struct {
	clock  clock
	notice func(string)
	text   func(error) string
	// missing is called when the registry says that there is no such
	// repository. It returns true if it is worth trying again.
	missing func(context.Context) (bool, error)
}

// do calls f until it succeeds. It returns the last error, how often f was
// called, and stops at once when ctx is done or the error is not temporary.
func (r *retrier) do(ctx context.Context, doing string, f func(context.Context) error) (int, error) {
	backoff := firstBackoff
	for n := 1; ; n++ {
		err := f(ctx)
		if err == nil {
			return n, nil
		}
		if ctx.Err() != nil {
			return n, context.Cause(ctx)
		}
		again := temporary(err)
		if repositoryMissing(err) && r.missing != nil {
			var merr error
			if again, merr = r.missing(ctx); merr != nil {
				return n, merr
			}
		}
		if !again || n == attempts {
			return n, err
		}
		r.notice(fmt.Sprintf("%s: %s; trying again (%d of %d)", doing, r.text(err), n+1, attempts))
		if err := r.clock.Sleep(ctx, backoff); err != nil {
			return n, err
		}
		backoff *= 2
	}
}

// temporary says whether the same request may well succeed later.
func temporary(err error) bool {
	var failed *transport.Error
	if errors.As(err, &failed) {
		switch failed.StatusCode {
		case http.StatusRequestTimeout, http.StatusTooManyRequests:
			return true
		case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported, http.StatusInsufficientStorage:
			return false
		}
		if failed.StatusCode >= 500 {
			return !diskFull(err)
		}
		// The registry lost the upload: one that is begun anew can work.
		return hasCode(failed, transport.BlobUploadUnknownErrorCode, transport.BlobUploadInvalidErrorCode)
	}
	if errors.Is(err, errPlainHTTP) {
		return false
	}
	for _, broken := range []error{
		io.EOF, io.ErrUnexpectedEOF, net.ErrClosed,
		syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNREFUSED, syscall.ECONNABORTED,
	} {
		if errors.Is(err, broken) {
			return true
		}
	}
	return isTimeout(err)
}

// diskFull says whether the registry reports that it has no room. Its disk will
// not be bigger in a minute.
func diskFull(err error) bool {
	var failed *transport.Error
	return errors.As(err, &failed) && (failed.StatusCode == http.StatusInsufficientStorage ||
		strings.Contains(failed.Error(), syscall.ENOSPC.Error()))
}

// repositoryMissing says whether the registry wants the repository to be made
// first, as ECR does. Only uploads come here: reading treats 404 as "not yet".
func repositoryMissing(err error) bool {
	var failed *transport.Error
	if !errors.As(err, &failed) || failed.StatusCode != http.StatusNotFound || failed.Request == nil {
		return false
	}
	if failed.Request.Method == http.MethodGet || failed.Request.Method == http.MethodHead {
		return false
	}
	return !hasCode(failed, transport.BlobUploadUnknownErrorCode, transport.BlobUnknownErrorCode,
		transport.ManifestBlobUnknownErrorCode, transport.ManifestUnknownErrorCode)
}

func hasCode(e *transport.Error, codes ...transport.ErrorCode) bool {
	for _, d := range e.Errors {
		for _, c := range codes {
			if d.Code == c {
				return true
			}
		}
	}
	return false
}
