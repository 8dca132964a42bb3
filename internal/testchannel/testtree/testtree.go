// Package testtree looks at output trees: whether two are equal, and whether
// what a Release in one names is there.
package testtree

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/slipway-k8s/slipway/distro/release"
	"github.com/slipway-k8s/slipway/images/registry"
)

// Snapshot gives mode and hash of every file under out by its path. It leaves
// out locks and the registry's uploads, and the modes of the registry's files,
// which are that library's own affair.
func Snapshot(t testing.TB, out string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(out, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() == "_uploads" {
			return skip(d, err)
		}
		if d.IsDir() || d.Name() == ".lock" {
			return nil
		}
		rel, err := filepath.Rel(out, p)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		content, err := os.ReadFile(p)
		mode := info.Mode().String()
		if strings.HasPrefix(rel, registry.StorageFolder+string(filepath.Separator)) {
			mode = "registry"
		}
		all[filepath.ToSlash(rel)] = fmt.Sprintf("%s %x", mode, sha256.Sum256(content))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func skip(d fs.DirEntry, err error) error {
	if err == nil && d.IsDir() {
		return fs.SkipDir
	}
	return err
}

// Same fails the test with every path in which two snapshots differ.
func Same(t testing.TB, what string, want, got map[string]string) {
	t.Helper()
	both := maps.Clone(want)
	maps.Copy(both, got)
	for _, p := range slices.Sorted(maps.Keys(both)) {
		switch w, g := want[p], got[p]; {
		case w == g:
		case w == "":
			t.Errorf("%s: has %s, which does not belong there", what, p)
		case g == "":
			t.Errorf("%s: lacks %s", what, p)
		default:
			t.Errorf("%s: %s is %s, want %s", what, p, g, w)
		}
	}
}

// Manifests are the Releases in a tree.
func Manifests(t testing.TB, out string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(out, "kubernetes-*", "kubernetes-*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// Truthful fails the test if a Release in the tree names a record, a file or an
// image that is not there or is another, and returns the Releases. Images are
// looked for in the folder of a registry; "" is the one in the tree.
func Truthful(t testing.TB, out, registryDir string) []*release.Release {
	t.Helper()
	var all []*release.Release
	for _, file := range Manifests(t, out) {
		rel, err := truthful(out, registryDir, file)
		if err != nil {
			t.Errorf("%s: %v", file, err)
		}
		all = append(all, rel)
	}
	return all
}

func truthful(out, registryDir, file string) (*release.Release, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	rel, err := release.Read(bytes.NewReader(b), file)
	if err != nil {
		return nil, err
	}
	if errs := release.Validate(rel); len(errs) > 0 {
		return rel, errs.ToAggregate()
	}
	record, err := os.ReadFile(filepath.Join(filepath.Dir(file), release.RecordFile(rel.Name)))
	if err != nil {
		return rel, err
	}
	if err := release.CheckBinding(rel, record); err != nil {
		return rel, err
	}
	if registryDir == "" {
		registryDir = filepath.Join(out, registry.StorageFolder)
	}
	reg, err := registry.Open(registryDir, registry.ReadOnly())
	if err != nil {
		return rel, err
	}
	defer reg.Close()
	for _, c := range rel.Status.Components {
		for _, a := range c.Assets {
			if a.Archive != nil {
				err = checkFile(out, strings.TrimPrefix(a.Archive.URI, rel.Annotations[release.AnnotationBaseURL]), a.Archive)
			}
			if a.Image != nil {
				err = checkImage(reg, a.Image)
			}
			if err != nil {
				return rel, fmt.Errorf("asset %s: %w", a.Name, err)
			}
		}
	}
	return rel, nil
}

func checkFile(out, path string, a *release.Archive) error {
	b, err := os.ReadFile(filepath.Join(out, filepath.FromSlash(path)))
	if err != nil {
		return err
	}
	if got := fmt.Sprintf("%x", sha256.Sum256(b)); got != a.SHA256 {
		return fmt.Errorf("%s: sha256 is %s, the Release says %s", path, got, a.SHA256)
	}
	if got := fmt.Sprintf("%x", sha512.Sum512(b)); got != a.SHA512 {
		return fmt.Errorf("%s: sha512 is %s, the Release says %s", path, got, a.SHA512)
	}
	return nil
}

func checkImage(reg *registry.Registry, img *release.Image) error {
	tag, err := name.NewTag(img.URI)
	if err != nil {
		return err
	}
	via := remote.WithTransport(reg.Transport())
	d, err := remote.Head(tag, via)
	if err != nil {
		return fmt.Errorf("tag %s: %w", tag, err)
	}
	if d.Digest.String() != img.ImageDigest {
		return fmt.Errorf("tag %s is %s, the Release says %s", tag, d.Digest, img.ImageDigest)
	}
	idx, err := remote.Index(tag.Digest(img.ImageDigest), via)
	if err != nil {
		return err
	}
	return ReadAll(idx)
}

// ReadAll reads every blob of an image index and compares its digest.
func ReadAll(idx v1.ImageIndex) error {
	m, err := idx.IndexManifest()
	if err != nil {
		return err
	}
	for _, d := range m.Manifests {
		img, err := idx.Image(d.Digest)
		if err != nil {
			return err
		}
		if _, err := img.RawConfigFile(); err != nil {
			return err
		}
		layers, err := img.Layers()
		if err != nil {
			return err
		}
		for _, l := range layers {
			if err := readLayer(l); err != nil {
				return err
			}
		}
	}
	return nil
}

func readLayer(l v1.Layer) error {
	want, err := l.Digest()
	if err != nil {
		return err
	}
	r, err := l.Compressed()
	if err != nil {
		return err
	}
	defer r.Close()
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return fmt.Errorf("blob %s: %w", want, err)
	}
	if got := fmt.Sprintf("sha256:%x", h.Sum(nil)); got != want.String() {
		return fmt.Errorf("blob %s hashes to %s", want, got)
	}
	return nil
}
