package images

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
)

func TestPushGivesUpAndSaysSo(t *testing.T) {
	for code, want := range map[int]string{429: "limits the rate", 500: "has a problem"} {
		f := newFaulty(t, "POST /blobs/uploads/", func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Retry-After", "86400")
			w.WriteHeader(code)
			return true
		})
		clock := &fakeClock{}
		err := f.push(t, testIndex(t, openStore(t), amd64), clock, Jobs(1))
		var pe *PushError
		if !errors.As(err, &pe) || pe.Status != code || pe.Attempts != attempts || !strings.Contains(err.Error(), want) {
			t.Errorf("%d: got %v", code, err)
		}
		if most := attempts * (maxRetryAfter + 16*time.Second); clock.total() > most {
			t.Errorf("%d: waited %s: a day in Retry-After is to be capped", code, clock.total())
		}
	}
}

func TestHopelessIsNotTriedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		match string
		code  int
		body  string
		want  []string
	}{
		"401":             {"POST /blobs/uploads/", 401, `{"errors":[{"code":"UNAUTHORIZED","message":"no"}]}`, []string{"docker login", "test/app"}},
		"403":             {"POST /blobs/uploads/", 403, `{"errors":[{"code":"DENIED","message":"no"}]}`, []string{"may not push to test/app", "DENIED"}},
		"404 at the door": {"GET /v2/", 404, "", []string{"does not answer as a registry"}},
		"404 no repository": {"POST /blobs/uploads/", 404, `{"errors":[{"code":"NAME_UNKNOWN","message":"x"}]}`,
			[]string{"has no repository test/app", "create it there first"}},
		"400": {"PUT /manifests/", 400, `{"errors":[{"code":"MANIFEST_INVALID","message":"bad manifest"}]}`, []string{"bad manifest"}},
		// As the embedded registry says it (distribution's blobupload.go).
		"disk full": {"PATCH /blobs/uploads/", 500, `{"errors":[{"code":"UNKNOWN","message":"unknown error","detail":"write /x/data: no space left on device"}]}`,
			[]string{"disk is full", "no space left"}},
		"501": {"POST /blobs/uploads/", 501, "", []string{"501"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFaulty(t, c.match, func(_ int, w http.ResponseWriter, _ *http.Request) bool {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(c.code)
				_, _ = io.WriteString(w, c.body)
				return true
			})
			clock := &fakeClock{}
			err := f.push(t, testIndex(t, openStore(t), amd64), clock, Jobs(1))
			if err == nil {
				t.Fatal("it succeeded")
			}
			host := strings.TrimPrefix(f.URL, "http://")
			for _, want := range append(c.want, host) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error lacks %q: %v", want, err)
				}
			}
			if len(clock.slept) > 0 || f.hits != 1 {
				t.Errorf("slept %v, met it %d times; want one attempt", clock.slept, f.hits)
			}
		})
	}
}

func TestRegistryThatIsDownIsNamed(t *testing.T) {
	f := newFaulty(t, "", nil)
	f.Close()
	err := f.push(t, testIndex(t, openStore(t), amd64), &fakeClock{})
	if err == nil || !strings.Contains(err.Error(), "running?") || !strings.Contains(err.Error(), strings.TrimPrefix(f.URL, "http://")) {
		t.Errorf("got %v", err)
	}
}

const password = "hunter2-secret/+x"

type fixedKeychain struct{}

func (fixedKeychain) Resolve(authn.Resource) (authn.Authenticator, error) {
	return &authn.Basic{Username: "user", Password: password}, nil
}

// Registries are known to echo what they were sent.
func TestNoSecretInErrorsAndNotices(t *testing.T) {
	const token = "bearer-token-0123456789"
	encoded := base64.StdEncoding.EncodeToString([]byte("user:" + password))
	for _, scheme := range []string{"Basic", "Bearer"} {
		var text bytes.Buffer
		var mu sync.Mutex
		f := newFaulty(t, "* /", nil)
		f.fault = func(_ int, w http.ResponseWriter, r *http.Request) bool {
			sent := r.Header.Get("Authorization")
			switch {
			case r.URL.Path == "/token":
				_ = json.NewEncoder(w).Encode(map[string]string{"token": token})
			case sent == "":
				w.Header().Set("WWW-Authenticate", fmt.Sprintf(`%s realm="%s/token",service="x"`, scheme, f.URL))
				w.WriteHeader(401)
			case r.Method == "POST":
				w.WriteHeader(500)
				fmt.Fprintf(w, "you sent %s %s %s %s", sent, password, url.QueryEscape(password), token)
			default:
				return false
			}
			return true
		}
		err := f.push(t, testIndex(t, openStore(t), amd64), &fakeClock{}, Jobs(1), WithKeychain(fixedKeychain{}),
			WithNotice(func(s string) { mu.Lock(); fmt.Fprintln(&text, s); mu.Unlock() }))
		if err == nil {
			t.Fatal("it succeeded")
		}
		fmt.Fprintln(&text, err)
		if !strings.Contains(text.String(), "you sent") {
			t.Errorf("%s: the echo is not in the text, so the test tests nothing: %s", scheme, text.String())
		}
		secrets := []string{password, url.QueryEscape(password), encoded}
		if scheme == "Bearer" {
			secrets = append(secrets, token)
		}
		for _, secret := range secrets {
			if strings.Contains(text.String(), secret) {
				t.Errorf("%s: %q is in the text:\n%s", scheme, secret, text.String())
			}
		}
	}
}

func TestTokenServersAnswerAndUploadStateStayOut(t *testing.T) {
	s := &secrets{}
	for _, err := range []error{
		errors.New("no token in bearer response:\n{\"refresh_token\":\"very-secret\"}"),
		&url.Error{Op: "Patch", URL: "https://h/v2/a/blobs/uploads/1?_state=very-secret&X-Amz-Signature=very-secret", Err: io.EOF},
	} {
		if got := s.text(fmt.Errorf("wrapped: %w", err)); strings.Contains(got, "very-secret") {
			t.Errorf("got %q", got)
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestPlainHTTPOnlyToThisMachine(t *testing.T) {
	idx := testIndex(t, openStore(t), amd64)
	for _, host := range []string{"10.1.2.3:5000", "registry.localhost:5000"} {
		repo, err := name.NewRepository(host + "/a/b")
		if err != nil {
			t.Fatal(err)
		}
		var plain int
		var mu sync.Mutex
		network := roundTrip(func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			if r.URL.Scheme == "http" {
				plain++
			}
			return nil, errors.New("no such network")
		})
		err = Push(t.Context(), repo, idx, nil, withClock(&fakeClock{}), WithKeychain(fixedKeychain{}), WithTransport(network))
		if err == nil || plain != 0 || !strings.Contains(err.Error(), "--insecure") {
			t.Errorf("%s: %d plain requests, %v; want none and the flag", host, plain, err)
		}
		_ = Push(t.Context(), repo, idx, nil, withClock(&fakeClock{}), WithKeychain(fixedKeychain{}), WithTransport(network), Insecure())
		if plain == 0 {
			t.Errorf("%s: plain http was asked for and not tried", host)
		}
	}
}

func TestBadTagIsRefusedBeforeAnythingIsSent(t *testing.T) {
	f := newFaulty(t, "", nil)
	err := Push(t.Context(), f.repo(t), testIndex(t, openStore(t), amd64), []string{"v1+slipway"}, anonymous)
	if err == nil || !strings.Contains(err.Error(), "v1+slipway") || len(f.seen) != 0 {
		t.Errorf("got %v, %d requests", err, len(f.seen))
	}
}
