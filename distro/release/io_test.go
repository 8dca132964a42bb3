package release

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/equality"
)

func TestPublishedReleasesSurviveReadWriteRead(t *testing.T) {
	for _, file := range eksdReleases {
		t.Run(file, func(t *testing.T) {
			first := readEKSD(t, file)
			text := written(t, first)
			second, err := Read(strings.NewReader(text), "written")
			if err != nil {
				t.Fatal(err)
			}
			Sort(first)
			if diff := cmp.Diff(first, second); diff != "" {
				t.Errorf("reading what was written gives another release (-first +second):\n%s", diff)
			}
			if again := written(t, second); again != text {
				t.Errorf("writing a second time gives other bytes:\n%s", cmp.Diff(text, again))
			}
		})
	}
}

// Nothing that a published file says may get lost: every line of it, without
// its indentation and YAML's list marks and quotes, is in what we write.
func TestPublishedReleasesLoseNoLine(t *testing.T) {
	bare := func(line string) string {
		return strings.ReplaceAll(strings.TrimPrefix(strings.TrimSpace(line), "- "), `"`, "")
	}
	for _, file := range eksdReleases {
		out := map[string]int{}
		for _, line := range strings.Split(written(t, readEKSD(t, file)), "\n") {
			out[bare(line)]++
		}
		for n, line := range strings.Split(string(readFile(t, file)), "\n") {
			line, _, _ = strings.Cut(bare(line), " #")
			if line == "" || line == "---" || strings.HasPrefix(line, "#") || line == "creationTimestamp: null" {
				continue
			}
			if out[line]--; out[line] < 0 {
				t.Errorf("%s:%d: %q is lost", file, n+1, line)
			}
		}
	}
}

func TestPublishedReleaseHasTheAssetsItIsKnownFor(t *testing.T) {
	r := readEKSD(t, eksd133)
	assets, images, digests := 0, 0, 0
	for _, c := range r.Status.Components {
		for _, a := range c.Assets {
			assets++
			if a.Image != nil {
				images++
				if a.Image.ImageDigest != "" {
					digests++
				}
			}
		}
	}
	got := []int{len(r.Status.Components), assets, images, digests}
	if want := []int{13, 61, 16, 9}; !cmp.Equal(got, want) {
		t.Errorf("components, assets, images, digests: got %v, want %v", got, want)
	}
	if c, a := r.Asset("kube-proxy-image"); a == nil || c.Name != "kube-proxy" {
		t.Errorf("kube-proxy-image: got component %v, asset %v", c, a)
	}
}

func TestReleaseChannelSurvivesReadWriteRead(t *testing.T) {
	first, err := ReadChannel(bytes.NewReader(readFile(t, "releasechannel-1-36.yaml")), "channel")
	if err != nil {
		t.Fatal(err)
	}
	if first.Name != "1-36" || !first.Status.Active || first.Status.LatestRelease != 1 ||
		first.Spec.SNSTopicARN != "arn:aws:sns:us-east-1:379412251201:eks-distro-updates" {
		t.Errorf("read %+v", first)
	}
	var b bytes.Buffer
	if err := WriteChannel(&b, first); err != nil {
		t.Fatal(err)
	}
	second, err := ReadChannel(bytes.NewReader(b.Bytes()), "written")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, second); diff != "" {
		t.Error(diff)
	}
}

func TestAClosedChannelSaysSo(t *testing.T) {
	c := NewChannel("1-30", 9)
	c.Status.Active = false
	var b bytes.Buffer
	if err := WriteChannel(&b, c); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "active: false") {
		t.Errorf("no \"active: false\" in\n%s", b.String())
	}
}

func TestOrderOfAssemblyDoesNotShowInTheBytes(t *testing.T) {
	r := readEKSD(t, eksd133)
	want := written(t, r)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		cs := r.Status.Components
		rng.Shuffle(len(cs), func(i, j int) { cs[i], cs[j] = cs[j], cs[i] })
		for _, c := range cs {
			rng.Shuffle(len(c.Assets), func(i, j int) { c.Assets[i], c.Assets[j] = c.Assets[j], c.Assets[i] })
			for _, a := range c.Assets {
				rng.Shuffle(len(a.Arch), func(i, j int) { a.Arch[i], a.Arch[j] = a.Arch[j], a.Arch[i] })
			}
		}
		if got := written(t, r); got != want {
			t.Fatalf("another order of assembly gives other bytes:\n%s", cmp.Diff(want, got))
		}
	}
}

