package publish_test

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/klauspost/compress/zstd"
	"github.com/slipway-k8s/slipway/builder"
	"github.com/slipway-k8s/slipway/distro"
	"github.com/slipway-k8s/slipway/distro/release"
	"github.com/slipway-k8s/slipway/images"
	"github.com/slipway-k8s/slipway/images/publish"
	"github.com/slipway-k8s/slipway/images/registry"
	"github.com/slipway-k8s/slipway/internal/testchannel"
	"github.com/slipway-k8s/slipway/internal/testchannel/testtree"
)

var host = distro.Platform{OS: "linux", Arch: runtime.GOARCH}

// site is a test channel with folders for cache and output.
type site struct {
	*testchannel.Channel
	cache, out string
	stamp      string
}

func newSite(t *testing.T) *site {
	t.Helper()
	c := testchannel.New(t)
	c.Environ(t)
	return &site{Channel: c, cache: t.TempDir(), out: filepath.Join(t.TempDir(), "out")}
}

// publish builds for the platforms (none: all) and returns what happened.
func (s *site) publish(t *testing.T, opts publish.Options, platforms ...distro.Platform) (*publish.Result, []builder.Event) {
	t.Helper()
	cat, ch := s.Open(t)
	var err error
	if s.stamp, err = cat.Stamp(ch, testchannel.Component); err != nil {
		t.Fatal(err)
	}
	var events []builder.Event
	b, err := builder.New(t.Context(), cat, ch, builder.Options{CacheDir: s.cache, OnEvent: func(e builder.Event) { events = append(events, e) }})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	plan, err := builder.NewPlan(cat, ch, builder.Selection{Platforms: platforms})
	if err != nil {
		t.Fatal(err)
	}
	opts.Out = s.out
	res, err := publish.Run(t.Context(), b, plan, opts)
	if err != nil {
		t.Fatal(err)
	}
	return res, events
}

// serve puts the output tree on HTTP and returns its address.
func (s *site) serve(t *testing.T) string {
	t.Helper()
	tree, err := registry.FilesAndRegistry(s.out, registry.ReadOnly())
	if err != nil {
		t.Fatal(err)
	}
	srv, err := registry.Start(t.Context(), "127.0.0.1:0", tree)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(srv.Shutdown(t.Context()), tree.Close()); err != nil {
			t.Error(err)
		}
	})
	return srv.Addr()
}

func (s *site) artifacts(partial string) string {
	return filepath.Join(s.out, "kubernetes-1-99", "releases", "1"+partial, "artifacts", "hello", "v1.0.0")
}

func pull(t *testing.T, ref string) v1.ImageIndex {
	t.Helper()
	r, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	idx, err := remote.Index(r)
	if err != nil {
		t.Fatalf("pulling %s: %v", ref, err)
	}
	return idx
}

func image(t *testing.T, idx v1.ImageIndex, arch string) v1.Image {
	t.Helper()
	m, err := idx.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range m.Manifests {
		if d.Platform != nil && d.Platform.OS == "linux" && d.Platform.Architecture == arch {
			img, err := idx.Image(d.Digest)
			if err != nil {
				t.Fatal(err)
			}
			return img
		}
	}
	t.Fatalf("the index has no image for linux/%s", arch)
	return nil
}

// untar reads a tar stream into contents by path and checks that its headers
// hold nothing of the machine that made it.
func untar(t *testing.T, what string, r io.Reader) map[string]string {
	t.Helper()
	all := map[string]string{}
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if h.ModTime.Unix() != 315532800 { // 1980-01-01
			t.Errorf("%s: %s has the time %s", what, h.Name, h.ModTime)
		}
		if h.Uname != "" || h.Gname != "" {
			t.Errorf("%s: %s belongs to %q, %q by name", what, h.Name, h.Uname, h.Gname)
		}
		if _, dup := all[h.Name]; dup {
			t.Errorf("%s: holds %s twice", what, h.Name)
		}
		content, err := io.ReadAll(tr)
		if err != nil {
			t.Fatalf("%s: %s: %v", what, h.Name, err)
		}
		all[h.Name] = string(content)
	}
}

// rootfs is what the layers of an image make, by path.
func rootfs(t *testing.T, img v1.Image) map[string]string {
	t.Helper()
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for i, l := range layers {
		r, err := l.Compressed()
		if err != nil {
			t.Fatal(err)
		}
		z, err := zstd.NewReader(r)
		if err != nil {
			t.Fatal(err)
		}
		for p, content := range untar(t, fmt.Sprintf("layer %d", i), z) {
			all[p] = content
		}
		z.Close()
		r.Close()
	}
	return all
}

