package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/slipway-k8s/slipway/distro/release"
	"github.com/slipway-k8s/slipway/internal/cli"
)

const eksd = "../../distro/release/testdata/eksd/"

// run is the program with these arguments: its standard output, exit code and
// error.
func run(t *testing.T, args ...string) (stdout string, code int, err error) {
	t.Helper()
	root := newRoot()
	cli.Configure(root)
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(args)
	err = root.ExecuteContext(t.Context())
	return out.String(), cli.ExitCode(err), err
}

func want(t *testing.T, text string, parts ...string) {
	t.Helper()
	squeezed := strings.Join(strings.Fields(text), " ")
	for _, p := range parts {
		if !strings.Contains(squeezed, p) {
			t.Errorf("no %q in\n%s", p, text)
		}
	}
}

func TestEveryCommandHasAnExampleAndHelp(t *testing.T) {
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Example == "" || c.Short == "" {
			t.Errorf("%s has no example or no description", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRoot())
}

func TestShowListsComponentsAndImages(t *testing.T) {
	out, code, err := run(t, "show", eksd+"kubernetes-1-33-eks-20.yaml")
	if code != cli.ExitDone {
		t.Fatal(err)
	}
	want(t, out,
		"Release: kubernetes-1-33-eks-20 Channel: 1-33 Number: 20 Date: 2025-12-04T21:00:11Z",
		"etcd v3.5.21 none 1 2", "kubernetes v1.33.5 3c5499d 4 32",
		"public.ecr.aws/eks-distro/etcd-io/etcd:v3.5.21-eks-1-33-20 sha256:ffcfd5f96a578b09d0482d022538d57d7ef7f69b17aa3c8ccc803232dc8ca354",
		"public.ecr.aws/csi-components/csi-attacher:v4.9.0-eksbuild.3 none")
}

func TestShowAsJSONIsAManifest(t *testing.T) {
	out, code, err := run(t, "show", "-o", "json", eksd+"kubernetes-1-33-eks-20.yaml")
	if code != cli.ExitDone {
		t.Fatal(err)
	}
	if r, err := release.Read(strings.NewReader(out), "stdout"); err != nil || r.Name != "kubernetes-1-33-eks-20" {
		t.Errorf("got %v", err)
	}
}

func TestLintPrintsOneLinePerFinding(t *testing.T) {
	out, code, err := run(t, "lint", eksd+"kubernetes-1-33-eks-20.yaml")
	if code != cli.ExitFailed {
		t.Errorf("exit code %d", code)
	}
	if err == nil || err.Error() != "15 findings in 1 manifest" {
		t.Errorf("got %v", err)
	}
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if len(lines) != 15 || !strings.HasPrefix(lines[1], "status.components[0].assets[0].image.imageDigest: Required value") {
		t.Errorf("%d lines:\n%s", len(lines), out)
	}
}

func TestLintOfSeveralSaysWhichAndReportsWhatDoesNotParse(t *testing.T) {
	good, bad := filepath.Join(t.TempDir(), "good.yaml"), filepath.Join(t.TempDir(), "bad.yaml")
	soundManifest(t, good)
	if err := os.WriteFile(bad, []byte("apiVersion: distro.eks.amazonaws.com/v1alpha1\nkind: Release\nstatuss: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, code, err := run(t, "lint", good); code != cli.ExitDone || out != "" {
		t.Errorf("a sound manifest: exit code %d, %v, %q", code, err, out)
	}
	out, code, _ := run(t, "lint", good, bad)
	if code != cli.ExitFailed || out != bad+": unknown field \"statuss\": remove it, or use the Slipway version that wrote this file\n" {
		t.Errorf("exit code %d, %q", code, out)
	}
	out, _, _ = run(t, "lint", "-o", "json", good, bad)
	var found []finding
	if err := json.Unmarshal([]byte(out), &found); err != nil || len(found) != 1 || found[0].Manifest != bad {
		t.Errorf("%v in %s", err, out)
	}
	if out, _, _ := run(t, "lint", "-o", "json", good); strings.TrimSpace(out) != "[]" {
		t.Errorf("no findings as JSON: %q", out)
	}
}

func TestAManifestThatCannotBeFetchedIsNotJudged(t *testing.T) {
	if _, code, err := run(t, "lint", filepath.Join(t.TempDir(), "absent.yaml")); code != cli.ExitUnknown {
		t.Errorf("exit code %d, %v", code, err)
	}
}

func TestManifestsComeFromURLsWithChecksum(t *testing.T) {
	s := httptest.NewServer(http.FileServer(http.Dir(eksd)))
	t.Cleanup(s.Close)
	url := s.URL + "/kubernetes-1-33-eks-20.yaml"
	if _, code, err := run(t, "show", url); code != cli.ExitDone {
		t.Error(err)
	}
	_, code, err := run(t, "show", url+"?checksum=sha256:"+strings.Repeat("0", 64))
	if code != cli.ExitFailed || !strings.Contains(err.Error(), "expected sha256:000") {
		t.Errorf("a wrong checksum: exit code %d, %v", code, err)
	}
}

func TestDiffComparesTwoManifests(t *testing.T) {
	out, code, err := run(t, "diff", eksd+"kubernetes-1-18-eks-4.yaml", eksd+"kubernetes-1-21-eks-4.yaml")
	if code != cli.ExitDone {
		t.Fatal(err)
	}
	want(t, out, "from kubernetes-1-18-eks-4 to kubernetes-1-21-eks-4", "etcd changed v3.4.14 v3.4.16",
		"etcd-image etcd changed image.uri v3.4.14-eks-1-18-4 v3.4.16-eks-1-21-4", "etcd-linux-amd64-v3.4.14.tar.gz etcd gone")
	out, _, _ = run(t, "diff", "-o", "json", eksd+"kubernetes-1-18-eks-4.yaml", eksd+"kubernetes-1-21-eks-4.yaml")
	var changes release.Changes
	if err := json.Unmarshal([]byte(out), &changes); err != nil || changes.Empty() {
		t.Errorf("%v: %s", err, out)
	}
}

func TestRenderWritesTheSameReleaseElsewhere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rendered.yaml")
	args := []string{"render", eksd + "kubernetes-1-33-eks-20.yaml", "--registry", "localhost:5050", "--base-url", "http://localhost:5050"}
	out, code, err := run(t, args...)
	if code != cli.ExitDone {
		t.Fatal(err)
	}
	want(t, out, "uri: localhost:5050/eks-distro/etcd-io/etcd:v3.5.21-eks-1-33-20", "uri: http://localhost:5050/kubernetes-1-33/releases/20/")
	if _, code, err := run(t, append(args, "-O", file)...); code != cli.ExitDone {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != out {
		t.Errorf("the file differs from standard output (%v)", err)
	}
	out, _, _ = run(t, "diff", eksd+"kubernetes-1-33-eks-20.yaml", file)
	want(t, out, "no difference")
}

func TestRenderRefusesBadAddressesAndLeavesNoFile(t *testing.T) {
	dir := t.TempDir()
	_, code, err := run(t, "render", eksd+"kubernetes-1-33-eks-20.yaml", "--registry", "https://x", "-O", filepath.Join(dir, "f"))
	if code != cli.ExitUsage || !strings.Contains(err.Error(), "scheme") {
		t.Errorf("got %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestWrongUsageIsExitCodeTwo(t *testing.T) {
	for _, args := range [][]string{{"show"}, {"show", "a", "b"}, {"diff", "a"}, {"lint"}, {"show", "-o", "xml", "a"}, {"crds", "x"},
		{"render", "a"}, {"render", "a", "--registry", ""}} {
		if _, code, err := run(t, args...); code != cli.ExitUsage {
			t.Errorf("%q: exit code %d, %v", args, code, err)
		}
	}
}

func TestCRDsArePrintedAndWritten(t *testing.T) {
	out, code, err := run(t, "crds")
	if code != cli.ExitDone || strings.Count(out, "\nkind: CustomResourceDefinition\n") != 2 || strings.Count(out, "\n---\n") != 2 {
		t.Errorf("exit code %d, %v\n%s", code, err, out)
	}
	dir := filepath.Join(t.TempDir(), "new", "crds")
	if _, code, err := run(t, "crds", "--dir", dir); code != cli.ExitDone {
		t.Fatal(err)
	}
	all := ""
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		b, _ := os.ReadFile(filepath.Join(dir, e.Name()))
		all += string(b)
	}
	if all != out {
		t.Error("the files are not what is printed")
	}
}

// soundManifest writes the smallest release without findings.
func soundManifest(t *testing.T, file string) {
	t.Helper()
	r := release.New(release.Identity{Vendor: "slipway", Channel: "1-36", Number: 1})
	r.Status.Date = "2026-08-01T00:00:00Z"
	r.Status.Components = []release.Component{{Name: "etcd", GitTag: "v3.6.8", Assets: []release.Asset{{
		Name: "etcd-image", Type: release.TypeImage, OS: "linux", Arch: []string{"amd64"},
		Image: &release.Image{URI: "localhost:5050/etcd-io/etcd:v3.6.8-slipway-1-36-1", ImageDigest: "sha256:" + strings.Repeat("a", 64)},
	}}}}
	var b bytes.Buffer
	if err := release.Write(&b, r); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}
