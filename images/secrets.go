package images

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// secrets knows the credentials of one push, so that no text that goes to a
// person or a log holds one, whoever wrote the text: registries and token
// servers are known to echo what they were sent.
type secrets struct {
	mu    sync.Mutex
	known map[string]bool
}

// minSecret is the length below which replacing would only mangle the text.
const minSecret = 4

func (s *secrets) add(values ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		s.known = map[string]bool{}
	}
	for _, v := range values {
		if len(v) >= minSecret {
			s.known[v] = true
		}
	}
}

func (s *secrets) addConfig(c *authn.AuthConfig) {
	s.add(c.Password, c.Auth, c.IdentityToken, c.RegistryToken)
}

// scrub replaces every known secret, as it is and as a URL would have it.
func (s *secrets) scrub(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for v := range s.known {
		text = strings.ReplaceAll(text, v, "REDACTED")
		text = strings.ReplaceAll(text, url.QueryEscape(v), "REDACTED")
	}
	return text
}

// watch is a transport that learns the secrets that pass through it.
type watch struct {
	inner   http.RoundTripper
	secrets *secrets
}

func (w watch) RoundTrip(r *http.Request) (*http.Response, error) {
	if _, value, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok {
		w.secrets.add(value)
		if basic, err := base64.StdEncoding.DecodeString(value); err == nil {
			if _, password, ok := strings.Cut(string(basic), ":"); ok {
				w.secrets.add(password)
			}
		}
	}
	return w.inner.RoundTrip(r)
}

// maxText keeps a registry's HTML error page out of an error message.
const maxText = 400

// text is err in words, without secrets: no queries of URLs (upload state,
// signatures of object storage, tokens), nothing of a token server's answer,
// no credential.
func (s *secrets) text(err error) string {
	t := s.scrub(plain(err))
	if len(t) > maxText {
		t = strings.ToValidUTF8(t[:maxText], "") + "…"
	}
	return strings.Join(strings.Fields(t), " ")
}

func plain(err error) string {
	var failed *transport.Error
	if errors.As(err, &failed) {
		bare := *failed
		bare.Request = nil
		if failed.Request == nil {
			return bare.Error()
		}
		return failed.Request.Method + " " + withoutQuery(failed.Request.URL) + ": " + bare.Error()
	}
	var request *url.Error
	if errors.As(err, &request) {
		u, perr := url.Parse(request.URL)
		if perr != nil {
			return request.Op + ": " + plain(request.Err)
		}
		return strings.ToUpper(request.Op) + " " + withoutQuery(u) + ": " + plain(request.Err)
	}
	// go-containerregistry prints the whole answer of a token server after this.
	text, _, cut := strings.Cut(err.Error(), "no token in bearer response")
	if cut {
		return text + "the token server's answer holds no token"
	}
	return text
}

func withoutQuery(u *url.URL) string {
	if u == nil {
		return ""
	}
	return u.Scheme + "://" + u.Host + u.Path
}
