package fetch

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/distro/release"
)

// publish writes a release and its record as a build does, and returns the
// manifest's path.
func publish(t *testing.T, dir string) string {
	t.Helper()
	r := release.New(release.Identity{Vendor: "slipway", Channel: "1-36", Number: 1})
	var record, manifest bytes.Buffer
	if err := release.WriteRecord(&record, &release.Record{Release: r.Name, Vendor: "slipway"}); err != nil {
		t.Fatal(err)
	}
	release.Bind(r, record.Bytes())
	if err := release.Write(&manifest, r); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, r.Name+".yaml")
	for name, b := range map[string][]byte{file: manifest.Bytes(), filepath.Join(dir, release.RecordFile(r.Name)): record.Bytes()} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return file
}

func TestReleaseAndRecordComeFromPathAndURL(t *testing.T) {
	dir := t.TempDir()
	file := publish(t, dir)
	manifest, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(s.Close)
	url := s.URL + "/" + filepath.Base(file)
	checksum := "?checksum=" + sum(string(manifest))
	for _, src := range []string{file, file + checksum, "file://" + file, url, url + checksum, url + checksum + "&token=x"} {
		r, b, err := Release(t.Context(), src)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		if r.Name != "kubernetes-1-36-slipway-1" || !bytes.Equal(b, manifest) {
			t.Errorf("%s: got release %s and %d bytes", src, r.Name, len(b))
		}
		record, err := Record(t.Context(), src, r)
		if err != nil || record.Release != r.Name {
			t.Errorf("%s: record %+v, %v", src, record, err)
		}
	}
}

func TestAnotherRecordIsRefused(t *testing.T) {
	file := publish(t, t.TempDir())
	r, _, err := Release(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	record := strings.TrimSuffix(file, ".yaml") + ".record.json"
	b, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(record, append(b, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Record(t.Context(), file, r); !errors.Is(err, release.ErrNotBound) || !strings.Contains(err.Error(), record) {
		t.Errorf("a record with one more byte: %v", err)
	}
	if err := os.Remove(record); err != nil {
		t.Fatal(err)
	}
	if _, err := Record(t.Context(), file, r); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "belongs beside its manifest") {
		t.Errorf("no record: %v", err)
	}
	if _, err := Record(t.Context(), "folder/manifest", r); !errors.Is(err, ErrSource) {
		t.Errorf("a manifest without .yaml: %v", err)
	}
}

func TestABadManifestNamesItsSourceWithoutSecrets(t *testing.T) {
	url := serve(t, serveContent)
	_, _, err := Release(t.Context(), url+"/m.yaml?token=s3cr3t")
	if err == nil || !strings.Contains(err.Error(), "/m.yaml?token=REDACTED: is no Kubernetes object") {
		t.Errorf("got %v", err)
	}
}
