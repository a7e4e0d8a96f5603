package wire

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMalformedJSON(t *testing.T) {
	deep := strings.Repeat(`[`, maxDepth+1) + strings.Repeat(`]`, maxDepth+1)
	for body, want := range map[string]string{
		`{`:                                   "Unexpected end of input",
		`{"Name":"ab",}`:                      "Unexpected character",
		`{"Name":"ab"}x`:                      "Unexpected data after the document",
		`{'Name':"ab"}`:                       "Expected a member name",
		`{"Name" "ab"}`:                       "Expected a colon",
		`{"Name":"ab" "On":true}`:             "Unexpected character",
		`[]`:                                  "Start of list found where not expected",
		`"x"`:                                 "Expected structure or map, or null",
		`{"Name":1}`:                          "NUMBER_VALUE can not be converted to a String",
		`{"Name":true}`:                       "TRUE_VALUE can not be converted to a String",
		`{"Name":{}}`:                         "Start of structure or map found where not expected.",
		`{"Name":[]}`:                         "Start of list found where not expected",
		`{"Count":"7"}`:                       "STRING_VALUE can not be converted to an Integer",
		`{"Count":7.5}`:                       "NUMBER_VALUE can not be converted to an Integer",
		`{"Count":2147483648}`:                "NUMBER_VALUE can not be converted to an Integer",
		`{"Big":1e30}`:                        "NUMBER_VALUE can not be converted to a Long",
		`{"On":"true"}`:                       "STRING_VALUE can not be converted to a Boolean",
		`{"On":tru}`:                          "Unexpected character",
		`{"Tags":"x"}`:                        "Expected list or null",
		`{"Tags":[null]}`:                     "null found where not expected",
		`{"Map":{"a":1,"a":2}}`:               "Duplicate member: a",
		`{"Name":"ab","Name":"ac"}`:           "Duplicate member: Name",
		`{"Data":"***"}`:                      "A blob is not valid base64",
		`{"When":"soon"}`:                     "Unable to parse timestamp",
		`{"Name":"\ud800"}`:                   "Lone surrogate",
		`{"Name":"\x"}`:                       "Unknown escape",
		"{\"Name\":\"a\nb\"}":                 "Control character in a string",
		"{\"Name\":\"\xff\"}":                 "Invalid UTF-8",
		`{"Count":01}`:                        "Unexpected character",
		`{"Count":-}`:                         "Malformed number",
		`{"Unknown":` + deep + `}`:            "The document is nested too deeply",
		`{"Unknown":{"a":1,"b":[1,2,]}}`:      "Unexpected character",
		`{"Unknown":nul}`:                     "Unexpected character",
		`{"Ratio":1e999}`:                     "NUMBER_VALUE can not be converted to a Double",
		`{"Name":"` + strings.Repeat("a", 10): "Unexpected end of input",
	} {
		_, err := decode(t, testPlan(t, RESTJSON), body)
		f, ok := errors.AsType[*Fault](err)
		if !ok || f.Code != SerializationException || !strings.HasPrefix(f.Message, want) {
			t.Errorf("%.60s: got %v, want SerializationException: %s", body, err, want)
		}
	}
	for _, body := range []string{"", " ", "null", "{}"} {
		if got, err := decode(t, testPlan(t, AWSJSON11), body); err != nil || !cmp.Equal(got, new(testIO)) {
			t.Errorf("%q: got %v, %v, want an empty input", body, got, err)
		}
	}
}

func TestMalformedForm(t *testing.T) {
	for body, want := range map[string]FaultCode{
		"Name=%zz":                           MalformedQueryString,
		"Name=%4":                            MalformedQueryString,
		"Name=ab&Name=ac":                    MalformedQueryString,
		strings.Repeat("a=b&", maxPairs+1):   MalformedQueryString,
		strings.Repeat("k", maxKey+1) + "=v": MalformedQueryString,
		"Count=x":                            MalformedInput,
		"Count=":                             MalformedInput,
		"Count=7.5":                          MalformedInput,
		"Count=99999999999":                  MalformedInput,
		"On=yes":                             MalformedInput,
		"When=x":                             MalformedInput,
		"Data=%2A":                           MalformedInput,
		"Ratio=x":                            MalformedInput,
		"Name=%ff":                           MalformedInput,
		"Tags.member.x.Key=a":                MalformedInput,
		"Tags.member.01.Key=a":               MalformedInput,
		"Tags.member.-1.Key=a":               MalformedInput,
		"Tags.member.99999999999.Key=a":      MalformedInput,
		"Names.member.1.Key=a":               MalformedInput,
		"Map.entry.1.key=a":                  MalformedInput,
		"Map.entry.1.value=1":                MalformedInput,
		"Map.entry.1.key=a&Map.entry.1.value=1&Map.entry.2.key=a&Map.entry.2.value=1": MalformedInput,
	} {
		_, err := decode(t, testPlan(t, Query), body)
		if f, ok := errors.AsType[*Fault](err); !ok || f.Code != want {
			t.Errorf("%.60s: got %v, want %s", body, err, want)
		}
	}
}