func TestAReleaseNamesWhatIsThere(t *testing.T) {
	s := newSite(t)
	res, _ := s.publish(t, publish.Options{}, host)
	if errs := release.Validate(res.Release); len(errs) > 0 {
		t.Fatal(errs.ToAggregate())
	}
	truths := testtree.Truthful(t, s.out, "")
	if len(truths) != 1 || truths[0].Name != res.Release.Name {
		t.Fatalf("Releases in the tree: %d, want the one that Run returned", len(truths))
	}
	if want := "kubernetes-1-99-slipway-1-linux-" + host.Arch; res.Release.Name != want || !res.Release.Partial() {
		t.Errorf("name %q, partial %v; want %q, true", res.Release.Name, res.Release.Partial(), want)
	}
	addr := s.serve(t)
	_, asset := res.Release.Asset("hello-image")
	if asset == nil {
		t.Fatal("the Release has no hello-image")
	}
	repo, _, _ := strings.Cut(strings.TrimPrefix(asset.Image.URI, registry.DefaultAddr+"/"), ":")
	idx := pull(t, addr+"/"+repo+"@"+asset.Image.ImageDigest)
	if err := testtree.ReadAll(idx); err != nil {
		t.Errorf("pulled by digest: %v", err)
	}
	suffix := "-linux-" + host.Arch
	for _, tag := range []string{"v1.0.0-slipway-1-99-1" + suffix, strings.ReplaceAll(s.stamp, "+", "_") + suffix} {
		d, err := pull(t, addr+"/"+repo+":"+tag).Digest()
		if err != nil || d.String() != asset.Image.ImageDigest {
			t.Errorf("tag %s is %s (%v), want %s", tag, d, err, asset.Image.ImageDigest)
		}
	}
	if want := "localhost:5050/test/hello:v1.0.0-slipway-1-99-1" + suffix; asset.Image.URI != want {
		t.Errorf("the Release names the image %s, want %s", asset.Image.URI, want)
	}
}

func TestAWholeReleaseHasItsNameTagsAndChannel(t *testing.T) {
	s := newSite(t)
	res, _ := s.publish(t, publish.Options{BaseURL: "https://files.example.com/base/"})
	if res.Release.Name != "kubernetes-1-99-slipway-1" || res.Release.Partial() {
		t.Errorf("name %q, partial %v", res.Release.Name, res.Release.Partial())
	}
	addr := s.serve(t)
	repo, err := name.NewRepository(addr + "/test/hello")
	if err != nil {
		t.Fatal(err)
	}
	tags, err := remote.List(repo)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(tags)
	want := []string{strings.ReplaceAll(s.stamp, "+", "_"), "v1.0.0-slipway-1-99-1"}
	slices.Sort(want)
	if !slices.Equal(tags, want) {
		t.Errorf("tags %v, want %v", tags, want)
	}
	idx := pull(t, repo.Tag("v1.0.0-slipway-1-99-1").Name())
	for _, arch := range []string{"amd64", "arm64"} {
		config, err := image(t, idx, arch).ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if config.Architecture != arch || config.Config.User != "65532:65532" || !slices.Equal(config.Config.Entrypoint, []string{"/hello"}) {
			t.Errorf("linux/%s: config %+v", arch, config)
		}
	}
	b, err := os.ReadFile(filepath.Join(s.out, "releasechannels", "1-99.yaml"))
	if err != nil || !strings.Contains(string(b), "latestRelease: 1") {
		t.Errorf("the channel's object: %v\n%s", err, b)
	}
	for _, a := range res.Release.Status.Components[0].Assets {
		if a.Archive != nil && !strings.HasPrefix(a.Archive.URI, "https://files.example.com/base/kubernetes-1-99/releases/1/artifacts/hello/v1.0.0/") {
			t.Errorf("asset %s: URI %s", a.Name, a.Archive.URI)
		}
	}
}

func TestAPartialReleaseLeavesAWholeOneAlone(t *testing.T) {
	s := newSite(t)
	s.publish(t, publish.Options{})
	before := testtree.Snapshot(t, s.out)
	s.publish(t, publish.Options{}, host)
	after := testtree.Snapshot(t, s.out)
	for p, was := range before {
		shared := strings.HasSuffix(p, "SUM") // lists the other release too
		if after[p] != was && !shared {
			t.Errorf("%s: is %q after a partial build, was %q", p, after[p], was)
		}
	}
	if n := len(testtree.Truthful(t, s.out, "")); n != 2 {
		t.Errorf("%d Releases in the tree, want 2", n)
	}
}

