package template

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/adtemplate"
)

const base = `{"TemplateV4":{"CertificateValidity":{"ValidityPeriod":{"Period":1,"PeriodType":"YEARS"},"RenewalPeriod":{"Period":6,"PeriodType":"WEEKS"}},
	"EnrollmentFlags":{"EnableKeyReuseOnNtTokenKeysetStorageFull":true,"IncludeSymmetricAlgorithms":true,"NoSecurityExtension":true,"RemoveInvalidCertificateFromPersonalStore":true,"UserInteractionRequired":true},
	"Extensions":{"KeyUsage":{"Critical":true,"UsageFlags":{"DataEncipherment":true,"DigitalSignature":true,"KeyAgreement":true,"KeyEncipherment":true,"NonRepudiation":true}},
		"ApplicationPolicies":{"Policies":[{"PolicyType":"SMART_CARD_LOGIN"},{"PolicyObjectIdentifier":"1.2.3.4"}]}},
	"GeneralFlags":{"AutoEnrollment":true,"MachineType":true},"HashAlgorithm":"SHA512",
	"PrivateKeyAttributes":{"Algorithm":"RSA","KeySpec":"KEY_EXCHANGE","MinimalKeyLength":3072,"KeyUsageProperty":{"PropertyType":"ALL"}},
	"PrivateKeyFlags":{"ClientVersion":"WINDOWS_SERVER_2016","ExportableKey":true,"StrongKeyProtectionRequired":true,"RequireAlternateSignatureAlgorithm":true,"RequireSameKeyRenewal":true,"UseLegacyProvider":true},
	"SubjectNameFlags":{"RequireCommonName":true,"RequireDirectoryPath":true,"RequireDnsAsCn":true,"RequireEmail":true,"SanRequireDirectoryGuid":true,"SanRequireDns":true,"SanRequireDomainDns":true,"SanRequireEmail":true,"SanRequireSpn":true,"SanRequireUpn":true},
	"SupersededTemplates":["Old"]}}`

func source(definition string) Source {
	return Source{ID: "t", Name: "Name", ObjectIdentifier: "1.3.6.1.4.1.311.21.8.1", Major: 100, Minor: 0, Definition: definition}
}

