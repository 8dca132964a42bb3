package release

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/json"
	k8syaml "sigs.k8s.io/yaml"
)

// MaxBytes is the size that a manifest or a record may have: 16 MiB. The
// largest of EKS Distro's is 32 KiB.
const MaxBytes = 16 << 20

// Read reads one Release in YAML or JSON; name is what errors call it, such as
// its path. Parsing is strict: an unknown or repeated field, a second document,
// another kind or apiVersion, or more than MaxBytes is an error. Comments
// before the document are fine. Components and assets keep the file's order, so
// that the indices in Validate's paths are those of the file.
//
// The bookkeeping of an API server (metadata.managedFields) is dropped, and
// times in metadata lose their fractions of a second, as when they are written.
//
// Read does not judge what the fields say: see Validate.
func Read(r io.Reader, name string) (*Release, error) {
	out := &Release{}
	if err := readObject(r, name, KindRelease, "a release manifest (kubernetes-1-36-….yaml)", out); err != nil {
		return nil, err
	}
	tidyMeta(&out.ObjectMeta)
	return out, nil
}

// ReadChannel reads one ReleaseChannel as strictly as Read.
func ReadChannel(r io.Reader, name string) (*ReleaseChannel, error) {
	out := &ReleaseChannel{}
	if err := readObject(r, name, KindChannel, "a release channel (releasechannels/1-36.yaml)", out); err != nil {
		return nil, err
	}
	tidyMeta(&out.ObjectMeta)
	return out, nil
}

func readObject(r io.Reader, name, kind, want string, out any) error {
	doc, err := readLimited(r, name)
	if err != nil {
		return err
	}
	if err := oneDocument(doc, name, want); err != nil {
		return err
	}
	asJSON, err := k8syaml.YAMLToJSONStrict(doc)
	if err != nil {
		return fmt.Errorf("%s: %s", name, oneLine(err))
	}
	var head metav1.TypeMeta
	if err := json.UnmarshalCaseSensitivePreserveInts(asJSON, &head); err != nil {
		return fmt.Errorf("%s: is no Kubernetes object (%s): want %s", name, oneLine(err), want)
	}
	if head.Kind != kind {
		return fmt.Errorf("%s: kind: found %q, want %q: pass %s", name, head.Kind, kind, want)
	}
	if head.APIVersion != APIVersion {
		return fmt.Errorf("%s: apiVersion: found %q, want %q", name, head.APIVersion, APIVersion)
	}
	return decodeStrict(asJSON, name, out)
}

// decodeStrict names every unknown field with its path. Unlike encoding/json it
// tells "OS" from "os".
func decodeStrict(asJSON []byte, name string, out any) error {
	strict, err := json.UnmarshalStrict(asJSON, out)
	if err != nil {
		return fmt.Errorf("%s: %s", name, oneLine(err))
	}
	if len(strict) == 0 {
		return nil
	}
	found := make([]string, len(strict))
	for i, e := range strict {
		found[i] = e.Error()
	}
	return fmt.Errorf("%s: %s: remove it, or use the Slipway version that wrote this file", name, strings.Join(found, ", "))
}

func readLimited(r io.Reader, name string) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(b) > MaxBytes {
		return nil, fmt.Errorf("%s: is larger than %d MiB: this is no manifest", name, MaxBytes>>20)
	}
	return b, nil
}

// oneDocument refuses a stream of several documents, of which the YAML to JSON
// conversion would silently take the first.
func oneDocument(doc []byte, name, want string) error {
	d := yaml.NewDecoder(bytes.NewReader(doc))
	for n := 0; ; n++ {
		var any any
		err := d.Decode(&any)
		switch {
		case errors.Is(err, io.EOF) && n == 0:
			return fmt.Errorf("%s: is empty: want %s", name, want)
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("%s: %s", name, oneLine(err))
		case n > 0:
			return fmt.Errorf("%s: holds more than one YAML document: want exactly one, %s; split the file at its \"---\" lines", name, want)
		}
	}
}

func tidyMeta(m *metav1.ObjectMeta) {
	m.ManagedFields = nil
	m.CreationTimestamp = m.CreationTimestamp.Rfc3339Copy()
	if m.DeletionTimestamp != nil {
		t := m.DeletionTimestamp.Rfc3339Copy()
		m.DeletionTimestamp = &t
	}
}

// oneLine flattens the several lines of a YAML error.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
