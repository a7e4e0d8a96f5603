package sessiontoken

import (
	"errors"
	"regexp"
	"testing"

	"pgregory.net/rapid"

	"github.com/rolecall/rolecall/internal/arn"
)

func TestAccountOfVectors(t *testing.T) {
	for id, want := range map[string]arn.AccountID{
		"ASIAQNZGKIQY56JQ7WML": "029608264753", // published with the layout of AWS's keys
		"AKIAQAAAAAAAAAAAAAAA": "000000000000",
		"AKIAQAAAAAB7777777PX": "000000000127",
		"AKIAQAAAAABAAAAAAAAA": "000000000064",
		"ASIA6RVFFB77QUAQEAYE": "999999999999",
	} {
		if got, err := AccountOf(id); err != nil || got != want {
			t.Errorf("AccountOf(%q) = %q, %v; want %q", id, got, err, want)
		}
	}
}

func TestAccountRoundTrip(t *testing.T) {
	form := regexp.MustCompile(`^(AKIA|ASIA)[Q-Z2-7][A-Z2-7]{15}$`)
	rapid.Check(t, func(rt *rapid.T) {
		want := arn.AccountID(rapid.StringMatching(`[0-9]{12}`).Draw(rt, "account"))
		for _, p := range []Prefix{LongTerm, Temporary} {
			id := NewAccessKeyID(p, want)
			if !form.MatchString(id) {
				rt.Fatalf("%q has not the form of an access key id", id)
			}
			if got, err := AccountOf(id); err != nil || got != want {
				rt.Fatalf("AccountOf(%q) = %q, %v; want %q", id, got, err, want)
			}
		}
	})
}

func TestAccountOfRefuses(t *testing.T) {
	for _, id := range []string{
		"", "ASIA", "AKIAIOSFODNN7EXAMPLE", "AROAQNZGKIQY56JQ7WML", "asiaqnzgkiqy56jq7wml", "ASIAQNZGKIQY56JQ7WM1",
		"ASIAQNZGKIQY56JQ7WM=", "ASIAQNZGKIQY56JQ7W\r\n", "ASIAQNZGKIQY56JQ7WMLA", "AKIA77777777777777777"[:20], "AKIAQNZGKIQY56JQ7W\xff\xff",
	} {
		if got, err := AccountOf(id); !errors.Is(err, ErrAccessKeyID) {
			t.Errorf("AccountOf(%q) = %q, %v; want ErrAccessKeyID", id, got, err)
		}
	}
	for _, a := range []arn.AccountID{"", "123", "12345678901x", "-12345678901"} {
		if got := NewAccessKeyID(LongTerm, a); got != "" {
			t.Errorf("NewAccessKeyID(%q) = %q, want none", a, got)
		}
	}
}

func FuzzAccountOf(f *testing.F) {
	f.Add("ASIAQNZGKIQY56JQ7WML")
	f.Add("AKIAIOSFODNN7EXAMPLE")
	f.Add("")
	f.Fuzz(func(t *testing.T, id string) {
		a, err := AccountOf(id)
		if err != nil {
			return
		}
		if _, err := arn.ParseAccountID(string(a)); err != nil {
			t.Fatalf("AccountOf(%q) = %q: %v", id, a, err)
		}
	})
}

func TestNewIDs(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id, secret, key := NewID(RoleIDPrefix), NewSecret(), NewAccessKeyID(LongTerm, "123456789012")
		if !regexp.MustCompile(`^AROA[A-Z2-7]{17}$`).MatchString(id) {
			t.Fatalf("id %q", id)
		}
		if !regexp.MustCompile(`^[A-Za-z0-9+/]{40}$`).MatchString(secret) {
			t.Fatal("the secret is not 40 characters of base64")
		}
		for _, s := range []string{id, secret, key} {
			if seen[s] {
				t.Fatal("drawn twice")
			}
			seen[s] = true
		}
	}
}
