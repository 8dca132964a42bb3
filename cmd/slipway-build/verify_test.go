package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/distro/release"
	"github.com/slipway-k8s/slipway/images/publish"
	"github.com/slipway-k8s/slipway/internal/cli"
)

func runRoot(t *testing.T, args ...string) (code int, err error) {
	t.Helper()
	root := newRoot()
	cli.Configure(root)
	root.SetOut(&bytes.Buffer{})
	root.SetErr(&bytes.Buffer{})
	root.SetArgs(args)
	err = root.ExecuteContext(t.Context())
	return cli.ExitCode(err), err
}

// bound writes a manifest and the record that belongs to it.
func bound(t *testing.T, dir string) (manifest, record string) {
	t.Helper()
	rel := release.New(release.Identity{Vendor: "slipway", Channel: "1-98", Number: 1})
	rec := &release.Record{Release: rel.Name, Platforms: []string{"linux/amd64"}, Compressor: release.Compressor{Name: "zstd"}}
	var raw, text bytes.Buffer
	if err := release.WriteRecord(&raw, rec); err != nil {
		t.Fatal(err)
	}
	release.Bind(rel, raw.Bytes())
	if err := release.Write(&text, rel); err != nil {
		t.Fatal(err)
	}
	manifest, record = filepath.Join(dir, rel.Name+".yaml"), filepath.Join(dir, release.RecordFile(rel.Name))
	for name, content := range map[string][]byte{manifest: text.Bytes(), record: raw.Bytes()} {
		if err := os.WriteFile(name, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return manifest, record
}

func TestVerifyThatCannotCompareIsExitCodeThree(t *testing.T) {
	manifest, record := bound(t, t.TempDir())
	for name, c := range map[string]struct{ manifest, says string }{
		"no manifest":        {filepath.Join(t.TempDir(), "absent.yaml"), "absent.yaml"},
		"EKS-D's, no record": {"../../distro/release/testdata/eksd/kubernetes-1-33-eks-20.yaml", "only a release with a record"},
		"no such channel":    {manifest, `channel "1-98"`},
	} {
		code, err := runRoot(t, "verify", c.manifest)
		if code != cli.ExitUnknown || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: exit code %d, %v; want %q in it", name, code, err, c.says)
		}
	}
	if err := os.Remove(record); err != nil {
		t.Fatal(err)
	}
	if code, err := runRoot(t, "verify", manifest); code != cli.ExitUnknown || !strings.Contains(err.Error(), "record") {
		t.Errorf("record missing: exit code %d, %v", code, err)
	}
}

func TestVerifyOfATamperedRecordIsExitCodeOne(t *testing.T) {
	manifest, record := bound(t, t.TempDir())
	if err := os.WriteFile(record, []byte("{}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	code, err := runRoot(t, "verify", manifest)
	if code != cli.ExitFailed || !strings.Contains(err.Error(), release.ErrNotBound.Error()) {
		t.Errorf("exit code %d, %v", code, err)
	}
}

func TestVerifyExitCodesFollowTheOutcome(t *testing.T) {
	for want, statuses := range map[int][]publish.Status{
		cli.ExitDone:    {publish.Equal, publish.Equal},
		cli.ExitUnknown: {publish.Equal, publish.NotCompared},
		cli.ExitFailed:  {publish.NotCompared, publish.Different, publish.Equal},
	} {
		v := &publish.Verification{}
		for _, s := range statuses {
			v.Items = append(v.Items, publish.Compared{Status: s})
		}
		if got := cli.ExitCode(verdict(v)); got != want {
			t.Errorf("%v: exit code %d, want %d", statuses, got, want)
		}
	}
}

func TestVerifyWantsOneManifest(t *testing.T) {
	if code, err := runRoot(t, "verify"); code != cli.ExitUsage {
		t.Errorf("exit code %d, %v", code, err)
	}
}