func TestFormLists(t *testing.T) {
	p := testPlan(t, Query)
	got, err := decode(t, p, "Names=&Tags.member.10.Key=ten&Tags.member.9.Key=nine")
	if err != nil {
		t.Fatal(err)
	}
	want := &testIO{Names: []string{}, Tags: []testTagType{{Key: new("nine")}, {Key: new("ten")}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	// A presigned URL's own parameters are no input, and a body may add to the query string.
	form, f := NewForm("Name=ab&X-Amz-Signature=00", []byte("On=true"))
	if f != nil {
		t.Fatal(f)
	}
	defer form.Release()
	if got, want := len(form.pairs), 2; got != want {
		t.Errorf("got %d parameters, want %d", got, want)
	}
}

func TestRouteLabels(t *testing.T) {
	r, err := NewRoute("/profile/{profileId}/enable")
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{
		"/profile/x/enable": true, "/profile/a%2Fb/enable": true, "/profile//enable": false, "/profile/x": false,
		"/profile/x/enable/": false, "profile/x/enable": false, "/profile/%zz/enable": false, "/Profile/x/enable": false,
		"/" + strings.Repeat("a/", 100): false,
	} {
		p, ok := NewPath(path)
		if got := ok && r.Match(p); got != want {
			t.Errorf("%s: got %t, want %t", path, got, want)
		}
	}
	p, _ := NewPath("/profile/a%2Fb/enable")
	if got, _ := r.r.value(p, "profileId"); got != "a/b" {
		t.Errorf("label: got %q, want a/b", got)
	}
	if _, err := NewRoute("/x/{y+}"); err == nil {
		t.Error("a greedy label compiled")
	}
}

func TestRESTMembers(t *testing.T) {
	str := &Shape{Name: "S", Kind: String}
	in := &Shape{Name: "In", Kind: Structure, Members: []Member{
		{Name: "id", Field: "ID", Shape: str, Required: true, In: InURI},
		{Name: "size", Field: "Size", Shape: testInt, In: InQueryString, WireName: "pageSize"},
		{Name: "many", Field: "Many", Shape: &Shape{Name: "L", Kind: List, Elem: str}, In: InQueryString},
		{Name: "head", Field: "Head", Shape: str, In: InHeader, WireName: "X-Head"},
		{Name: "body", Field: "Body", Shape: str},
	}}
	type input struct {
		ID   *string
		Size *int32
		Many []string
		Head *string
		Body *string
	}
	op := &Operation{API: &API{}, Protocol: RESTJSON, Method: "POST", Path: "/things/{id}", Input: in}
	plan, err := Compile(op, reflect.TypeFor[input](), reflect.TypeFor[struct{}]())
	if err != nil {
		t.Fatal(err)
	}
	run := func(path, query, body string) (*input, error) {
		p, ok := NewPath(path)
		if !ok {
			t.Fatalf("path %s", path)
		}
		got := new(input)
		return got, plan.Decode(&Request{Path: p, RawQuery: query, Header: map[string][]string{"X-Head": {"h"}}, Body: []byte(body)}, got)
	}
	got, err := run("/things/a%20b", "pageSize=3&many=x&many=y%26&x-id=Do", `{"body":"b","id":"evil","head":"evil"}`)
	if err != nil {
		t.Fatal(err)
	}
	want := &input{ID: new("a b"), Size: new(int32(3)), Many: []string{"x", "y&"}, Head: new("h"), Body: new("b")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	for _, query := range []string{"pageSize=x", "pageSize=1&pageSize=2", "pageSize=", "%zz"} {
		if _, err := run("/things/a", query, ""); err == nil {
			t.Errorf("%s was accepted", query)
		}
	}
}
