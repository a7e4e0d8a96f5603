package soap

import (
	"encoding/xml"
	"errors"
	"strings"
	"testing"

	"github.com/rolecall/rolecall/internal/enroll/hresult"
)

const wsse = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"

func message(header, body string) string {
	return `<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="` + NSEnvelope + `" xmlns:a="` + NSAddressing + `" xmlns:o="` + wsse + `"><s:Header>` + header + `</s:Header><s:Body>` + body + `</s:Body></s:Envelope>`
}

func TestRead(t *testing.T) {
	m, err := Read([]byte(message(`<a:Action s:mustUnderstand="1"> act </a:Action><a:MessageID>urn:1</a:MessageID><a:To s:mustUnderstand="1">x</a:To><x:Extra xmlns:x="urn:x"/>`+
		`<o:Security s:mustUnderstand="1"><u:Timestamp xmlns:u="urn:u"/><o:UsernameToken><o:Username>CORP\alice</o:Username><o:Password> a&lt;b </o:Password></o:UsernameToken></o:Security>`,
		`<p:Ask xmlns:p="urn:p" xmlns:i="`+NSInstance+`"><p:a>1</p:a><p:b i:nil="true"/></p:Ask>`)))
	if err != nil {
		t.Fatal(err)
	}
	if m.Action != "act" || m.MessageID != "urn:1" || m.User == nil || m.User.Username != `CORP\alice` || m.User.Password != " a<b " || m.Body.Name != (xml.Name{Space: "urn:p", Local: "Ask"}) {
		t.Errorf("got %+v %+v", m, m.User)
	}
	if a, err := m.Body.ChildText("urn:p", "a"); a != "1" || err != nil {
		t.Errorf("a: %q %v", a, err)
	}
	if b, err := m.Body.ChildText("urn:p", "b"); b != "" || err != nil {
		t.Errorf("b: %q %v", b, err)
	}
	if _, err := Read([]byte(`<Envelope xmlns="` + NSEnvelope + `"><Body><a/></Body></Envelope>`)); err != nil {
		t.Errorf("without a header: %v", err)
	}
}

// TestReadRefused: what an attacker writes into XML, and what a strict reader has no use for.
func TestReadRefused(t *testing.T) {
	good := message("", "<a/>")
	for name, text := range map[string]string{
		"empty":                   "",
		"text":                    "hello",
		"cut short":               good[:len(good)-3],
		"text behind":             good + "x",
		"two envelopes":           good[strings.Index(good, "?>")+2:] + good[strings.Index(good, "?>")+2:],
		"document type":           strings.Replace(good, "?>", `?><!DOCTYPE a>`, 1),
		"entity":                  strings.Replace(good, "?>", `?><!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]>`, 1),
		"undefined entity":        message("", "<a>&e;</a>"),
		"comment":                 message("", "<a>x<!-- y -->z</a>"),
		"processing instruction":  message("", "<a><?x y?></a>"),
		"another encoding":        strings.Replace(good, "utf-8", "utf-16", 1),
		"not UTF-8":               message("", "<a>\xff</a>"),
		"SOAP 1.1":                strings.ReplaceAll(good, NSEnvelope, "http://schemas.xmlsoap.org/soap/envelope/"),
		"undeclared prefix":       message("", "<q:a/>"),
		"undeclared attribute":    message("", `<a q:b="c"/>`),
		"attribute twice":         message("", `<a b="1" b="2"/>`),
		"two bodies":              strings.Replace(good, "</s:Envelope>", "<s:Body><b/></s:Body></s:Envelope>", 1),
		"body first":              `<s:Envelope xmlns:s="` + NSEnvelope + `"><s:Body><a/></s:Body><s:Header/></s:Envelope>`,
		"empty body":              message("", ""),
		"two elements":            message("", "<a/><b/>"),
		"too deep":                message("", strings.Repeat("<a>", 30)+strings.Repeat("</a>", 30)),
		"too many":                message("", "<a>"+strings.Repeat("<b/>", 1100)+"</a>"),
		"too many attributes":     message("", `<a `+strings.Repeat("x", 1)+manyAttributes(40)+`/>`),
		"too large":               message("", "<a>"+strings.Repeat("x", MaxBytes)+"</a>"),
		"action twice":            message("<a:Action>a</a:Action><a:Action>b</a:Action>", "<a/>"),
		"two user name tokens":    message("<o:Security><o:UsernameToken/><o:UsernameToken/></o:Security>", "<a/>"),
		"user name alone":         message("<o:Security><o:UsernameToken><o:Username>a</o:Username></o:UsernameToken></o:Security>", "<a/>"),
		"empty password":          message("<o:Security><o:UsernameToken><o:Username>a</o:Username><o:Password/></o:UsernameToken></o:Security>", "<a/>"),
		"digest password":         message(`<o:Security><o:UsernameToken><o:Username>a</o:Username><o:Password Type="x#PasswordDigest">b</o:Password></o:UsernameToken></o:Security>`, "<a/>"),
		"element in the password": message(`<o:Security><o:UsernameToken><o:Username>a</o:Username><o:Password>b<c/></o:Password></o:UsernameToken></o:Security>`, "<a/>"),
	} {
		if m, err := Read([]byte(text)); err == nil {
			t.Errorf("%s: accepted as %+v", name, m.Body)
		} else if strings.Contains(err.Error(), "passwd") {
			t.Errorf("%s: the error repeats the message: %v", name, err)
		}
	}
	if _, err := Read([]byte(message(`<x:Y xmlns:x="urn:x" s:mustUnderstand="true"/>`, "<a/>"))); !errors.Is(err, ErrNotUnderstood) {
		t.Errorf("must understand: %v", err)
	}
}