// TestFlags: all bits of MS-CRTD 2.4 and 2.26 to 2.28 that the API knows.
func TestFlags(t *testing.T) {
	c, err := Compile(source(base))
	if err != nil {
		t.Fatal(err)
	}
	for name, w := range map[string][2]uint32{
		"subject":    {c.SubjectFlags, 0xFFC00000},
		"enrollment": {c.EnrollmentFlags, 0x1 | 0x20 | 0x100 | 0x400 | 0x2000 | 0x80000},
		"general":    {c.GeneralFlags, 0x20000 | 0x40 | 0x20},
		"key":        {c.KeyFlags, 0x06000000 | 0x10 | 0x20 | 0x40 | 0x80 | 0x100},
		"key usage":  {c.KeyUsage, 0xffffff},
	} {
		if w[0] != w[1] {
			t.Errorf("%s flags %#x, want %#x", name, w[0], w[1])
		}
	}
	if c.Schema != 4 || c.Validity != 365*24*time.Hour || c.Renewal != 42*24*time.Hour || c.KeySpec != 1 || c.Algorithm != RSA || c.Hash != SHA512 || c.ClientVersion() != 6 ||
		!c.Machine() || c.Secured() || !c.SameKey() || len(c.Providers) != 2 || c.Superseded[0] != "Old" {
		t.Errorf("got %+v", c)
	}
	want := map[string]string{
		"1.3.6.1.4.1.311.21.7":  "\x30\x12\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x15\x08\x01\x02\x01\x64\x02\x01\x00",
		"2.5.29.37":             "\x30\x11\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x14\x02\x02\x06\x03\x2a\x03\x04",
		"1.3.6.1.4.1.311.21.10": "\x30\x15\x30\x0c\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x14\x02\x02\x30\x05\x06\x03\x2a\x03\x04",
		"2.5.29.15":             "\x03\x02\x03\xf8",
	}
	if len(c.Extensions) != len(want) {
		t.Errorf("%d extensions", len(c.Extensions))
	}
	for _, e := range c.Extensions {
		if w := want[e.OID]; string(e.Value) != w {
			t.Errorf("%s: %x, want %x", e.OID, e.Value, w)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	if _, err := Compile(source(base)); err != nil {
		t.Fatal(err)
	}
	swap := func(old, with string) Source {
		if !strings.Contains(base, old) {
			t.Fatalf("no %s to replace", old)
		}
		return source(strings.Replace(base, old, with, 1))
	}
	noOID, revision := source(base), source(base)
	noOID.ObjectIdentifier, revision.Major = "1.3.6.1.4.1.311.21.8.4294967296", 0
	for name, s := range map[string]Source{
		"no JSON":            source("x"),
		"no version":         source("{}"),
		"two versions":       source(strings.Replace(base, `{"TemplateV4"`, `{"TemplateV2":{},"TemplateV4"`, 1)),
		"an arc above 2^31":  noOID,
		"revision 0":         revision,
		"period 0":           swap(`"Period":1,`, `"Period":0,`),
		"period of ages":     swap(`"Period":1,`, `"Period":8766000,`),
		"unknown unit":       swap("YEARS", "MOONS"),
		"unknown client":     swap("WINDOWS_SERVER_2016", "OS2"),
		"unknown key spec":   swap("KEY_EXCHANGE", "X"),
		"unknown algorithm":  swap(`"RSA"`, `"DSA"`),
		"unknown hash":       swap("SHA512", "MD5"),
		"key length 0":       swap("3072", "0"),
		"unknown policy":     swap("SMART_CARD_LOGIN", "X"),
		"policy with no OID": swap("1.2.3.4", "1..2"),
	} {
		if c, err := Compile(s); err == nil {
			t.Errorf("%s: accepted as %+v", name, c)
		}
	}
}

func TestAllows(t *testing.T) {
	const mine, other = "S-1-5-21-1", "S-1-5-21-2"
	for name, tc := range map[string]struct {
		access       []Access
		now, stale   []string
		enroll, auto bool
	}{
		"nothing":               {nil, []string{mine}, nil, false, false},
		"enroll":                {[]Access{{mine, allow, ""}}, []string{mine}, nil, true, false},
		"both":                  {[]Access{{mine, allow, allow}}, []string{mine}, nil, true, true},
		"from two entries":      {[]Access{{mine, allow, ""}, {other, "", allow}}, []string{mine, other}, nil, true, true},
		"auto alone":            {[]Access{{mine, "", allow}}, []string{mine}, nil, false, false},
		"auto denied":           {[]Access{{mine, allow, allow}, {other, "", deny}}, []string{mine, other}, nil, true, false},
		"enroll denied":         {[]Access{{other, deny, ""}, {mine, allow, allow}}, []string{mine, other}, nil, false, false},
		"allowed by the ticket": {[]Access{{mine, allow, allow}}, nil, []string{mine}, false, false},
		"denied by the ticket":  {[]Access{{mine, allow, allow}, {other, deny, ""}}, []string{mine}, []string{other}, false, false},
		"another's":             {[]Access{{other, allow, allow}}, []string{mine}, nil, false, false},
	} {
		c := &Template{access: tc.access}
		if enroll, auto := c.Allows(tc.now, tc.stale); enroll != tc.enroll || auto != tc.auto {
			t.Errorf("%s: %v %v", name, enroll, auto)
		}
	}
}

// TestPredefined: what AD CS brings along can be offered.
func TestPredefined(t *testing.T) {
	for _, p := range adtemplate.Predefined {
		d := p.Definition()
		text, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if c, err := Compile(source(string(text))); err != nil || c.Schema != adtemplate.Schema(d) {
			t.Errorf("%s: %v", p.Name, err)
		}
	}
}

// TestEveryPolicyType: the API's types have an object identifier, but for one that no public source gives.
func TestEveryPolicyType(t *testing.T) {
	known := applicationPolicies()
	seen := map[string]string{}
	for kind, oid := range known {
		if _, ok := parseOID(oid); !ok || seen[oid] != "" {
			t.Errorf("%s has %s, as has %q", kind, oid, seen[oid])
		}
		seen[oid] = kind
	}
}

// TestWindowsMachineFlags: without the machine bit Windows says that a template "can be issued only to a user"; computers enroll by
// themselves only for DNS names that the CA supplies, and for nothing that they would have to.
func TestWindowsMachineFlags(t *testing.T) {
	p, ok := adtemplate.FindPredefined("Computer")
	if !ok {
		t.Fatal("no Computer")
	}
	text, err := json.Marshal(p.Definition())
	if err != nil {
		t.Fatal(err)
	}
	c, err := Compile(source(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	const enrolleeSupplies = 0x1 | 0x10000 // MS-CRTD 2.28
	if c.GeneralFlags&0x40 == 0 || c.SubjectFlags != 0x18000000 || c.SubjectFlags&enrolleeSupplies != 0 || c.EnrollmentFlags&0x20 == 0 {
		t.Errorf("general flags %#x, subject flags %#x, enrollment flags %#x", c.GeneralFlags, c.SubjectFlags, c.EnrollmentFlags)
	}
	if len(c.Providers) == 0 {
		t.Error("no providers: Windows would take its oldest one and a key of 1024 bits")
	}
}
