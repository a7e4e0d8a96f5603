package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/awsapi/model/acmpca"
	"github.com/rolecall/rolecall/internal/awsapi/model/cloudtrail"
	"github.com/rolecall/rolecall/internal/awsapi/model/iam"
	"github.com/rolecall/rolecall/internal/awsapi/model/pcaconnectorad"
	"github.com/rolecall/rolecall/internal/awsapi/model/rolesanywhere"
	"github.com/rolecall/rolecall/internal/awsapi/model/sts"
)

// The checked-in packages hold exactly what the keep-list names. It needs no models.
func TestCheckedInOutputMatchesKeepList(t *testing.T) {
	keep, err := parseKeep(keepList)
	if err != nil {
		t.Fatal(err)
	}
	generated := map[string]struct {
		api *awsapi.API
		ops []*awsapi.Operation
	}{
		"acm-pca":          {acmpca.API, acmpca.Operations()},
		"cloudtrail":       {cloudtrail.API, cloudtrail.Operations()},
		"iam":              {iam.API, iam.Operations()},
		"pca-connector-ad": {pcaconnectorad.API, pcaconnectorad.Operations()},
		"rolesanywhere":    {rolesanywhere.API, rolesanywhere.Operations()},
		"sts":              {sts.API, sts.Operations()},
	}
	if got, want := len(generated), len(keep); got != want {
		t.Errorf("this test knows %d services, the keep-list %d", got, want)
	}
	for service, want := range keep {
		g, ok := generated[service]
		if !ok {
			t.Errorf("%s: no generated package", service)
			continue
		}
		known := map[string]bool{}
		for _, k := range g.api.Known {
			known[k.Name] = true
		}
		var got []string
		for _, op := range g.ops {
			if !known[op.Name] {
				t.Errorf("%s: %s is generated but not known", service, op.Name)
			}
			got = append(got, op.Name)
		}
		if slices.Contains(want, "*") {
			want = nil
			for n := range known {
				want = append(want, n)
			}
		}
		slices.Sort(want)
		if !slices.Equal(got, slices.Compact(want)) {
			t.Errorf("%s: generated %v, the keep-list names %v", service, got, want)
		}
	}
	for service, want := range map[string]int{"acm-pca": 23, "cloudtrail": 60, "iam": 176, "pca-connector-ad": 25, "rolesanywhere": 30, "sts": 11} {
		if got := len(generated[service].api.Known); got != want {
			t.Errorf("%s knows %d operations, want %d", service, got, want)
		}
	}
}

func TestCheckedInFacts(t *testing.T) {
	for _, tc := range []struct {
		op           *awsapi.Operation
		method, path string
		status       int
		readOnly     bool
	}{
		{rolesanywhere.OpCreateTrustAnchor, "POST", "/trustanchors", 201, false},
		{rolesanywhere.OpTagResource, "POST", "/TagResource", 201, false},
		{rolesanywhere.OpDeleteAttributeMapping, "DELETE", "/profiles/{profileId}/mappings", 200, false},
		{rolesanywhere.OpListTagsForResource, "GET", "/ListTagsForResource", 200, true},
		{sts.OpAssumeRole, "POST", "/", 200, true},
		{iam.OpCreateRole, "POST", "/", 200, false},
		{cloudtrail.OpLookupEvents, "POST", "/", 200, true},
	} {
		if tc.op.Method != tc.method || tc.op.Path != tc.path || tc.op.Status != tc.status || tc.op.ReadOnly != tc.readOnly {
			t.Errorf("%s: got %s %s %d read-only %t, want %+v", tc.op.Name, tc.op.Method, tc.op.Path, tc.op.Status, tc.op.ReadOnly, tc)
		}
	}
	if e := iam.NoSuchEntityException("x"); e.Code != "NoSuchEntity" || e.Status != 404 {
		t.Errorf("NoSuchEntityException: got %s %d", e.Code, e.Status)
	}
	if e := rolesanywhere.TooManyTagsException("x"); e.Code != "TooManyTagsException" || e.Status != 400 {
		t.Errorf("TooManyTagsException: got %s %d", e.Code, e.Status)
	}
}

