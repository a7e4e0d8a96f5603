package wire

import (
	"errors"
	"strings"
	"testing"
)

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
		{`^(?!^\s+$)((?![\x5c'\x2b,;<=>#\x22])([\x20-\x7E]))+$`, []string{"a", " a ", "User Signature (v2)", "$%&()*-./:?@[]^_`{|}~!"},
			[]string{"", " ", "a\\b", "a'b", "a+b", "a,b", "a;b", "a<b", "a=b", "a>b", "a#b", `a"b`, "a\tb", "ä", "a\n", "\x7f"}, false},
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