func TestWriteLeavesItsArgumentAlone(t *testing.T) {
	r := readEKSD(t, eksd133)
	before := r.DeepCopy()
	written(t, r)
	if diff := cmp.Diff(before, r); diff != "" {
		t.Error(diff)
	}
}

func TestReadKeepsTheOrderOfTheFile(t *testing.T) {
	if got := readEKSD(t, eksd133).Status.Components[0].Name; got != "external-resizer" {
		t.Errorf("first component is %s: lint would count other indices than the file", got)
	}
}

func TestReadRefuses(t *testing.T) {
	head := "apiVersion: " + APIVersion + "\nkind: Release\n"
	for name, c := range map[string]struct{ in, want string }{
		"unknown field":          {head + "status:\n  components:\n  - name: etcd\n    gitTagg: v3\n", `unknown field "status.components[0].gitTagg"`},
		"unknown metadata field": {head + "metadata:\n  nam: x\n", `unknown field "metadata.nam"`},
		"field in another case":  {head + "Spec:\n  channel: 1-36\n", `unknown field "Spec"`},
		"field twice":            {head + "kind: Release\n", `key "kind" already set`},
		"ReleaseChannel":         {"apiVersion: " + APIVersion + "\nkind: ReleaseChannel\n", `kind: found "ReleaseChannel", want "Release"`},
		"no kind":                {"apiVersion: " + APIVersion + "\n", `kind: found "", want "Release"`},
		"another apiVersion":     {"apiVersion: distro.eks.amazonaws.com/v1\nkind: Release\n", `apiVersion: found "distro.eks.amazonaws.com/v1"`},
		"two documents":          {head + "---\n" + head, "more than one YAML document"},
		"empty":                  {"# only a comment\n", "is empty"},
		"a web page":             {"<!DOCTYPE html><html><body>404</body></html>", "is no Kubernetes object"},
		"a list":                 {"- a\n- b\n", "is no Kubernetes object"},
		"bad YAML":               {"a: [", "yaml: line 1"},
		"wrong type":             {head + "spec:\n  number: one\n", "spec.number"},
		"binary":                 {"\x7fELF\x02\x01\x01\x00", "control characters are not allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read(strings.NewReader(c.in), "some/file.yaml")
			if err == nil {
				t.Fatal("read without an error")
			}
			if !strings.HasPrefix(err.Error(), "some/file.yaml: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q, want the file's name and %q", err, c.want)
			}
		})
	}
}

func TestReadChannelRefusesARelease(t *testing.T) {
	_, err := ReadChannel(bytes.NewReader(readFile(t, eksd133)), "f")
	if err == nil || !strings.Contains(err.Error(), `kind: found "Release", want "ReleaseChannel"`) {
		t.Errorf("got %v", err)
	}
}

func TestReadStopsAtTheSizeLimit(t *testing.T) {
	endless := &counter{}
	_, err := Read(endless, "endless")
	if err == nil || !strings.Contains(err.Error(), "larger than 16 MiB") {
		t.Errorf("got %v", err)
	}
	if endless.n > MaxBytes+1<<20 {
		t.Errorf("read %d bytes of an endless file", endless.n)
	}
}

// counter is an endless comment.
type counter struct{ n int }

func (c *counter) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '#'
	}
	c.n += len(p)
	return len(p), nil
}

func TestReadAcceptsJSON(t *testing.T) {
	r, err := Read(strings.NewReader(`{"apiVersion":"`+APIVersion+`","kind":"Release","spec":{"number":3}}`), "f")
	if err != nil || r.Spec.Number != 3 {
		t.Errorf("got %+v, %v", r, err)
	}
}

// With seeds as large as these, fuzz with -fuzzminimizetime 10x: otherwise the
// time goes into making the first finds smaller.
func FuzzRead(f *testing.F) {
	files, err := filepath.Glob("testdata/eksd/*.yaml")
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("apiVersion: " + APIVersion + "\nkind: Release\nmetadata: {name: !!binary aGVsbG8=, labels: {\"0x1\": \"~\"}}\nspec: {channel: \"1-36\", number: 1e2}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		first, err := Read(bytes.NewReader(b), "fuzz")
		if err != nil {
			return
		}
		_ = Validate(first)
		text := written(t, first)
		second, err := Read(strings.NewReader(text), "written")
		if err != nil {
			t.Fatalf("what was written does not read: %v\n%s", err, text)
		}
		Sort(first)
		if !equality.Semantic.DeepEqual(first, second) {
			t.Errorf("read, written and read again differs:\n%s", cmp.Diff(first, second))
		}
		if again := written(t, second); again != text {
			t.Errorf("writing twice differs:\n%s", cmp.Diff(text, again))
		}
	})
}
