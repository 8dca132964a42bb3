package publish_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/distro"
	"github.com/slipway-k8s/slipway/distro/release"
	"github.com/slipway-k8s/slipway/images/publish"
)

func verify(t *testing.T, manifest string, opts publish.VerifyOptions) *publish.Verification {
	t.Helper()
	v, err := publish.Verify(t.Context(), manifest, opts)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func text(t *testing.T, v *publish.Verification) string {
	t.Helper()
	var b bytes.Buffer
	if err := v.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// differing are the items that are not equal.
func differing(v *publish.Verification) []publish.Compared {
	var list []publish.Compared
	for _, i := range v.Items {
		if i.Status != publish.Equal {
			list = append(list, i)
		}
	}
	return list
}

// artifact is where a component's file lies in the output.
func artifact(d *tiny, component, name string) string {
	return filepath.Join(d.out, "kubernetes-1-99", "releases", "1", "artifacts", component, tinyVersion, filepath.FromSlash(name))
}

func flip(t *testing.T, file string, at int) {
	t.Helper()
	b := readFile(t, file)
	b[at] ^= 0xff
	if err := os.WriteFile(file, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestVerifyOfAFreshBuildIsEqualInEverything(t *testing.T) {
	d := newTiny(t)
	v := verify(t, d.manifest, d.options(t))
	if bad := differing(v); len(bad) > 0 {
		t.Fatalf("%s", text(t, v))
	}
	kinds := map[string]int{}
	for _, i := range v.Items {
		kinds[i.Kind]++
	}
	// Two components on two platforms: a binary, an image tar and a tarball each.
	want := map[string]int{publish.KindBinary: 4, publish.KindFile: 8, publish.KindImage: 2, publish.KindRecord: 1, publish.KindManifest: 1}
	if fmt.Sprint(kinds) != fmt.Sprint(want) {
		t.Errorf("compared %v, want %v", kinds, want)
	}
	if v.Release != tinyRelease || len(v.Notes) > 0 {
		t.Errorf("release %s, notes %q", v.Release, v.Notes)
	}
}

func TestVerifyNamesTheBytesThatDiffer(t *testing.T) {
	d := newTiny(t)
	manifest := d.manifest
	tarball, program, image := "hello-linux-amd64-v1.0.0.tar.gz", "bin/linux/arm64/mini", "bin/linux/amd64/mini.tar"
	flip(t, artifact(d, "hello", tarball), 100)
	flip(t, artifact(d, "mini", program), 70_000)
	flip(t, artifact(d, "mini", program), 150_000)
	size := len(readFile(t, artifact(d, "mini", image)))
	if err := os.Truncate(artifact(d, "mini", image), int64(size-10)); err != nil {
		t.Fatal(err)
	}
	v := verify(t, manifest, d.options(t))
	found := map[string]string{}
	for _, i := range differing(v) {
		if i.Range == nil || !strings.Contains(i.Note, "not the one in its record") {
			t.Errorf("%s %s: range %v, note %q", i.Kind, i.Name, i.Range, i.Note)
			continue
		}
		found[i.Name+" "+i.Platform] = fmt.Sprint(i.Range.First, "-", i.Range.Last, " ", i.Range.PublishedSize-i.Range.RebuiltSize)
	}
	want := map[string]string{
		tarball + " linux/amd64": "100-100 0", "mini linux/arm64": "70000-150000 0", image + " linux/amd64": fmt.Sprintf("%d-%d -10", size-10, size-1),
	}
	if fmt.Sprint(found) != fmt.Sprint(want) {
		t.Errorf("differing: %v, want %v", found, want)
	}
	if out := text(t, v); !strings.Contains(out, "different: file hello "+tarball+" linux/amd64: bytes 100 to 100 differ (lengths: ") {
		t.Errorf("no sentence about the range in\n%s", out)
	}
}

func TestVerifyNoticesAWrongChecksumFile(t *testing.T) {
	d := newTiny(t)
	manifest := d.manifest
	writeTree(t, artifact(d, "mini", "bin/linux/amd64"), map[string]string{"mini.docker_tag": "v9", "mini.sha256": strings.Repeat("0", 64) + "\n"})
	var names []string
	for _, i := range differing(verify(t, manifest, d.options(t))) {
		names = append(names, i.Name+": "+i.Note)
	}
	all := strings.Join(names, "\n")
	if len(names) != 2 || !strings.Contains(all, "mini: mini.sha256 beside it") || !strings.Contains(all, "mini.tar: mini.docker_tag beside it") {
		t.Errorf("got %s", all)
	}
}

func TestVerifyRefusesARecordThatIsNotTheReleasesOwn(t *testing.T) {
	d := newTiny(t)
	manifest := d.manifest
	record := strings.TrimSuffix(manifest, ".yaml") + ".record.json"
	changed := bytes.Replace(readFile(t, record), []byte(`"vendor": "slipway"`), []byte(`"vendor": "somebody"`), 1)
	if err := os.WriteFile(record, changed, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := publish.Verify(t.Context(), manifest, d.options(t)); !errors.Is(err, release.ErrNotBound) {
		t.Errorf("a changed record: %v, want ErrNotBound", err)
	}
	if err := os.Remove(record); err != nil {
		t.Fatal(err)
	}
	if _, err := publish.Verify(t.Context(), manifest, d.options(t)); !errors.Is(err, os.ErrNotExist) || errors.Is(err, release.ErrNotBound) {
		t.Errorf("a missing record: %v", err)
	}
}

func TestVerifyFindsWhatAPublisherChangedConsistently(t *testing.T) {
	d := newTiny(t)
	manifest := d.manifest
	lie := strings.Repeat("a", 64)
	rewrite(t, manifest, func(rel *release.Release, rec *release.Record) {
		c := rec.Component("hello")
		c.Modules[0].Version = "v9.9.9"
		c.Images[0].Platforms[0].DiffIDs[1] = "sha256:" + lie
		c.Binaries[0].SHA256 = lie
		_, a := rel.Asset("bin/linux/amd64/mini")
		a.Archive.SHA256 = lie
		rel.Status.Date = "2026-01-03T00:00:00Z"
	})
	v := verify(t, manifest, d.options(t))
	out := text(t, v)
	for _, part := range []string{
		"different: record components[hello].modules[example.com/greet].version: published v9.9.9",
		"different: image hello hello: ", "platforms[linux/amd64].diffIDs[1]: published sha256:" + lie[:12],
		"different: binary hello hello linux/amd64: published " + lie, "its record is wrong",
		"different: manifest status.components[mini].assets[bin/linux/amd64/mini].archive.sha256: published " + lie,
		"different: manifest status.date: published 2026-01-03",
	} {
		if !strings.Contains(out, part) {
			t.Errorf("no %q in\n%s", part, out)
		}
	}
	if n := v.Count(publish.Different); n != 5 {
		t.Errorf("%d differences, want 5", n)
	}
}

// TestVerifyComparesContentWhenTheCompressorDiffers holds that a release from
// before an update of the compressor still verifies, without calling anything
// equal that was not compared.
func TestVerifyComparesContentWhenTheCompressorDiffers(t *testing.T) {
	d := newTiny(t)
	manifest := d.manifest
	tarball := artifact(d, "hello", "hello-linux-amd64-v1.0.0.tar.gz")
	recompress(t, tarball)
	b := readFile(t, tarball)
	s256, s512 := sha256.Sum256(b), sha512.Sum512(b)
	other := "sha256:" + strings.Repeat("b", 64)
	rewrite(t, manifest, func(rel *release.Release, rec *release.Record) {
		rec.Compressor.Version += "-before"
		c := rec.Component("hello")
		c.Images[0].Index, c.Images[0].Platforms[0].Manifest, c.Images[0].Platforms[0].Layers[1].Digest = other, other, other
		_, image := rel.Asset("hello-image")
		image.Image.ImageDigest = other
		for i := range c.Archives {
			a := &c.Archives[i]
			if strings.HasSuffix(tarball, a.Name) {
				a.SHA256, a.SHA512, a.Size = hex.EncodeToString(s256[:]), hex.EncodeToString(s512[:]), int64(len(b))
			}
			if a.Name == "bin/linux/amd64/hello.tar" {
				a.SHA256 = strings.Repeat("c", 64)
			}
			_, asset := rel.Asset(a.Name)
			asset.Archive.SHA256, asset.Archive.SHA512 = a.SHA256, a.SHA512
		}
	})
	v := verify(t, manifest, d.options(t))
	bad := differing(v)
	if len(bad) != 2 || bad[0].Status != publish.NotCompared || bad[1].Status != publish.NotCompared {
		t.Errorf("want the image and its tar, neither called equal nor different:\n%s", text(t, v))
	}
	if len(v.Notes) != 1 || !strings.Contains(v.Notes[0], "-before") || !strings.Contains(v.Notes[0], "diffIDs") {
		t.Errorf("notes: %q", v.Notes)
	}
}

// recompress packs a gzip file again with the standard library.
func recompress(t *testing.T, file string) {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(readFile(t, file)))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.Copy(w, z); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestVerifyOfOneComponentLeavesTheOthersOut(t *testing.T) {
	d := newTiny(t)
	manifest := d.manifest
	flip(t, artifact(d, "hello", "bin/linux/amd64/hello"), 7)
	opts := d.options(t)
	opts.Components = []string{"mini"}
	v := verify(t, manifest, opts)
	for _, i := range v.Items {
		if i.Component == "hello" || i.Status != publish.Equal {
			t.Errorf("%+v", i)
		}
	}
	opts.Components = []string{"maxi"}
	var unknown *distro.UnknownError
	if _, err := publish.Verify(t.Context(), manifest, opts); !errors.As(err, &unknown) || fmt.Sprint(unknown.Known) != "[hello mini]" {
		t.Errorf("an unknown component: %v", err)
	}
}

func TestVerifyWithOtherPinsSaysSo(t *testing.T) {
	d := newTiny(t)
	manifest := d.manifest
	file := filepath.Join(d.over.Channels, "1-99", "channel.yaml")
	writeTree(t, filepath.Dir(file), map[string]string{"channel.yaml": strings.Replace(string(readFile(t, file)), "number: 1", "number: 2", 1)})
	_, err := publish.Verify(t.Context(), manifest, d.options(t))
	if err == nil || !strings.Contains(err.Error(), "this Slipway pins another release") || !strings.Contains(err.Error(), "it makes kubernetes-1-99-slipway-2") {
		t.Errorf("got %v", err)
	}
}

func TestVerifyFetchesWhatDiffersOfAReleaseBehindAURL(t *testing.T) {
	d := newTiny(t)
	manifest := d.manifest
	server := httptest.NewServer(http.FileServer(http.Dir(d.out)))
	t.Cleanup(server.Close)
	program := artifact(d, "hello", "bin/linux/amd64/hello")
	flip(t, program, 5000)
	sum := sha256.Sum256(readFile(t, program))
	rewrite(t, manifest, func(rel *release.Release, rec *release.Record) {
		moved, err := release.Render(rel, "", server.URL)
		if err != nil {
			t.Fatal(err)
		}
		*rel = *moved
		rec.Component("hello").Binaries[0].SHA256 = hex.EncodeToString(sum[:])
		_, a := rel.Asset("bin/linux/amd64/hello")
		a.Archive.SHA256 = hex.EncodeToString(sum[:])
	})
	v := verify(t, server.URL+"/kubernetes-1-99/"+tinyRelease+".yaml", d.options(t))
	bad := differing(v)
	if len(bad) != 2 || bad[0].Range == nil || bad[0].Range.First != 5000 || bad[0].Range.Last != 5000 || bad[1].Kind != publish.KindManifest {
		t.Errorf("want the binary with its range and its field in the manifest:\n%s", text(t, v))
	}
}

// TestVerifyCompilesWithAGoBuildCacheOfItsOwn looks over the go command's
// shoulder: without it a poisoned cache would vouch for itself.
func TestVerifyCompilesWithAGoBuildCacheOfItsOwn(t *testing.T) {
	d := newTiny(t)
	manifest := d.manifest
	log := filepath.Join(t.TempDir(), "log")
	script := "#!/bin/sh\nif [ \"$1\" = build ]; then echo \"$GOCACHE\" >>" + log + "; exit 9; fi\nexec go \"$@\"\n"
	wrapper := filepath.Join(t.TempDir(), "go")
	if err := os.WriteFile(wrapper, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	opts := d.options(t)
	opts.Builder.Go, opts.ReuseGoCache = wrapper, false
	if _, err := publish.Verify(t.Context(), manifest, opts); err == nil {
		t.Fatal("nothing was compiled: the rebuild took what an earlier build had left")
	}
	if got := string(readFile(t, log)); !strings.HasPrefix(got, opts.Temp) {
		t.Errorf("GOCACHE was %q, want a folder in %s", got, opts.Temp)
	}
	if left, _ := os.ReadDir(opts.Temp); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
