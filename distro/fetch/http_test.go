package fetch

import (
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// answers gives each request the next handler, and the last one for ever.
func answers(t *testing.T, hs ...http.HandlerFunc) (url string, requests *atomic.Int64) {
	t.Helper()
	requests = &atomic.Int64{}
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		n := int(requests.Add(1))
		hs[min(n, len(hs))-1](w, r)
	}), requests
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func redirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
	}
}

func cutOff(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	_, _ = w.Write([]byte(content[:4]))
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func TestPassingFailuresAreRetried(t *testing.T) {
	for name, failure := range map[string]http.HandlerFunc{
		"500": status(500), "503": status(503), "429": status(429), "no answer": hangUp, "cut off within the content": cutOff,
	} {
		t.Run(name, func(t *testing.T) {
			url, requests := answers(t, failure, serveContent)
			got, err := Bytes(t.Context(), url, quick)
			if err != nil || string(got) != content {
				t.Fatalf("got %q, %v", got, err)
			}
			if n := requests.Load(); n != 2 {
				t.Errorf("%d requests, want 2", n)
			}
		})
	}
}

func TestLastingFailuresAreToldWithTheirStatus(t *testing.T) {
	for code, want := range map[int]struct {
		requests int64
		text     string
	}{
		404: {1, "404 Not Found"}, 403: {1, "403 Forbidden: check the credentials"}, 500: {3, "500 Internal Server Error"}, 429: {3, "429 Too Many Requests"},
	} {
		url, requests := answers(t, status(code))
		refused(t, url, Options{Attempts: 3, Wait: time.Millisecond}, nil, want.text)
		if n := requests.Load(); n != want.requests {
			t.Errorf("%d: %d requests, want %d", code, n, want.requests)
		}
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	url, _ := answers(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	}, serveContent)
	start := time.Now()
	if _, err := Bytes(t.Context(), url, quick); err != nil {
		t.Fatal(err)
	}
	if waited := time.Since(start); waited < time.Second {
		t.Errorf("asked again after %v, the server said 1 s", waited)
	}
}

func TestRedirectsWithinHTTPAreFollowed(t *testing.T) {
	target := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if referer := r.Header.Get("Referer"); referer != "" {
			t.Errorf("the first URL was told to the second server: %s", referer)
		}
		serveContent(w, r)
	})
	url := serve(t, redirect(target))
	got, err := Bytes(t.Context(), url+"/f?token=secret&checksum="+sum(content), quick)
	if err != nil || string(got) != content {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestRedirectsElsewhereAreRefused(t *testing.T) {
	for _, to := range []string{"ftp://example.com/f", "file:///etc/hosts", "git::https://example.com/f", "s3://bucket/key"} {
		url, requests := answers(t, redirect(to))
		refused(t, url, quick, ErrSource, "redirects")
		if n := requests.Load(); n != 1 {
			t.Errorf("%s: a refused redirect was asked for %d times", to, n)
		}
	}
	loop, _ := answers(t, redirect("/again"))
	refused(t, loop, quick, nil, "10 redirects")
}

func TestHTTPSIsNotDowngraded(t *testing.T) {
	plain, requests := answers(t, serveContent)
	s := httptest.NewTLSServer(redirect(plain))
	t.Cleanup(s.Close)
	opts := quick
	opts.roots = x509.NewCertPool()
	opts.roots.AddCert(s.Certificate())
	refused(t, s.URL, opts, ErrSource, "from https to http://")
	if n := requests.Load(); n != 0 {
		t.Errorf("the plain server got %d requests", n)
	}
}

func TestAnUntrustedCertificateIsRefused(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(serveContent))
	s.Config.ErrorLog = nil
	t.Cleanup(s.Close)
	refused(t, s.URL, Options{Attempts: 1}, nil, "certificate")
}

func TestTerraformsRedirectsAreIgnored(t *testing.T) {
	other, requests := answers(t, serveContent)
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("terraform-get") {
			t.Error("the server was asked for a terraform redirect")
		}
		w.Header().Set("X-Terraform-Get", other)
		_, _ = w.Write([]byte(`<html><head><meta name="terraform-get" content="` + other + `"></head></html>`))
	})
	got, err := Bytes(t.Context(), url+"/", quick)
	if err != nil || !strings.HasPrefix(string(got), "<html>") {
		t.Errorf("got %q, %v", got, err)
	}
	if n := requests.Load(); n != 0 {
		t.Errorf("followed X-Terraform-Get %d times", n)
	}
}

func TestNoErrorShowsCredentials(t *testing.T) {
	missing := serve(t, status(404))
	dead := httptest.NewServer(http.HandlerFunc(serveContent))
	dead.Close()
	redirected := serve(t, redirect("/x?token=pa55word"))
	refusedTo := serve(t, redirect("ftp://us3r:pa55word@example.com/?token=pa55word"))
	withSecrets := func(url string) string {
		return strings.Replace(url, "://", "://us3r:pa55word@", 1) + "/m.yaml?token=pa55word"
	}
	for _, src := range []string{
		withSecrets(missing), withSecrets(dead.URL), withSecrets(redirected), withSecrets(refusedTo),
		withSecrets(missing) + "&checksum=bad", withSecrets("ftp://example.com"), "git::" + withSecrets("https://example.com"),
		withSecrets("https://example.com:bad"), withSecrets("https://exa mple.com"), withSecrets("s3://bucket"),
		"s3::" + withSecrets(dead.URL) + "/key?aws_access_key_secret=pa55word",
	} {
		t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
		_, err := Bytes(t.Context(), src, Options{Attempts: 2, Wait: time.Millisecond, Timeout: 10 * time.Second})
		if err == nil {
			t.Errorf("%s was fetched", src)
			continue
		}
		if strings.Contains(err.Error(), "pa55word") || strings.Contains(err.Error(), "us3r") {
			t.Errorf("shows a secret: %v", err)
		}
		if !errors.Is(err, ErrSource) && !strings.Contains(err.Error(), "REDACTED") {
			t.Errorf("does not name its source: %v", err)
		}
	}
}

func TestNoErrorShowsWhereAServerRedirectsTo(t *testing.T) {
	dead := httptest.NewServer(http.HandlerFunc(serveContent))
	dead.Close()
	url := serve(t, redirect(dead.URL+"/signed?signature=0nlyth3s3rv3r"))
	_, err := Bytes(t.Context(), url, Options{Attempts: 1})
	if err == nil || strings.Contains(err.Error(), "0nlyth3s3rv3r") {
		t.Errorf("shows the signature of a signed URL: %v", err)
	}
}
