package fetch

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestS3SourceIsWrittenAsGoGetterReadsIt(t *testing.T) {
	for src, want := range map[string]string{
		"s3://bucket/a/m.yaml":                              "s3::https://s3-us-east-1.amazonaws.com/bucket/a/m.yaml",
		"s3://bucket/a/m.yaml?region=eu-central-1":          "s3::https://s3-eu-central-1.amazonaws.com/bucket/a/m.yaml",
		"s3://bucket/m.yaml?version=3&region=us-gov-east-1": "s3::https://s3-us-gov-east-1.amazonaws.com/bucket/m.yaml?version=3",
		"s3::https://b.s3.eu-west-1.amazonaws.com/m.yaml":   "s3::https://b.s3.eu-west-1.amazonaws.com/m.yaml",
	} {
		s, err := parseSource(src)
		if err != nil {
			t.Errorf("%s: %v", src, err)
		} else if got := s.getterSource(); got != want {
			t.Errorf("%s: got %s, want %s", src, got, want)
		}
	}
}

// s3 is a source on a server that speaks enough S3 to serve one object.
func s3(t *testing.T, object string) string {
	t.Helper()
	none := filepath.Join(t.TempDir(), "none")
	for key, value := range map[string]string{
		"AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none, "AWS_EC2_METADATA_DISABLED": "true", "AWS_PROFILE": "", "AWS_METADATA_URL": "",
	} {
		t.Setenv(key, value)
	}
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/bucket/folder/m.yaml" || !strings.Contains(r.Header.Get("Authorization"), "Credential=AKIDEXAMPLE/") {
			t.Errorf("asked for %s with %q", r.URL, r.Header.Get("Authorization"))
		}
		_, _ = w.Write([]byte(object))
	})
	return "s3::" + url + "/bucket/folder/m.yaml?region=eu-central-1&aws_access_key_id=AKIDEXAMPLE&aws_access_key_secret=s3cr3tkey"
}

func TestFetchesFromS3(t *testing.T) {
	got, err := Bytes(t.Context(), s3(t, content)+"&checksum="+sum(content), quick)
	if err != nil || string(got) != content {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestTooLargeInS3IsRefused(t *testing.T) {
	refused(t, s3(t, content), Options{MaxBytes: 5, Wait: time.Millisecond}, ErrTooLarge, "more than 5 bytes")
	refused(t, s3(t, strings.Repeat("x", 1<<20)), Options{MaxBytes: 1 << 19, Wait: time.Millisecond}, ErrTooLarge)
}