func TestAnImageTarHoldsTheVeryBlobsOfTheRegistry(t *testing.T) {
	s := newSite(t)
	res, _ := s.publish(t, publish.Options{}, host)
	_, asset := res.Release.Asset("hello-image")
	file := filepath.Join(s.artifacts("-linux-"+host.Arch), "bin", "linux", host.Arch, "hello.tar")
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	content := untar(t, "hello.tar", f)
	if got := content["oci-layout"]; !strings.Contains(got, `"imageLayoutVersion":"1.0.0"`) {
		t.Errorf("oci-layout holds %q", got)
	}
	var top v1.IndexManifest
	if err := json.Unmarshal([]byte(content["index.json"]), &top); err != nil {
		t.Fatal(err)
	}
	if len(top.Manifests) != 1 || top.Manifests[0].Digest.String() != asset.Image.ImageDigest {
		t.Errorf("index.json names %+v, want the digest of the Release, %s", top.Manifests, asset.Image.ImageDigest)
	}
	addr := s.serve(t)
	img := image(t, pull(t, addr+"/test/hello@"+asset.Image.ImageDigest), host.Arch)
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{asset.Image.ImageDigest, digest.String(), m.Config.Digest.String()}
	for _, l := range m.Layers {
		want = append(want, l.Digest.String())
	}
	blobs := 0
	for p, c := range content {
		if hex, ok := strings.CutPrefix(p, "blobs/sha256/"); ok && hex != "" {
			blobs++
			if got := fmt.Sprintf("%x", sha256.Sum256([]byte(c))); got != hex {
				t.Errorf("%s hashes to %s", p, got)
			}
		}
	}
	for _, d := range want {
		if _, ok := content["blobs/sha256/"+strings.TrimPrefix(d, "sha256:")]; !ok {
			t.Errorf("the tar lacks the registry's blob %s", d)
		}
	}
	if blobs != len(want) {
		t.Errorf("the tar holds %d blobs, the registry's image consists of %d", blobs, len(want))
	}
	tag := strings.ReplaceAll(s.stamp, "+", "_") + "-linux-" + host.Arch
	for ending, want := range map[string]string{
		".docker_tag":        tag,
		".docker_image_name": "registry.k8s.io/hello-" + host.Arch + ":" + tag,
	} {
		if b, err := os.ReadFile(strings.TrimSuffix(file, ".tar") + ending); err != nil || string(b) != want {
			t.Errorf("%s holds %q (%v), want %q", ending, b, err, want)
		}
	}
	if got := top.Manifests[0].Annotations["io.containerd.image.name"]; got != "registry.k8s.io/hello-"+host.Arch+":"+tag {
		t.Errorf("the tar calls its image %q", got)
	}
}

