package release

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func fullRecord() *Record {
	hex := strings.Repeat("0b", 32)
	platform := func(p string) RecordImagePlatform {
		return RecordImagePlatform{Platform: p, Manifest: "sha256:" + hex, Config: "sha256:" + hex,
			DiffIDs: []string{"sha256:bb", "sha256:aa"}, Layers: []RecordLayer{{Digest: "sha256:dd", Size: 2}, {Digest: "sha256:cc", Size: 1}}}
	}
	return &Record{
		Release: "kubernetes-1-36-slipway-1", Vendor: "slipway",
		Toolchain:  Toolchain{Version: "go1.26.8", Identity: hex},
		Compressor: Compressor{Name: "zstd", Version: "v1.20.3", Level: "3"},
		Platforms:  []string{"linux/arm64", "linux/amd64"},
		Components: []RecordComponent{
			{Name: "etcd", Version: "v3.6.8", Stamp: "v3.6.8+slipway.3f9c2ab",
				Modules:  []RecordModule{{Path: "z", Version: "v1.0.0", Sum: "h1:z="}, {Path: "a", Version: "v1.0.0", Sum: "h1:a="}},
				Binaries: []RecordBinary{{Name: "etcd", Platform: "linux/arm64"}, {Name: "etcd", Package: "etcd <3.6.8>", Platform: "linux/amd64"}},
				Images: []RecordImage{{Name: "etcd-image", Repository: "etcd-io/etcd", Tags: []string{"v3.6.8_x", "v3.6.8-slipway-1-36-1"},
					Index: "sha256:" + hex, Platforms: []RecordImagePlatform{platform("linux/arm64"), platform("linux/amd64")}}},
				Archives: []RecordArchive{{Name: "b"}, {Name: "a"}}},
			{Name: "busybox", Version: "1.37.0", Source: &RecordSource{URL: "https://h/f", SHA256: hex},
				Packages: []RecordPackage{{Name: "busybox-static", Version: "1:1.37.0-6", Architecture: "arm64"}, {Name: "busybox-static", Version: "1:1.37.0-6", Architecture: "amd64"}}},
		},
	}
}

func writtenRecord(t *testing.T, r *Record) string {
	t.Helper()
	var b bytes.Buffer
	if err := WriteRecord(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestRecordIsWrittenInOneOrderAndReadsBackWhole(t *testing.T) {
	record := fullRecord()
	text := writtenRecord(t, record)
	if diff := cmp.Diff(fullRecord(), record); diff != "" {
		t.Errorf("writing changed the record:\n%s", diff)
	}
	read, err := ReadRecord(strings.NewReader(text), "record")
	if err != nil {
		t.Fatal(err)
	}
	want := fullRecord()
	want.SchemaVersion = RecordSchemaVersion
	sortRecord(want)
	if diff := cmp.Diff(want, read); diff != "" {
		t.Errorf("lost on the way:\n%s", diff)
	}
	if again := writtenRecord(t, read); again != text {
		t.Errorf("writing again gives other bytes:\n%s", cmp.Diff(text, again))
	}
	etcd := read.Component("etcd")
	if read.Components[0].Name != "busybox" || etcd.Modules[0].Path != "a" || etcd.Binaries[0].Platform != "linux/amd64" ||
		etcd.Images[0].Tags[0] != "v3.6.8-slipway-1-36-1" || read.Platforms[0] != "linux/amd64" {
		t.Errorf("is not sorted:\n%s", text)
	}
	if got := etcd.Images[0].Platforms[0]; got.DiffIDs[0] != "sha256:bb" || got.Layers[0].Digest != "sha256:dd" {
		t.Errorf("the order of layers, which has a meaning, is lost: %+v", got)
	}
	if !strings.HasSuffix(text, "}\n") || !strings.Contains(text, "<3.6.8>") {
		t.Errorf("want a newline at the end and readable text:\n%s", text)
	}
}

func TestReadRecordRefuses(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"unknown field":  {`{"schemaVersion":1,"release":"r","components":[{"nam":"x"}]}`, `unknown field "components[0].nam"`},
		"field twice":    {`{"schemaVersion":1,"release":"r","release":"s"}`, `duplicate field "release"`},
		"another schema": {`{"schemaVersion":2,"release":"r"}`, "schemaVersion: found 2, want 1"},
		"no schema":      {`{"release":"r"}`, "schemaVersion: is missing"},
		"no release":     {`{"schemaVersion":1}`, "release: is missing"},
		"more behind it": {`{"schemaVersion":1,"release":"r"}{}`, "is no record"},
		"a web page":     {`<html>`, "is no record"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ReadRecord(strings.NewReader(c.in), "x.record.json")
			if err == nil || !strings.HasPrefix(err.Error(), "x.record.json: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestOnlyTheVeryRecordIsBoundToItsRelease(t *testing.T) {
	r, record := sound(), []byte(writtenRecord(t, fullRecord()))
	if err := CheckBinding(r, record); !errors.Is(err, ErrNotBound) || !strings.Contains(err.Error(), "is missing") {
		t.Errorf("a release that names no record: got %v", err)
	}
	Bind(r, record)
	if err := CheckBinding(r, record); err != nil {
		t.Error(err)
	}
	if got := findings(r); len(got) > 0 {
		t.Errorf("a bound release has findings: %q", got)
	}
	changed := bytes.Replace(record, []byte("v3.6.8"), []byte("v3.6.9"), 1)
	if err := CheckBinding(r, changed); !errors.Is(err, ErrNotBound) || !strings.Contains(err.Error(), sum256(changed)) {
		t.Errorf("a changed record: got %v", err)
	}
}