const tinyModel = `{"metadata":{"endpointPrefix":"tiny","protocol":"rest-json","apiVersion":"2000-01-01"},
"operations":{
 "GetThing":{"name":"GetThing","http":{"method":"GET","requestUri":"/thing/{id}"},"input":{"shape":"ThingRef"},"output":{"shape":"Thing"},"errors":[{"shape":"Gone"}],"documentation":"<p>never copied</p>"},
 "PutThing":{"name":"PutThing","http":{"method":"PUT","requestUri":"/thing/{id}","responseCode":201},"input":{"shape":"PutThingRequest"}}},
"shapes":{
 "ThingRef":{"type":"structure","required":["id"],"members":{"id":{"shape":"Id","location":"uri","locationName":"id"}}},
 "PutThingRequest":{"type":"structure","required":["id"],"members":{"id":{"shape":"Id","location":"uri","locationName":"id"},"secretAccessKey":{"shape":"Id"},"z":{"shape":"Mode"},"a":{"shape":"When"}}},
 "Thing":{"type":"structure","members":{"next":{"shape":"Id"}}},
 "Id":{"type":"string","min":1,"max":9,"pattern":"[\\w]+"},
 "Mode":{"type":"string","enum":["ON","half-off"],"sensitive":true},
 "When":{"type":"timestamp","timestampFormat":"iso8601"},
 "Gone":{"type":"structure","members":{},"exception":true,"error":{"code":"GoneAway","httpStatusCode":410}}}}`

func writeModel(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "tiny", "2000-01-01"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "tiny", "2000-01-01", "service-2.json"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestGenerateIsDeterministicAndUndocumented(t *testing.T) {
	dir := writeModel(t, tinyModel)
	var first map[string]string
	for range 5 {
		out := t.TempDir()
		if err := run(dir, out, "tiny *\n"); err != nil {
			t.Fatal(err)
		}
		files := map[string]string{}
		names, err := filepath.Glob(filepath.Join(out, "tiny", "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range names {
			b, err := os.ReadFile(n)
			if err != nil {
				t.Fatal(err)
			}
			files[filepath.Base(n)] = string(b)
		}
		if first == nil {
			first = files
		}
		for n, text := range files {
			if text != first[n] {
				t.Fatalf("%s differs between runs", n)
			}
			if strings.Contains(text, "never copied") {
				t.Errorf("%s copies documentation", n)
			}
		}
	}
	for file, wants := range map[string][]string{
		"types.go":      {"type GetThingInput struct {\n\tId *string // required\n}", "type PutThingOutput struct{}", "SecretAccessKey *string\n\tZ               *Mode\n\tA               *time.Time"},
		"enums.go":      {"ModeOn      Mode = \"ON\"", "ModeHalfOff Mode = \"half-off\""},
		"errors.go":     {`awsapi.Errorf("GoneAway", 410, format, args...)`},
		"shapes.go":     {"Pattern: `[\\w]+`", `{Name: "secretAccessKey", Field: "SecretAccessKey", Shape: shapeId, Sensitive: true}`, `Format: "iso8601"`, `Sensitive: true`},
		"operations.go": {`Path: "/thing/{id}", Status: 201`, `Errors: []string{"GoneAway"}, ReadOnly: true`},
		"plans_test.go": {"{OpGetThing, reflect.TypeFor[GetThingInput](), reflect.TypeFor[GetThingOutput]()}"},
	} {
		for _, want := range wants {
			if !strings.Contains(first[file], want) {
				t.Errorf("%s lacks %q:\n%s", file, want, first[file])
			}
		}
	}
}

func TestGenerateRefuses(t *testing.T) {
	for what, text := range map[string]string{
		"recursion":           strings.Replace(tinyModel, `"next":{"shape":"Id"}`, `"next":{"shape":"Thing"}`, 1),
		"missing shape":       strings.Replace(tinyModel, `"next":{"shape":"Id"}`, `"next":{"shape":"Nope"}`, 1),
		"unknown protocol":    strings.Replace(tinyModel, `rest-json`, `ec2`, 1),
		"unsupported pattern": strings.Replace(tinyModel, `[\\w]+`, `(?=x)y`, 1),
		"unknown location":    strings.Replace(tinyModel, `"location":"uri"`, `"location":"headers"`, 2),
		"unknown type":        strings.Replace(tinyModel, `"type":"timestamp"`, `"type":"document"`, 1),
		"broken":              tinyModel[:100],
	} {
		if err := run(writeModel(t, text), t.TempDir(), "tiny *\n"); err == nil {
			t.Errorf("%s was accepted", what)
		}
	}
	if err := run(writeModel(t, tinyModel), t.TempDir(), "tiny NoSuchOperation\n"); err == nil {
		t.Error("an unknown operation was accepted")
	}
	if err := run(writeModel(t, tinyModel), t.TempDir(), "tiny\n"); err == nil {
		t.Error("a service without operations was accepted")
	}
	if err := run(t.TempDir(), t.TempDir(), "tiny *\n"); err == nil {
		t.Error("a missing model was accepted")
	}
}