func TestEveryFileHasItsChecksumsBesideItAndInTheSums(t *testing.T) {
	s := newSite(t)
	s.publish(t, publish.Options{}, host)
	sums := 0
	err := filepath.WalkDir(s.out, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if err == nil && d.Name() == registry.StorageFolder {
				return fs.SkipDir
			}
			return err
		}
		switch base := d.Name(); {
		case base == "SHA256SUM":
			sums++
			checkSums(t, p, sha256.New)
		case base == "SHA512SUM":
			checkSums(t, p, sha512.New)
		case strings.HasSuffix(base, ".sha256"):
			checkSums(t, p, sha256.New)
		case strings.HasSuffix(base, ".sha512"):
			checkSums(t, p, sha512.New)
		case base == ".lock":
		default:
			for _, list := range []string{p + ".sha256", p + ".sha512", filepath.Join(filepath.Dir(p), "SHA256SUM"), filepath.Join(filepath.Dir(p), "SHA512SUM")} {
				b, err := os.ReadFile(list)
				if err != nil || !strings.Contains(string(b), "  "+base+"\n") {
					t.Errorf("%s does not list %s (%v)", list, base, err)
				}
			}
			if info, err := d.Info(); err != nil || info.Mode() != 0o644 {
				t.Errorf("%s has mode %v (%v), want 0644 whatever the umask", p, info.Mode(), err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if sums < 4 { // crds, the release, artifacts, binaries
		t.Errorf("only %d SHA256SUM in the tree", sums)
	}
}

// checkSums does what "sha256sum -c" does, and wants every line right.
func checkSums(t *testing.T, list string, newHash func() hash.Hash) {
	t.Helper()
	f, err := os.Open(list)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	for sc := bufio.NewScanner(f); sc.Scan(); n++ {
		sum, base, ok := strings.Cut(sc.Text(), "  ")
		content, err := os.ReadFile(filepath.Join(filepath.Dir(list), base))
		h := newHash()
		h.Write(content)
		if got := hex.EncodeToString(h.Sum(nil)); !ok || err != nil || got != sum {
			t.Errorf("%s: line %q: the file has %s (%v)", list, sc.Text(), got, err)
		}
	}
	if n == 0 {
		t.Errorf("%s is empty", list)
	}
}

func TestLicencesOfAllThatIsCompiledInAreHandedOn(t *testing.T) {
	s := newSite(t)
	res, _ := s.publish(t, publish.Options{}, host)
	_, asset := res.Release.Asset("hello-image")
	inImage := rootfs(t, image(t, pull(t, s.serve(t)+"/test/hello@"+asset.Image.ImageDigest), host.Arch))

	f, err := os.Open(filepath.Join(s.artifacts("-linux-"+host.Arch), "hello-linux-"+host.Arch+"-v1.0.0.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if !z.ModTime.IsZero() || z.Name != "" || z.Comment != "" {
		t.Errorf("the gzip header says %+v", z.Header)
	}
	inTarball := untar(t, "tarball", z)

	for where, content := range map[string]map[string]string{"image": inImage, "tarball": inTarball} {
		for p, want := range map[string]string{
			"LICENSES/example.com/hello/LICENSE": "MIT License\n\nhello's licence\n",
			"LICENSES/example.com/greet/LICENSE": "Apache License\n\ngreet's licence\n",
			"LICENSES/example.com/greet/NOTICE":  "greet's notice\n",
		} {
			if content[p] != want {
				t.Errorf("%s: %s holds %q, want %q", where, p, content[p], want)
			}
		}
		if !strings.Contains(content["LICENSES/std/LICENSE"], "The Go Authors") {
			t.Errorf("%s: lacks the licence of the standard library", where)
		}
		for _, m := range []string{"example.com/hello v1.0.0", "example.com/greet v1.0.0", "std " + runtime.Version()} {
			if !strings.Contains(content["ATTRIBUTION.txt"], m+":") {
				t.Errorf("%s: ATTRIBUTION.txt does not list %s:\n%s", where, m, content["ATTRIBUTION.txt"])
			}
		}
	}
	binary := res.Record.Components[0].Binaries[0].SHA256
	for where, content := range map[string]string{"image": inImage["hello"], "tarball": inTarball["hello"]} {
		if got := fmt.Sprintf("%x", sha256.Sum256([]byte(content))); got != binary {
			t.Errorf("%s: the binary has sha256 %s, the record says %s", where, got, binary)
		}
	}
}

func TestTheRecordIsBoundAndNamesEveryDigest(t *testing.T) {
	s := newSite(t)
	res, _ := s.publish(t, publish.Options{}, host)
	file := path.Join(path.Dir(res.Manifest), release.RecordFile(res.Release.Name))
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := release.CheckBinding(res.Release, raw); err != nil {
		t.Errorf("the record is not bound: %v", err)
	}
	if err := release.CheckBinding(res.Release, bytes.Replace(raw, []byte("v1.0.0"), []byte("v1.0.1"), 1)); err == nil {
		t.Error("a changed record passes for the bound one")
	}
	rec, err := release.ReadRecord(bytes.NewReader(raw), file)
	if err != nil {
		t.Fatal(err)
	}
	c := rec.Component(testchannel.Component)
	if c == nil || c.Stamp != s.stamp || len(c.Images) != 1 || len(c.Modules) != 3 {
		t.Fatalf("the record says %+v", c)
	}
	img := image(t, pull(t, s.serve(t)+"/test/hello@"+c.Images[0].Index), host.Arch)
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	got := c.Images[0].Platforms[0]
	if got.Manifest != digest.String() {
		t.Errorf("manifest %s, the registry's is %s", got.Manifest, digest)
	}
	var diffIDs []string
	for _, d := range config.RootFS.DiffIDs {
		diffIDs = append(diffIDs, d.String())
	}
	if !slices.Equal(got.DiffIDs, diffIDs) {
		t.Errorf("diffIDs %v, the registry's are %v", got.DiffIDs, diffIDs)
	}
}

func TestAComponentFromASourceArchiveIsPublishedWithItsSource(t *testing.T) {
	archive := testchannel.TarGz(t, testchannel.ArchiveFiles())
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(archive) }))
	defer srv.Close()
	s := newSite(t)
	s.FromArchive(t, srv.URL+"/hello-{tag}.tar.gz", archive)
	t.Setenv("GOPROXY", "off")
	res, _ := s.publish(t, publish.Options{}, host)
	if n := len(testtree.Truthful(t, s.out, "")); n != 1 {
		t.Fatalf("%d Releases in the tree, want 1", n)
	}
	raw, err := os.ReadFile(path.Join(path.Dir(res.Manifest), release.RecordFile(res.Release.Name)))
	if err != nil {
		t.Fatal(err)
	}
	rec, err := release.ReadRecord(bytes.NewReader(raw), "record")
	if err != nil {
		t.Fatal(err)
	}
	want := release.RecordSource{URL: srv.URL + "/hello-v1.0.0.tar.gz", SHA256: fmt.Sprintf("%x", sha256.Sum256(archive))}
	if got := rec.Component(testchannel.Component).Source; got == nil || *got != want {
		t.Errorf("the record says the source is %+v, want %+v", got, want)
	}
	_, asset := res.Release.Asset("hello-image")
	content := rootfs(t, image(t, pull(t, s.serve(t)+"/test/hello@"+asset.Image.ImageDigest), host.Arch))
	for _, p := range []string{"hello", "LICENSES/example.com/hello/LICENSE", "LICENSES/example.com/greet/NOTICE"} {
		if content[p] == "" {
			t.Errorf("the image lacks %s", p)
		}
	}
	if !strings.Contains(content["ATTRIBUTION.txt"], "example.com/hello v1.0.0:") {
		t.Errorf("ATTRIBUTION.txt lacks the component itself:\n%s", content["ATTRIBUTION.txt"])
	}
}

func TestASecondRunWithNothingChangedDoesNothing(t *testing.T) {
	s := newSite(t)
	s.publish(t, publish.Options{}, host)
	before := stats(t, s.out)
	t.Setenv("GOPROXY", "off")
	t.Setenv("GOCACHE", filepath.Join(t.TempDir(), "not-used"))
	_, events := s.publish(t, publish.Options{}, host)
	for _, e := range events {
		if e.Kind != builder.StepCached {
			t.Errorf("event %+v", e)
		}
	}
	after := stats(t, s.out)
	for p, was := range before {
		if now, ok := after[p]; !ok || !os.SameFile(was, now) || !was.ModTime().Equal(now.ModTime()) {
			t.Errorf("%s was written again", p)
		}
	}
	for p := range after {
		if before[p] == nil {
			t.Errorf("%s is new", p)
		}
	}
}

func stats(t *testing.T, dir string) map[string]fs.FileInfo {
	t.Helper()
	all := map[string]fs.FileInfo{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		all[p], err = d.Info()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestAFileThatWasChangedOrRemovedIsMadeAgain(t *testing.T) {
	s := newSite(t)
	s.publish(t, publish.Options{}, host)
	want := testtree.Snapshot(t, s.out)
	for p := range want {
		if strings.HasPrefix(p, registry.StorageFolder+"/") {
			continue
		}
		full := filepath.Join(s.out, filepath.FromSlash(p))
		var err error
		if len(p)%2 == 0 {
			err = os.Remove(full)
		} else {
			err = os.WriteFile(full, []byte("changed"), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	s.publish(t, publish.Options{}, host)
	testtree.Same(t, "after files were changed and removed", want, testtree.Snapshot(t, s.out))
}

func TestAnImageThatIsGoneFromTheRegistryIsPushedAgain(t *testing.T) {
	s := newSite(t)
	s.publish(t, publish.Options{}, host)
	want := testtree.Snapshot(t, s.out)
	if err := os.RemoveAll(filepath.Join(s.out, registry.StorageFolder)); err != nil {
		t.Fatal(err)
	}
	s.publish(t, publish.Options{}, host)
	testtree.Truthful(t, s.out, "")
	testtree.Same(t, "after the registry was removed", want, testtree.Snapshot(t, s.out))
}

func TestCompressionIsAChoiceThatDiffIDsDoNotHangOn(t *testing.T) {
	s := newSite(t)
	z, _ := s.publish(t, publish.Options{}, host)
	g, _ := s.publish(t, publish.Options{Compression: images.Gzip}, host)
	a, b := z.Record.Components[0].Images[0], g.Record.Components[0].Images[0]
	if a.Index == b.Index || z.Record.Compressor == g.Record.Compressor {
		t.Errorf("zstd and gzip give the same index %s, compressor %+v", a.Index, g.Record.Compressor)
	}
	if !slices.Equal(a.Platforms[0].DiffIDs, b.Platforms[0].DiffIDs) {
		t.Errorf("diffIDs differ: %v, %v", a.Platforms[0].DiffIDs, b.Platforms[0].DiffIDs)
	}
	testtree.Truthful(t, s.out, "")
}