func manyAttributes(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(` y` + strings.Repeat("z", i) + `="1"`)
	}
	return `="0"` + b.String()
}

// TestFault is what Windows reads of a fault (MS-WSTEP 3.1.4.1.2.7).
func TestFault(t *testing.T) {
	got := string(EnrollmentFault(`a"<b`, hresult.Refuse(hresult.TemplateDenied, "No <entry>"), true, ""))
	for _, want := range []string{
		`<a:Action s:mustUnderstand="1">http://schemas.microsoft.com/windows/pki/2009/01/enrollment/RequestSecurityTokenCertificateEnrollmentWSDetailFault</a:Action><a:RelatesTo>a&#34;&lt;b</a:RelatesTo>`,
		`<s:Fault><s:Code><s:Value>s:Receiver</s:Value></s:Code><s:Reason><s:Text xml:lang="en-US">No &lt;entry&gt;. 0x80094012 (CERTSRV_E_TEMPLATE_DENIED)</s:Text></s:Reason><s:Detail>` +
			`<CertificateEnrollmentWSDetail xmlns="http://schemas.microsoft.com/windows/pki/2009/01/enrollment"><BinaryResponse xsi:nil="true"/><ErrorCode>-2146877422</ErrorCode><InvalidRequest>true</InvalidRequest><RequestID xsi:nil="true"/></CertificateEnrollmentWSDetail></s:Detail></s:Fault>`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s\nlacks\n%s", got, want)
		}
	}
	if err := xml.Unmarshal([]byte(got), new(struct{})); err != nil {
		t.Errorf("not well-formed: %v", err)
	}
	if got := string(EnrollmentFault("", hresult.Refuse(hresult.Failure, "x"), false, "7")); !strings.Contains(got, "<RequestID>7</RequestID>") || strings.Contains(got, "RelatesTo") {
		t.Errorf("%s", got)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(message(`<a:Action>x</a:Action><o:Security><o:UsernameToken><o:Username>a</o:Username><o:Password>b</o:Password></o:UsernameToken></o:Security>`, `<p:Ask xmlns:p="urn:p"><p:a>1</p:a></p:Ask>`)))
	f.Add([]byte(`<!DOCTYPE a>` + message("", "<a/>")))
	f.Add([]byte(`<!DOCTYPE s [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>` + message("<a:Action>&b;</a:Action>", "<a/>")))
	f.Add([]byte(`<Envelope xmlns="` + NSEnvelope + `"><Header><Action xmlns="` + NSAddressing + `">x</Action><x xmlns="urn:x" mustUnderstand="1"/></Header><Body><a><![CDATA[<b>]]></a></Body></Envelope>`))
	f.Add([]byte("\ufeff" + message("", `<p:Ask xmlns:p="urn:p" xmlns:i="`+NSInstance+`"><p:a i:nil="true"/></p:Ask>`)))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Read(data)
		if err != nil {
			return
		}
		if m.Body == nil || len(m.Action) > maxHeader || len(m.MessageID) > maxHeader {
			t.Fatalf("accepted %+v", m)
		}
		// What comes back in an answer must be readable whatever it holds.
		if _, err := Read(Fault(Sender, m.MessageID, m.Action)); err != nil {
			t.Fatalf("the answer cannot be read: %v", err)
		}
	})
}
