package wire

import (
	"encoding/json"
	"errors"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A small model that has every kind of shape.
var (
	testString = &Shape{Name: "Name", Kind: String, Min: At(2), Max: At(5), Pattern: `[\w]*`}
	testSecret = &Shape{Name: "Secret", Kind: String, Min: At(3), Sensitive: true}
	testEnum   = &Shape{Name: "Color", Kind: String, Enum: []string{"red", "blue"}}
	testInt    = &Shape{Name: "Count", Kind: Integer, Min: At(1), Max: At(10)}
	testTag    = &Shape{Name: "Tag", Kind: Structure, Members: []Member{
		{Name: "Key", Field: "Key", Shape: testString, Required: true},
		{Name: "Value", Field: "Value", Shape: testSecret},
	}}
	testChoice = &Shape{Name: "Choice", Kind: Structure, Union: true, Members: []Member{
		{Name: "a", Field: "A", Shape: &Shape{Name: "A", Kind: String}},
		{Name: "b", Field: "B", Shape: &Shape{Name: "B", Kind: String}},
	}}
	testInput = &Shape{Name: "TestRequest", Kind: Structure, Members: []Member{
		{Name: "Name", Field: "Name", Shape: testString, Required: true},
		{Name: "Color", Field: "Color", Shape: testEnum},
		{Name: "Count", Field: "Count", Shape: testInt},
		{Name: "Big", Field: "Big", Shape: &Shape{Name: "Long", Kind: Long}},
		{Name: "On", Field: "On", Shape: &Shape{Name: "Boolean", Kind: Boolean}},
		{Name: "Ratio", Field: "Ratio", Shape: &Shape{Name: "Double", Kind: Double}},
		{Name: "When", Field: "When", Shape: &Shape{Name: "Date", Kind: Timestamp}},
		{Name: "Data", Field: "Data", Shape: &Shape{Name: "Blob", Kind: Blob, Min: At(1), Max: At(8)}},
		{Name: "Tags", Field: "Tags", Shape: &Shape{Name: "Tags", Kind: List, Elem: testTag, Max: At(2)}},
		{Name: "Names", Field: "Names", Shape: &Shape{Name: "Names", Kind: List, Elem: testString}},
		{Name: "Flat", Field: "Flat", Shape: &Shape{Name: "Flat", Kind: List, Elem: testString, Flattened: true}},
		{Name: "Map", Field: "Map", Shape: &Shape{Name: "Map", Kind: Map, Key: testString, Elem: testInt}},
		{Name: "Choice", Field: "Choice", Shape: testChoice},
	}}
)

type testColor string

type testTagType struct {
	Key   *string
	Value *string
}

type testChoiceType struct{ A, B *string }

type testIO struct {
	Name   *string
	Color  *testColor
	Count  *int32
	Big    *int64
	On     *bool
	Ratio  *float64
	When   *time.Time
	Data   []byte
	Tags   []testTagType
	Names  []string
	Flat   []string
	Map    map[string]int32
	Choice *testChoiceType
}

func testPlan(t testing.TB, p Protocol) *Plan {
	t.Helper()
	api := &API{Service: "test", Protocol: p, Version: "2000-01-01", Namespace: "https://test.example/"}
	op := &Operation{API: api, Service: "test", Name: "Do", Protocol: p, Method: "POST", Path: "/", Status: 200, Input: testInput, Output: testInput, ResultWrapper: "DoResult"}
	plan, err := Compile(op, reflect.TypeFor[testIO](), reflect.TypeFor[testIO]())
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func full() *testIO {
	return &testIO{
		Name: new("ab"), Color: new(testColor("red")), Count: new(int32(7)), Big: new(int64(1 << 40)), On: new(true), Ratio: new(0.5),
		When: new(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)), Data: []byte("hi"), Tags: []testTagType{{Key: new("k1"), Value: new("secret")}, {Key: new("k2")}},
		Names: []string{"aa", "bb"}, Flat: []string{"xx"}, Map: map[string]int32{"m1": 1, "m2": 2}, Choice: &testChoiceType{A: new("<&>")},
	}
}

const fullForm = `Action=Do&Version=2000-01-01&Name=ab&Color=red&Count=7&Big=1099511627776&On=true&Ratio=0.5&When=2026-01-02T03%3A04%3A05Z` +
	`&Data=aGk%3D&Tags.member.1.Key=k1&Tags.member.1.Value=secret&Tags.member.2.Key=k2&Names.member.1=aa&Names.member.2=bb&Flat.1=xx` +
	`&Map.entry.1.key=m1&Map.entry.1.value=1&Map.entry.2.key=m2&Map.entry.2.value=2&Choice.a=%3C%26%3E&Unknown.member.1=x`

const fullJSON = `{"Name":"ab","Color":"red","Count":7,"Big":1099511627776,"On":true,"Ratio":0.5,"When":1767323045,"Data":"aGk=",` +
	`"Tags":[{"Key":"k1","Value":"secret"},{"Key":"k2"}],"Names":["aa","bb"],"Flat":["xx"],"Map":{"m1":1,"m2":2},"Choice":{"a":"<&>"}}`

func decode(t testing.TB, p *Plan, body string) (*testIO, error) {
	t.Helper()
	in := new(testIO)
	req := &Request{Body: []byte(body)}
	if p.Op.Protocol == Query {
		form, f := NewForm("", []byte(body))
		if f != nil {
			return nil, f
		}
		defer form.Release()
		req = &Request{Form: form}
	}
	return in, p.Decode(req, in)
}

func TestDecodeEveryKind(t *testing.T) {
	for _, tc := range []struct {
		p    Protocol
		body string
	}{{Query, fullForm}, {AWSJSON11, fullJSON}, {AWSJSON10, fullJSON}, {RESTJSON, fullJSON},
		{RESTJSON, " \n" + strings.Replace(fullJSON, `"Count":7`, `"Count":7.0e0,"Nope":[{"a":[null,1,"\u00e4"]}],"extra":null`, 1) + "\t"}} {
		got, err := decode(t, testPlan(t, tc.p), tc.body)
		if err != nil {
			t.Errorf("%s: %v", tc.p, err)
			continue
		}
		if diff := cmp.Diff(full(), got); diff != "" {
			t.Errorf("%s: -want +got\n%s", tc.p, diff)
		}
	}
}

func TestEncode(t *testing.T) {
	for _, tc := range []struct {
		p    Protocol
		want string
	}{
		{AWSJSON11, fullJSON},
		{RESTJSON, fullJSON},
		{Query, `<DoResponse xmlns="https://test.example/"><DoResult><Name>ab</Name><Color>red</Color><Count>7</Count><Big>1099511627776</Big><On>true</On>` +
			`<Ratio>0.5</Ratio><When>2026-01-02T03:04:05Z</When><Data>aGk=</Data><Tags><member><Key>k1</Key><Value>secret</Value></member><member><Key>k2</Key></member></Tags>` +
			`<Names><member>aa</member><member>bb</member></Names><Flat>xx</Flat><Map><entry><key>m1</key><value>1</value></entry><entry><key>m2</key><value>2</value></entry></Map>` +
			`<Choice><a>&lt;&amp;&gt;</a></Choice></DoResult><ResponseMetadata><RequestId>id-1</RequestId></ResponseMetadata></DoResponse>`},
	} {
		got := string(testPlan(t, tc.p).Encode(nil, full(), "id-1"))
		if got != tc.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tc.p, got, tc.want)
		}
	}
	if got, want := string(testPlan(t, Query).Encode(nil, &testIO{Names: []string{}, Map: map[string]int32{}}, "i")), `<DoResponse xmlns="https://test.example/"><DoResult><Names/><Map/></DoResult><ResponseMetadata><RequestId>i</RequestId></ResponseMetadata></DoResponse>`; got != want {
		t.Errorf("empty lists:\ngot  %s\nwant %s", got, want)
	}
	if got, want := string(testPlan(t, RESTJSON).Encode(nil, &testIO{Names: []string{}}, "i")), `{"Names":[]}`; got != want {
		t.Errorf("empty list: got %s, want %s", got, want)
	}
}

