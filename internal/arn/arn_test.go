package arn

import (
	"errors"
	"regexp"
	"testing"
)

func TestParseRoundTrip(t *testing.T) {
	for _, s := range []string{
		"arn:aws:iam::123456789012:role/path/Backup",
		"arn:aws-cn:rolesanywhere:cn-north-1:123456789012:trust-anchor/8f2e0a10-0000-4000-8000-000000000000",
		"arn:aws:s3:::bucket/key:with:colons",
	} {
		a, err := Parse(s)
		if err != nil {
			t.Fatalf("Parse(%q): %v", s, err)
		}
		if got := a.String(); got != s {
			t.Errorf("String() = %q, want %q", got, s)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, s := range []string{"", "arn", "arn:aws:iam::12345:role/x", "arn:aws:iam::12345678901x:role/x", "urn:aws:iam::123456789012:role/x", "arn::iam::123456789012:role/x", "arn:aws:iam::123456789012:"} {
		if _, err := Parse(s); !errors.Is(err, ErrSyntax) {
			t.Errorf("Parse(%q) = %v, want ErrSyntax", s, err)
		}
	}
}

func TestPartition(t *testing.T) {
	for r, want := range map[Region]string{"eu-central-1": "aws", "cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov", "us-iso-east-1": "aws-iso", "us-isob-east-1": "aws-iso-b", "eusc-de-east-1": "aws-eusc", "": "aws"} {
		if got := Partition(r); got != want {
			t.Errorf("Partition(%q) = %q, want %q", r, got, want)
		}
	}
}

func TestRoleName(t *testing.T) {
	a := Role("aws", "123456789012", "/a/b/", "R")
	if got, ok := a.RoleName(); !ok || got != "R" {
		t.Errorf("RoleName() = %q, %v", got, ok)
	}
	if _, ok := User("aws", "123456789012", "/", "R").RoleName(); ok {
		t.Error("a user ARN has a role name")
	}
}

func TestNewUUID(t *testing.T) {
	re := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	if u := NewUUID(); !re.MatchString(u) {
		t.Errorf("NewUUID() = %q", u)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("arn:aws:iam::123456789012:role/path/Backup")
	f.Fuzz(func(t *testing.T, s string) {
		a, err := Parse(s)
		if err == nil && a.String() != s {
			t.Errorf("%q round-trips to %q", s, a.String())
		}
	})
}
