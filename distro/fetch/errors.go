package fetch

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	getter "github.com/hashicorp/go-getter"
)

// fetchError shows text that holds no secrets, and keeps the error itself for
// errors.Is alone: its own text may hold some.
type fetchError struct {
	text string
	err  error
}

func (e *fetchError) Error() string { return e.text }
func (e *fetchError) Unwrap() error { return e.err }

// shortestSecret keeps a query such as ?v=1 from making errors unreadable.
const shortestSecret = 4

// wrap puts the source's name before err and takes out what must not be shown.
func (s *source) wrap(err error) error {
	var sum *getter.ChecksumError
	if errors.As(err, &sum) {
		kind, _, _ := strings.Cut(s.checksum, ":")
		err = fmt.Errorf("%w: expected %s, found %s:%s: the file changed since the checksum was taken, or is another one",
			ErrChecksum, s.checksum, kind, hex.EncodeToString(sum.Actual))
	}
	// A url.Error quotes the URL it asked for, with its query, and after a
	// redirect another than the user's; its cause does not.
	cause := err
	for {
		var web *url.Error
		if !errors.As(cause, &web) {
			break
		}
		cause = web.Err
	}
	text := explainStatus(cause.Error())
	for _, secret := range s.secrets {
		if len(secret) >= shortestSecret {
			text = strings.ReplaceAll(text, secret, "REDACTED")
		}
	}
	return &fetchError{text: fmt.Sprintf("fetch %q: %s", s.name, text), err: err}
}

var badStatus = regexp.MustCompile(`^bad response code: (\d+)$`)

// explainStatus puts words to the number that go-getter gives.
func explainStatus(text string) string {
	m := badStatus.FindStringSubmatch(text)
	if m == nil {
		return text
	}
	code, _ := strconv.Atoi(m[1]) // digits only
	text = fmt.Sprintf("the server answered %d %s", code, http.StatusText(code))
	switch code {
	case http.StatusUnauthorized, http.StatusForbidden:
		text += ": check the credentials, and that the file is there: some servers hide what is missing"
	case http.StatusNotFound:
		text += ": check the address"
	}
	return text
}
