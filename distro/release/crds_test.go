package release

import (
	"encoding/json"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"k8s.io/kube-openapi/pkg/validation/strfmt"
	"k8s.io/kube-openapi/pkg/validation/validate"
	"sigs.k8s.io/yaml"
)

var crdTypes = map[string]struct {
	published string
	goType    reflect.Type
}{
	"releases.distro.eks.amazonaws.com-v1alpha1.yaml":        {"crd-releases.yaml", reflect.TypeFor[Release]()},
	"releasechannels.distro.eks.amazonaws.com-v1alpha1.yaml": {"crd-releasechannels.yaml", reflect.TypeFor[ReleaseChannel]()},
}

func parseCRD(t *testing.T, b []byte) *apiextensions.CustomResourceDefinition {
	t.Helper()
	out := &apiextensions.CustomResourceDefinition{}
	if err := yaml.UnmarshalStrict(b, out); err != nil {
		t.Fatal(err)
	}
	return out
}

func embeddedCRD(t *testing.T, file string) *apiextensions.CustomResourceDefinition {
	t.Helper()
	b, err := fs.ReadFile(CRDs(), file)
	if err != nil {
		t.Fatal(err)
	}
	return parseCRD(t, b)
}

func TestOurCRDsAreTheOnesThatClustersWithEKSDistroHave(t *testing.T) {
	files, err := fs.Glob(CRDs(), "*")
	if err != nil || len(files) != len(crdTypes) {
		t.Fatalf("embedded: %q, %v", files, err)
	}
	for file, c := range crdTypes {
		ours, theirs := embeddedCRD(t, file), parseCRD(t, readFile(t, c.published))
		if diff := cmp.Diff(theirs.Spec, ours.Spec); diff != "" {
			t.Errorf("%s (-published +ours):\n%s", file, diff)
		}
		if ours.Name+"-v1alpha1.yaml" != file || ours.Name != theirs.Name {
			t.Errorf("%s: is named %s, published as %s", file, ours.Name, theirs.Name)
		}
	}
}

func TestTypesAndSchemaHaveTheSameFields(t *testing.T) {
	for file, c := range crdTypes {
		schema := *embeddedCRD(t, file).Spec.Versions[0].Schema.OpenAPIV3Schema
		for _, top := range []string{"spec", "status"} {
			fields, ok := reflect.TypeFor[struct{}](), false
			for i := range c.goType.NumField() {
				if f := c.goType.Field(i); jsonName(f) == top {
					fields, ok = f.Type, true
				}
			}
			if !ok {
				t.Fatalf("%s: type %s has no %s", file, c.goType, top)
			}
			compareFields(t, file+": "+top, fields, schema.Properties[top])
		}
	}
}

func compareFields(t *testing.T, path string, goType reflect.Type, schema apiextensions.JSONSchemaProps) {
	t.Helper()
	if goType.Kind() == reflect.Pointer {
		goType = goType.Elem()
	}
	kinds := map[reflect.Kind]string{reflect.Struct: "object", reflect.Slice: "array", reflect.String: "string", reflect.Int: "integer", reflect.Bool: "boolean"}
	if want := kinds[goType.Kind()]; schema.Type != want {
		t.Errorf("%s: type %s is %q in JSON, the schema says %q", path, goType, want, schema.Type)
		return
	}
	switch goType.Kind() {
	case reflect.Slice:
		compareFields(t, path+"[]", goType.Elem(), *schema.Items.Schema)
	case reflect.Struct:
		var have, want []string
		for i := range goType.NumField() {
			f := goType.Field(i)
			have = append(have, jsonName(f))
			if p, ok := schema.Properties[jsonName(f)]; ok {
				compareFields(t, path+"."+jsonName(f), f.Type, p)
			}
		}
		for name := range schema.Properties {
			want = append(want, name)
		}
		slices.Sort(have)
		slices.Sort(want)
		if diff := cmp.Diff(want, have); diff != "" {
			t.Errorf("%s (-schema +type):\n%s", path, diff)
		}
	}
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

func TestManifestsFitTheSchema(t *testing.T) {
	check := func(crd string, manifest []byte) []error {
		t.Helper()
		b, err := json.Marshal(embeddedCRD(t, crd).Spec.Versions[0].Schema.OpenAPIV3Schema)
		if err != nil {
			t.Fatal(err)
		}
		schema := &spec.Schema{}
		if err := json.Unmarshal(b, schema); err != nil {
			t.Fatal(err)
		}
		var object map[string]any
		if err := yaml.Unmarshal(manifest, &object); err != nil {
			t.Fatal(err)
		}
		return validate.NewSchemaValidator(schema, nil, "", strfmt.Default).Validate(object).Errors
	}
	const releases, channels = "releases.distro.eks.amazonaws.com-v1alpha1.yaml", "releasechannels.distro.eks.amazonaws.com-v1alpha1.yaml"
	for _, file := range eksdReleases {
		if errs := check(releases, readFile(t, file)); len(errs) > 0 {
			t.Errorf("%s: %v", file, errs)
		}
		if errs := check(releases, []byte(written(t, readEKSD(t, file)))); len(errs) > 0 {
			t.Errorf("%s as we write it: %v", file, errs)
		}
	}
	if errs := check(releases, []byte(written(t, sound()))); len(errs) > 0 {
		t.Errorf("a release of ours: %v", errs)
	}
	if errs := check(channels, readFile(t, "releasechannel-1-36.yaml")); len(errs) > 0 {
		t.Errorf("release channel: %v", errs)
	}
	bad := sound()
	bad.Status.Components[0].Assets[0].Type = "Chart"
	if errs := check(releases, []byte(written(t, bad))); len(errs) != 1 {
		t.Errorf("the validator finds %v in a release with an unknown type: does it check at all?", errs)
	}
}