func TestAuditHidesSecrets(t *testing.T) {
	in := full()
	got := string(testPlan(t, Query).AuditInput(nil, in))
	if strings.Contains(got, "secret") || !strings.Contains(got, `"tags":[{"key":"k1","value":"HIDDEN_DUE_TO_SECURITY_REASONS"},{"key":"k2"}]`) {
		t.Errorf("audit form shows too much or too little: %s", got)
	}
	if !strings.Contains(got, `"when":"2026-01-02T03:04:05.000000Z"`) || !json.Valid([]byte(got)) {
		t.Errorf("audit form: %s", got)
	}
}

func TestTimes(t *testing.T) {
	iso := &Shape{Kind: Timestamp, Format: ISO8601}
	at := time.Date(2024, 4, 20, 13, 32, 46, 129722000, time.UTC)
	if got, want := string(appendJSONTime(nil, iso, at)), `"2024-04-20T13:32:46.129722Z"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := string(appendJSONTime(nil, &Shape{Kind: Timestamp}, at)), `1713619966.129`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, s := range []string{"2024-04-20T13:32:46Z", "2024-04-20T15:32:46+02:00", "Sat, 20 Apr 2024 13:32:46 GMT", "1713619966"} {
		got, ok := parseTime(s)
		if want := at.Truncate(time.Second); !ok || !got.Equal(want) {
			t.Errorf("parseTime(%s) = %v, %t, want %v", s, got, ok, want)
		}
	}
	for _, s := range []string{"", "yesterday", "1e300", "NaN", "-1e18", strings.Repeat("9", 100)} {
		if got, ok := parseTime(s); ok {
			t.Errorf("parseTime(%q) = %v, want a refusal", s, got)
		}
	}
}

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

func TestValidateWording(t *testing.T) {
	ok := func() *testIO { return &testIO{Name: new("ab")} }
	for _, tc := range []struct {
		what string
		edit func(*testIO)
		want string
	}{
		{"fine", func(*testIO) {}, ""},
		{"all fine", func(in *testIO) { *in = *full() }, ""},
		{"missing", func(in *testIO) { in.Name = nil }, "1 validation error detected: Value null at 'name' failed to satisfy constraint: Member must not be null"},
		{"short", func(in *testIO) { in.Name = new("a") }, "1 validation error detected: Value 'a' at 'name' failed to satisfy constraint: Member must have length greater than or equal to 2"},
		{"characters, not bytes", func(in *testIO) { in.Name = new("aaaaé") }, `1 validation error detected: Value 'aaaaé' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w]*`},
		{"two constraints", func(in *testIO) { in.Name = new("a b c d") }, `2 validation errors detected: Value 'a b c d' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w]*; Value 'a b c d' at 'name' failed to satisfy constraint: Member must have length less than or equal to 5`},
		{"enum", func(in *testIO) { in.Color = new(testColor("green")) }, "1 validation error detected: Value 'green' at 'color' failed to satisfy constraint: Member must satisfy enum value set: [red, blue]"},
		{"empty enum", func(in *testIO) { in.Color = new(testColor("")) }, "1 validation error detected: Value '' at 'color' failed to satisfy constraint: Member must satisfy enum value set: [red, blue]"},
		{"range", func(in *testIO) { in.Count = new(int32(11)) }, "1 validation error detected: Value '11' at 'count' failed to satisfy constraint: Member must have value less than or equal to 10"},
		{"low", func(in *testIO) { in.Count = new(int32(0)) }, "1 validation error detected: Value '0' at 'count' failed to satisfy constraint: Member must have value greater than or equal to 1"},
		{"blob", func(in *testIO) { in.Data = []byte{} }, "1 validation error detected: Value '0 bytes' at 'data' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"list size", func(in *testIO) {
			in.Tags = []testTagType{{Key: new("k1")}, {Key: new("k2"), Value: new("secret")}, {Key: new("k3")}}
		},
			"1 validation error detected: Value '[Tag(key=k1), Tag(key=k2, value=***), Tag(key=k3)]' at 'tags' failed to satisfy constraint: Member must have length less than or equal to 2"},
		{"nested", func(in *testIO) { in.Tags = []testTagType{{Key: new("k1")}, {}} }, "1 validation error detected: Value null at 'tags.2.member.key' failed to satisfy constraint: Member must not be null"},
		{"sensitive", func(in *testIO) { in.Tags = []testTagType{{Key: new("k1"), Value: new("pw")}} }, "1 validation error detected: Value at 'tags.1.member.value' failed to satisfy constraint: Member must have length greater than or equal to 3"},
		{"scalar list", func(in *testIO) { in.Names = []string{"aa", "b"} }, `1 validation error detected: Value '[aa, b]' at 'names' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to 5, Member must have length greater than or equal to 2, Member must satisfy regular expression pattern: [\w]*, Member must not be null]`},
		{"map", func(in *testIO) { in.Map = map[string]int32{"a": 0} }, `2 validation errors detected: Value '{a=0}' at 'map' failed to satisfy constraint: Map keys must satisfy constraint: [Member must have length less than or equal to 5, Member must have length greater than or equal to 2, Member must satisfy regular expression pattern: [\w]*, Member must not be null]; Value '{a=0}' at 'map' failed to satisfy constraint: Map value must satisfy constraint: [Member must have value less than or equal to 10, Member must have value greater than or equal to 1, Member must not be null]`},
		{"union none", func(in *testIO) { in.Choice = &testChoiceType{} }, "1 validation error detected: Value 'Choice()' at 'choice' failed to satisfy constraint: Member must have exactly one of its members set"},
		{"union both", func(in *testIO) { in.Choice = &testChoiceType{A: new("x"), B: new("y")} }, "1 validation error detected: Value 'Choice(a=x, b=y)' at 'choice' failed to satisfy constraint: Member must have exactly one of its members set"},
	} {
		in := ok()
		tc.edit(in)
		got := ""
		if err := testPlan(t, Query).Validate(in); err != nil {
			f, ok := errors.AsType[*Fault](err)
			if !ok || f.Code != ValidationFailure {
				t.Errorf("%s: got %T, want a validation fault", tc.what, err)
				continue
			}
			got = f.Message
		}
		if got != tc.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tc.what, got, tc.want)
		}
	}
}

func TestValidateBoundsItsMessage(t *testing.T) {
	in := &testIO{Name: new(strings.Repeat("x", 100_000))}
	for range 10_000 {
		in.Tags = append(in.Tags, testTagType{})
	}
	err := testPlan(t, Query).Validate(in)
	if err == nil || !strings.HasPrefix(err.Error(), "ValidationError: 10002 validation errors detected: ") {
		t.Fatalf("got %.80v", err)
	}
	if got, most := len(err.Error()), 64<<10; got > most {
		t.Errorf("the message has %d bytes, want at most %d", got, most)
	}
}

func TestCompileRefusesMismatches(t *testing.T) {
	type tooFew struct{ Name *string }
	type value struct {
		Key   string
		Value *string
	}
	for _, tc := range []struct {
		s *Shape
		t reflect.Type
	}{{testInput, reflect.TypeFor[tooFew]()}, {testTag, reflect.TypeFor[value]()}, {nil, reflect.TypeFor[tooFew]()}, {testString, reflect.TypeFor[string]()}} {
		op := &Operation{API: &API{}, Protocol: Query, Path: "/", Input: tc.s}
		if _, err := Compile(op, tc.t, reflect.TypeFor[struct{}]()); err == nil {
			t.Errorf("shape %v compiled against %s", tc.s, tc.t)
		}
	}
}

func TestPatterns(t *testing.T) {
	for _, tc := range []struct {
		pattern  string
		yes, no  []string
		isTabled bool
	}{
		{`[\w+=,.@-]+`, []string{"a", "A_b+=,.@-9"}, []string{"", "a b", "ä", "a\n"}, true},
		{`[ a-zA-Z0-9-_]*`, []string{"", "a b-c_d"}, []string{"a.b", "a\nb"}, true},
		{`[\p{L}\p{Z}\p{N}_.:/=+\-@]*`, []string{"", "Ünï côde 9/"}, []string{"a(b)", "\x00"}, true},
		{`[\u0009\u000A\u000D\u0020-\u00FF]+`, []string{"a\tb\n", "ÿ"}, []string{"", "Ā", "\x01"}, true},
		{`[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uD7FF\uE000-\uFFFD\u10000-\u10FFFF]+`, []string{"arn:aws:iam::1:role/x", "😀", "Ā"}, []string{"", "\x01"}, true},
		{`(\u002F)|(\u002F[\u0021-\u007E]+\u002F)`, []string{"/", "/a/b/"}, []string{"", "a", "/a", "/a b/"}, false},
		{`.*[a-f0-9]{8}-([a-z0-9]{4}-){3}[a-z0-9]{12}.*`, []string{"01234567-0123-0123-0123-012345678901"}, []string{"x", "01234567-0123-0123-0123-01234567890\n"}, false},
		{`arn:aws(-[^:]+)?:iam(:.*){2}(:role.*)`, []string{"arn:aws:iam::1:role/a", "arn:aws-cn:iam::1:role/a"}, []string{"arn:aws:iam::1:user/a", "x arn:aws:iam::1:role/a", "arn:aws:iam::1:role/a\u2028"}, false},
		{`^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$`, []string{"abc", "a-b-c"}, []string{"a--b", "-ab", "ab-", "Abc"}, false},
		{`v[1-9][0-9]*(\.[A-Za-z0-9-]*)?`, []string{"v1", "v10.x-"}, []string{"v0", "1"}, false},
	} {
		p, err := CompilePattern(tc.pattern)
		if err != nil {
			t.Errorf("%s: %v", tc.pattern, err)
			continue
		}
		if got := p.re == nil; got != tc.isTabled {
			t.Errorf("%s: compiled to a table: %t, want %t", tc.pattern, got, tc.isTabled)
		}
		for _, s := range tc.yes {
			if !p.Match(s) {
				t.Errorf("%s does not match %q", tc.pattern, s)
			}
		}
		for _, s := range tc.no {
			if p.Match(s) {
				t.Errorf("%s matches %q", tc.pattern, s)
			}
		}
	}
	if _, err := CompilePattern(`a(?=b)`); err == nil {
		t.Error("an untranslatable pattern compiled")
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

func TestXMLText(t *testing.T) {
	if got, want := string(AppendXMLText(nil, "a<b>&\r\n\t\x00\xffé\uFFFE")), "a&lt;b&gt;&amp;&#xD;\n\t\uFFFD\uFFFDé\uFFFD"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestErrorForms(t *testing.T) {
	for _, tc := range []struct {
		p      Protocol
		status int
		want   string
	}{
		{Query, 403, `<ErrorResponse xmlns="ns"><Error><Type>Sender</Type><Code>C</Code><Message>a &lt; "b"</Message></Error><RequestId>r</RequestId></ErrorResponse>`},
		{Query, 500, `<ErrorResponse xmlns="ns"><Error><Type>Receiver</Type><Code>C</Code><Message>a &lt; "b"</Message></Error><RequestId>r</RequestId></ErrorResponse>`},
		{AWSJSON11, 400, `{"__type":"C","message":"a < \"b\""}`},
		{RESTJSON, 400, `{"message":"a < \"b\""}`},
	} {
		if got := string(EncodeError(nil, tc.p, "ns", tc.status, "C", `a < "b"`, "r")); got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.p, got, tc.want)
		}
	}
}

func FuzzJSON(f *testing.F) {
	f.Add([]byte(fullJSON))
	f.Add([]byte(`{"Tags":[{"Key":"a","x":[{}]}],"Map":{"ä":1},"When":"2020-01-01T00:00:00Z"}`))
	f.Add([]byte(`{"Name":"\ud83d\ude00"}`))
	f.Add([]byte(`{"Count":1e400}`))
	plan := testPlan(f, RESTJSON)
	f.Fuzz(func(t *testing.T, data []byte) {
		in := new(testIO)
		err := plan.Decode(&Request{Body: data}, in)
		if err != nil {
			return
		}
		if len(strings.TrimSpace(string(data))) > 0 && !json.Valid(data) {
			t.Fatalf("accepted what is not JSON: %q", data)
		}
		_ = plan.Validate(in)
		if out := plan.AuditInput(nil, in); !json.Valid(out) {
			t.Fatalf("audit form is not JSON: %s", out)
		}
		out := plan.Encode(nil, in, "id")
		again := new(testIO)
		if err := plan.Decode(&Request{Body: out}, again); err != nil {
			t.Fatalf("cannot read back %s: %v", out, err)
		}
		if in.When != nil { // written in milliseconds
			in.When, again.When = nil, nil
		}
		if diff := cmp.Diff(in, again); diff != "" {
			t.Fatalf("-want +got\n%s", diff)
		}
	})
}

func FuzzForm(f *testing.F) {
	f.Add("", fullForm)
	f.Add("Action=Do&X-Amz-Date=1", "Names=&Tags.member.3.Key=%C3%A4")
	f.Add("", "Map.entry.1.key=a&Map.entry.1.value=1&Choice.a=x&Flat.1=a&Flat.2=b")
	plan := testPlan(f, Query)
	f.Fuzz(func(t *testing.T, query, body string) {
		form, fault := NewForm(query, []byte(body))
		if fault != nil {
			return
		}
		defer form.Release()
		in := new(testIO)
		if err := plan.Decode(&Request{Form: form}, in); err != nil {
			return
		}
		_ = plan.Validate(in)
		_ = plan.Encode(nil, in, "id")
		if in.Name != nil {
			v := url.Values{}
			all := query + "&" + body
			if v, err := url.ParseQuery(all); err == nil && len(v["Name"]) == 1 && v.Get("Name") != *in.Name {
				t.Fatalf("Name is %q, net/url reads %q", *in.Name, v.Get("Name"))
			}
			_ = v
		}
	})
}

func FuzzPath(f *testing.F) {
	f.Add("/profile/x/enable", "a=b")
	f.Add("/profile/%2F/enable", "a=%zz")
	r, err := NewRoute("/profile/{id}/enable")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path, query string) {
		p, ok := NewPath(path)
		if !ok || !r.Match(p) {
			return
		}
		if v, ok := r.r.value(p, "id"); !ok || v == "" {
			t.Fatalf("%q matched without a label", path)
		}
	})
}

func FuzzXMLText(f *testing.F) {
	f.Add("a<b>\x00\xff")
	f.Fuzz(func(t *testing.T, s string) {
		out := string(AppendXMLText(nil, s))
		if strings.ContainsAny(out, "<>\r\x00") {
			t.Fatalf("%q is not escaped: %q", s, out)
		}
	})
}
