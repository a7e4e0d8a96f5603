package xcep

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/enroll/soap"
	"github.com/rolecall/rolecall/internal/enroll/template"
)

func compile(t testing.TB, name, oid, definition string) *template.Template {
	t.Helper()
	c, err := template.Compile(template.Source{ID: name, Name: name, ObjectIdentifier: oid, Major: 100, Minor: 3, Definition: definition})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const (
	v2 = `{"TemplateV2":{"CertificateValidity":{"ValidityPeriod":{"Period":1,"PeriodType":"YEARS"},"RenewalPeriod":{"Period":6,"PeriodType":"WEEKS"}},
		"EnrollmentFlags":{},"Extensions":{"KeyUsage":{"UsageFlags":{"DigitalSignature":true,"KeyEncipherment":true}}},"GeneralFlags":{"MachineType":true},
		"PrivateKeyAttributes":{"KeySpec":"KEY_EXCHANGE","MinimalKeyLength":2048},"PrivateKeyFlags":{"ClientVersion":"WINDOWS_SERVER_2003"},"SubjectNameFlags":{"SanRequireDns":true},"SupersededTemplates":["Old & Rusty"]}}`
	v3 = `{"TemplateV3":{"CertificateValidity":{"ValidityPeriod":{"Period":48,"PeriodType":"HOURS"},"RenewalPeriod":{"Period":1,"PeriodType":"DAYS"}},
		"EnrollmentFlags":{},"Extensions":{"KeyUsage":{"Critical":true,"UsageFlags":{"DigitalSignature":true}},"ApplicationPolicies":{"Policies":[{"PolicyType":"CLIENT_AUTHENTICATION"}]}},"GeneralFlags":{"AutoEnrollment":true},
		"HashAlgorithm":"SHA384","PrivateKeyAttributes":{"Algorithm":"ECDH_P384","KeySpec":"SIGNATURE","MinimalKeyLength":384,"KeyUsageProperty":{"PropertyFlags":{"Sign":true}},"CryptoProviders":["Microsoft Platform Crypto Provider"]},
		"PrivateKeyFlags":{"ClientVersion":"WINDOWS_SERVER_2008"},"SubjectNameFlags":{"RequireDirectoryPath":true,"SanRequireUpn":true}}}`
)

// outline writes a message as names, one per line, with text and nil.
func outline(t *testing.T, message []byte) string {
	t.Helper()
	dec := xml.NewDecoder(strings.NewReader(string(message)))
	var out strings.Builder
	depth, text := 0, ""
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return out.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		switch e := tok.(type) {
		case xml.StartElement:
			out.WriteString("\n" + strings.Repeat(" ", depth) + e.Name.Local)
			for _, a := range e.Attr {
				if a.Name.Local == "nil" {
					out.WriteString(" nil")
				}
			}
			depth, text = depth+1, ""
		case xml.CharData:
			text = string(e)
		case xml.EndElement:
			if depth--; text != "" {
				out.WriteString(" = " + text)
				text = ""
			}
		}
	}
}

// TestGolden holds an answer against testdata/policies.txt, which was read beside the schema of MS-XCEP 3.1.4.1.3: every
// element in its place, those without a value nil.
func TestGolden(t *testing.T) {
	got := outline(t, Write(&Response{
		PolicyID: "{00000000-0000-0000-0000-000000000001}", Name: "CORP",
		CAs: []CA{{Certificate: []byte{1, 2, 3}, URIs: []URI{{Kerberos, "https://h/ca_CES_Kerberos/service.svc/CES"}, {UsernamePassword, "https://h/ca_CES_UsernamePassword/service.svc/CES"}}}},
		Policies: []Policy{
			{Template: compile(t, "Machine", "1.3.6.1.4.1.311.21.8.1.2", v2), Enroll: true},
			{Template: compile(t, "User", "1.3.6.1.4.1.311.21.8.1.3", v3), Enroll: true, AutoEnroll: true},
		},
	}, "urn:1"))
	want, err := os.ReadFile("testdata/policies.txt")
	if err != nil {
		t.Fatal(err)
	}
	if strings.TrimSpace(got) != strings.TrimSpace(string(want)) {
		t.Errorf("got\n%s", got)
	}
}

func TestReadRequest(t *testing.T) {
	read := func(inside string) (*Request, error) {
		m, err := soap.Read([]byte(`<s:Envelope xmlns:s="` + soap.NSEnvelope + `"><s:Body>` + inside + `</s:Body></s:Envelope>`))
		if err != nil {
			t.Fatal(err)
		}
		return ReadRequest(m.Body)
	}
	ask := func(client, filter string) string {
		return `<GetPolicies xmlns="` + Namespace + `" xmlns:xsi="` + soap.NSInstance + `"><client>` + client + `</client>` + filter + `</GetPolicies>`
	}
	r, err := read(ask("<lastUpdate>2026-01-02T03:04:05+01:00</lastUpdate>", "<requestFilter><policyOIDs><oid>1.2.3</oid></policyOIDs><clientVersion>6</clientVersion></requestFilter>"))
	if err != nil || !r.LastUpdate.Equal(time.Date(2026, 1, 2, 2, 4, 5, 0, time.UTC)) || len(r.PolicyOIDs) != 1 || r.ClientVersion != 6 {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err = read(ask(`<lastUpdate xsi:nil="true"/>`, `<requestFilter xsi:nil="true"/>`)); err != nil || !r.LastUpdate.IsZero() || r.ClientVersion != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	for name, text := range map[string]string{
		"other element":  `<Other xmlns="` + Namespace + `"/>`,
		"other space":    `<GetPolicies xmlns="urn:x"/>`,
		"no client":      `<GetPolicies xmlns="` + Namespace + `"/>`,
		"bad date":       ask("<lastUpdate>soon</lastUpdate>", ""),
		"two dates":      ask("<lastUpdate/><lastUpdate/>", ""),
		"bad version":    ask("", "<requestFilter><clientVersion>x</clientVersion></requestFilter>"),
		"negative":       ask("", "<requestFilter><clientVersion>-1</clientVersion></requestFilter>"),
		"too many OIDs":  ask("", "<requestFilter><policyOIDs>"+strings.Repeat("<oid>1</oid>", 201)+"</policyOIDs></requestFilter>"),
		"no list of OID": ask("", "<requestFilter><policyOIDs><x/></policyOIDs></requestFilter>"),
	} {
		if r, err := read(text); err == nil {
			t.Errorf("%s: accepted as %+v", name, r)
		}
	}
}

func FuzzReadRequest(f *testing.F) {
	f.Add([]byte(`<s:Envelope xmlns:s="` + soap.NSEnvelope + `"><s:Body><GetPolicies xmlns="` + Namespace + `"><client><lastUpdate>2026-01-02T03:04:05Z</lastUpdate></client><requestFilter><policyOIDs><oid>1.2</oid></policyOIDs><clientVersion>6</clientVersion></requestFilter></GetPolicies></s:Body></s:Envelope>`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := soap.Read(data)
		if err != nil {
			return
		}
		if r, err := ReadRequest(m.Body); err == nil && (r.ClientVersion < 0 || len(r.PolicyOIDs) > maxPolicyOIDs) {
			t.Fatalf("accepted %+v", r)
		}
	})
}
