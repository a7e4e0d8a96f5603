package wire

import (
	"encoding/json"
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
