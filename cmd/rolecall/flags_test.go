package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
)

// exclusive lists every pair that the official helper refuses, by command, in the order that its message names them.
func exclusive(command string) [][2]string {
	common := [][2]string{
		{"certificate", "cert-selector"}, {"certificate", "system-store-name"},
		{"private-key", "cert-selector"}, {"private-key", "system-store-name"}, {"private-key", "use-latest-expiring-certificate"},
		{"use-latest-expiring-certificate", "reuse-pin"},
		{"cert-selector", "reuse-pin"}, {"system-store-name", "reuse-pin"},
		{"tpm-key-password", "cert-selector"}, {"tpm-key-password", "reuse-pin"},
		{"no-tpm-key-password", "cert-selector"}, {"no-tpm-key-password", "tpm-key-password"},
		{"pkcs8-password", "tpm-key-password"},
	}
	switch command {
	case "configure": // ours; it takes the flags of credential-process
		return append(exclusive("credential-process"), [2]string{flagRemove, flagForce}, [2]string{flagRemove, flagCheck})
	case "credential-process", "update", "serve", "doctor":
		return append(common, [2]string{"use-latest-expiring-certificate", "intermediates"}, [2]string{"cert-selector", "intermediates"})
	case "sign-string":
		return append(common, [2]string{"no-tpm-key-password", "reuse-pin"})
	case "read-certificate-data":
		return common[:2]
	}
	return nil
}

// runArgs runs a command line in this process.
func runArgs(args ...string) (stdout, stderr string, err error) {
	var out, errs bytes.Buffer
	p := &program{name: ownName, getenv: func(string) string { return "" }, stdin: strings.NewReader(""), stdout: &out, stderr: &errs}
	if err = p.run(context.Background(), args); err != nil {
		p.report(err)
	}
	return out.String(), errs.String(), err
}

// Of all pairs of flags, those that the official helper refuses are refused, in its words, and no others.
func TestExclusionPairs(t *testing.T) {
	for _, cmd := range commands() {
		want := map[[2]string]string{}
		for _, pair := range exclusive(cmd.name) {
			a, b := pair[0], pair[1]
			text := fmt.Sprintf("if any flags in the group [%s %s] are set none of the others can be; [%s %s] were all set",
				a, b, min(a, b), max(a, b))
			want[[2]string{a, b}], want[[2]string{b, a}] = text, text
		}
		if len(cmd.groups)*2 != len(want) {
			t.Errorf("%s has %d groups, the official helper %d", cmd.name, len(cmd.groups), len(want)/2)
		}
		for _, f := range cmd.flags {
			for _, g := range cmd.flags {
				if f.name == g.name {
					continue
				}
				_, stderr, err := runArgs(cmd.name, example(f), example(g))
				text, excluded := want[[2]string{f.name, g.name}]
				if excluded && (err == nil || err.Error() != text) {
					t.Errorf("%s --%s --%s: got %v, want %s", cmd.name, f.name, g.name, err, text)
				}
				if excluded && !strings.HasPrefix(stderr, "rolecall: "+text+"\nhint: ") {
					t.Errorf("%s --%s --%s: stderr %q", cmd.name, f.name, g.name, stderr)
				}
				if !excluded && err != nil && strings.Contains(err.Error(), "if any flags") {
					t.Errorf("%s --%s --%s: %v", cmd.name, f.name, g.name, err)
				}
			}
		}
	}
}

func example(f flag) string {
	switch {
	case f.kind == boolFlag:
		return "--" + f.name
	case f.kind == intFlag:
		return "--" + f.name + "=900"
	case f.allowed != nil:
		return "--" + f.name + "=" + f.allowed[0]
	}
	return "--" + f.name + "=x"
}

// A flag that is given its default counts as given, and one of several violations is always the same.
func TestExclusionOrder(t *testing.T) {
	for range 10 {
		_, _, err := runArgs("credential-process", "--system-store-name", "MY", "--private-key", "k", "--cert-selector", "s", "--certificate", "c")
		want := "if any flags in the group [certificate cert-selector] are set none of the others can be; [cert-selector certificate] were all set"
		if err == nil || err.Error() != want {
			t.Fatalf("got %v, want %s", err, want)
		}
	}
	_, _, err := runArgs("credential-process", "--system-store-name", "MY", "--certificate", "c")
	if err == nil || !strings.Contains(err.Error(), "[certificate system-store-name]") {
		t.Errorf("a default that is given: %v", err)
	}
}

// Every flag of the official helper is there, with its kind and default.
func TestOfficialFlags(t *testing.T) {
	want := map[string]string{
		"role-arn": "", "profile-arn": "", "trust-anchor-arn": "", "session-duration": "3600 int", "region": "", "endpoint": "",
		"no-verify-ssl": "bool", "with-proxy": "bool", "debug": "bool", "certificate": "", "private-key": "", "intermediates": "",
		"cert-selector": "", "system-store-name": "MY", "use-latest-expiring-certificate": "bool", "pkcs11-lib": "",
		"reuse-pin": "bool", "tpm-key-password": "", "no-tpm-key-password": "bool", "role-session-name": "", "pkcs8-password": "",
	}
	for _, f := range credentialProcess().flags {
		kind := strings.TrimSpace(f.value + map[flagKind]string{boolFlag: " bool", intFlag: " int"}[f.kind])
		if w, ok := want[f.name]; ok && w != kind {
			t.Errorf("--%s: %q, want %q", f.name, kind, w)
		}
		if f.help == "" {
			t.Errorf("--%s has no help", f.name)
		}
		delete(want, f.name)
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
}

func TestParseFlags(t *testing.T) {
	flags := []flag{{name: "s", value: "d"}, {name: "b", kind: boolFlag}, {name: "n", kind: intFlag, value: "7"}}
	tests := []struct {
		args []string
		want string // s b n, or the error
	}{
		{nil, "d false 7"},
		{[]string{"--s", "v", "--b", "--n=0x10"}, "v true 16"},
		{[]string{"--s", "--b"}, "--b false 7"}, // as in the official helper, the next argument is the value
		{[]string{"--s="}, " false 7"},
		{[]string{"--s=a=b", "--s", "c"}, "c false 7"},
		{[]string{"x", "--b=false", "-", "--", "--s", "v"}, "d false 7"},
		{[]string{"--s"}, "flag needs an argument: --s"},
		{[]string{"--t"}, "unknown flag: --t"},
		{[]string{"--=v"}, "bad flag syntax: an argument begins with --="},
		{[]string{"-s", "v"}, "unknown shorthand flag: 's' in -s"},
		{[]string{"--n", "1e3"}, `invalid argument "1e3" for "--n" flag: strconv.ParseInt: parsing "1e3": invalid syntax`},
		{[]string{"--help"}, errHelp.Error()},
	}
	for _, tt := range tests {
		in, err := parseFlags(flags, tt.args)
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = fmt.Sprint(in.text("s"), " ", in.truth("b"), " ", in.number("n"))
		}
		if got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.args, got, tt.want)
		}
	}
}
