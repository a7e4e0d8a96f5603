package authority

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"
)

func TestRequestsRefused(t *testing.T) {
	root := newRoot(t, P256)
	sub := newSubordinate(t, root, P256, "SubordinateCACertificate_PathLen0")
	short := newSubordinate(t, root, P256, "SubordinateCACertificate_PathLen1")
	short.ShortLived = true
	ee, blank := template(t, DefaultTemplate), template(t, "BlankEndEntityCertificate_APIPassthrough")
	s := func(v string) *string { return &v }
	api := func(e Extensions) *Passthrough { return &Passthrough{Extensions: e} }
	csr := leafCSR(t, "leaf")
	signing, _ := keyUsage(usageCA)
	constraints := pkix.Extension{Id: oidNameConstraints(), Critical: true, Value: []byte{0x30, 0}}
	for _, c := range []struct {
		what   string
		by     *Issuer
		r      Request
		reason Reason
		text   string
	}{
		{"RSA algorithm", root, Request{CSR: csr, Template: ee, Algorithm: "SHA256WITHRSA"}, BadArgument, "does not fit"},
		{"outlives the CA", sub, Request{CSR: csr, Template: ee, Validity: Validity{Years, 6}}, BadValidity, "after that of its certificate authority"},
		{"past end", root, Request{CSR: csr, Template: ee, Validity: Validity{Absolute, now.Add(-time.Minute).Unix()}}, BadValidity, "past"},
		{"end before begin", root, Request{CSR: csr, Template: ee, Validity: Validity{Days, 1}, NotBefore: &Validity{Absolute, now.AddDate(0, 0, 2).Unix()}}, BadValidity, "after its end"},
		{"relative begin", root, Request{CSR: csr, Template: ee, NotBefore: &Validity{Days, 2}}, BadArgument, "ValidityNotBefore"},
		{"eight short days", short, Request{CSR: csr, Template: ee, Validity: Validity{Days, 8}}, BadValidity, "7 days"},
		{"no such date", root, Request{CSR: csr, Template: ee, Validity: Validity{EndDate, 20271332000000}}, BadValidity, "not a date"},
		{"path length 0", sub, Request{CSR: csr, Template: template(t, "SubordinateCACertificate_PathLen0")}, BadArgument, "CA certificates below"},
		{"path length above the CA's", short, Request{CSR: csr, Template: template(t, "SubordinateCACertificate_PathLen1"), Validity: Validity{Days, 1}}, BadArgument, "CA certificates below"},
		{"root template, other key", root, Request{CSR: csr, Template: template(t, "RootCACertificate")}, BadArgument, "own CSR"},
		{"root template, subordinate", sub, Request{CSR: sub.csr(t), Template: template(t, "RootCACertificate")}, BadArgument, "root certificate authorities"},
		{"own key, leaf template", root, Request{CSR: root.csr(t), Template: ee}, BadArgument, "only a root template"},
		{"no name at all", root, Request{CSR: leafCSR(t, ""), Template: ee}, BadArgument, "subject or alternative names"},
		{"signing leaf by CSR", root, Request{CSR: leafCSR(t, "x", signing), Template: template(t, "BlankEndEntityCertificate_CSRPassthrough")}, BadArgument, "keyCertSign"},
		{"signing leaf by API", root, Request{CSR: csr, Template: blank, API: api(Extensions{KeyUsage: usageCA})}, BadArgument, "keyCertSign"},
		{"constraints on a leaf", root, Request{CSR: leafCSR(t, "x", constraints), Template: template(t, "BlankEndEntityCertificate_CSRPassthrough")}, BadArgument, ""},
		{"twice", root, Request{CSR: csr, Template: blank, API: api(Extensions{Custom: []CustomExtension{{"1.2.3", []byte{5, 0}, false}, {"1.2.3", []byte{5, 0}, true}}})}, BadArgument, "twice"},
		{"no DER", root, Request{CSR: csr, Template: blank, API: api(Extensions{Custom: []CustomExtension{{"1.2.3", []byte("x"), false}}})}, BadArgument, "DER"},
		{"bad DNS", root, Request{CSR: csr, Template: blank, API: api(Extensions{AlternativeNames: []GeneralName{{DNS: s("a..b")}}})}, BadArgument, "DNS"},
		{"NUL in DNS", root, Request{CSR: csr, Template: blank, API: api(Extensions{AlternativeNames: []GeneralName{{DNS: s("a\x00.b")}}})}, BadArgument, "DNS"},
		{"bad IP", root, Request{CSR: csr, Template: blank, API: api(Extensions{AlternativeNames: []GeneralName{{IP: s("10.0.0.0/8")}}})}, BadArgument, "IP"},
		{"bad email", root, Request{CSR: csr, Template: blank, API: api(Extensions{AlternativeNames: []GeneralName{{RFC822: s("a@b@c")}}})}, BadArgument, "email"},
		{"two forms", root, Request{CSR: csr, Template: blank, API: api(Extensions{AlternativeNames: []GeneralName{{DNS: s("a"), IP: s("::1")}}})}, BadArgument, "exactly one"},
		{"no form", root, Request{CSR: csr, Template: blank, API: api(Extensions{AlternativeNames: []GeneralName{{}}})}, BadArgument, "exactly one"},
		{"bad OID", root, Request{CSR: csr, Template: blank, API: api(Extensions{ExtendedKeyUsage: []string{"3.1.1"}})}, BadArgument, "object identifier"},
		{"custom beside standard", root, Request{CSR: csr, Template: blank, API: &Passthrough{Subject: &Subject{CommonName: "a", Custom: []Attribute{{"2.5.4.3", "b"}}}}}, BadArgument, "combined"},
		{"long common name", root, Request{CSR: csr, Template: blank, API: &Passthrough{Subject: &Subject{CommonName: strings.Repeat("x", 65)}}}, BadArgument, "64"},
		{"country", root, Request{CSR: csr, Template: blank, API: &Passthrough{Subject: &Subject{Country: "D*"}}}, BadArgument, "PrintableString"},
	} {
		t.Run(c.what, func(t *testing.T) { refused(t, c.by, &c.r, c.reason, c.text) })
	}
	for _, text := range []string{"x", "arn:aws:acm-pca:::template/Nothing/V1", "arn:aws:acm-pca:::template/EndEntityCertificate/V2", "arn:aws:acm-pca:::template/"} {
		if _, err := FindTemplate(text); err == nil {
			t.Errorf("template %q was found", text)
		}
	}
}

// TestNameConstraints: a subordinate may only certify what its own certificate permits.
func TestNameConstraints(t *testing.T) {
	root := newRoot(t, P256)
	sub := newIssuer(t, "constrained", P256)
	// permitted: dNSName "in.example"
	value, err := asn1.Marshal(struct {
		Permitted []struct{ Base asn1.RawValue } `asn1:"tag:0"`
	}{[]struct{ Base asn1.RawValue }{{asn1.RawValue{Class: 2, Tag: 2, Bytes: []byte("in.example")}}}})
	if err != nil {
		t.Fatal(err)
	}
	cert := issue(t, root, &Request{CSR: sub.csr(t), Template: template(t, "SubordinateCACertificate_PathLen0_APIPassthrough"), Validity: Validity{Years, 1},
		API: &Passthrough{Extensions: Extensions{Custom: []CustomExtension{{"2.5.29.30", value, true}}}}})
	if sub.Certificate, sub.Chain, err = sub.CheckImport(certPEM(cert), certPEM(root.Certificate), now); err != nil {
		t.Fatal(err)
	}
	ask := func(name string) *Request {
		return &Request{CSR: leafCSR(t, "x"), Template: template(t, "EndEntityCertificate_APIPassthrough"), API: &Passthrough{Extensions: Extensions{AlternativeNames: []GeneralName{{DNS: &name}}}}}
	}
	strict(t, sub, issue(t, sub, ask("a.in.example")))
	refused(t, sub, ask("a.out.example"), BadArgument, "not among the permitted")
}

func TestCSRsRefused(t *testing.T) {
	good := newIssuer(t, "x", P256)
	der, err := MakeCSR(good.Keys, good.ID, good.KeyRef, good.Subject, "SHA256WITHECDSA", &Extensions{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	broken := append([]byte(nil), der...)
	broken[len(broken)-1] ^= 1
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	small, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "w"}}, weak)
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		in   []byte
		text string
	}{
		"nothing":       {nil, "PEM"},
		"DER":           {der, "PEM"},
		"two":           {append(csrPEM(der), csrPEM(der)...), "one PEM block"},
		"certificate":   {certPEM(newRoot(t, P256).Certificate), "not a CSR"},
		"bad signature": {csrPEM(broken), "signature"},
		"weak key":      {csrPEM(small), "1024 bits"},
		"huge":          {make([]byte, MaxCSRBytes+1), "larger"},
		"trailing":      {csrPEM(append(der[:len(der):len(der)], 0)), "parsed"},
	} {
		_, err := ParseCSR(c.in)
		var e *Error
		if !errors.As(err, &e) || e.Reason != BadCSR || !strings.Contains(e.Text, c.text) {
			t.Errorf("%s: got %v, want %q", what, err, c.text)
		}
	}
}

// TestWeakRSAKeys: keys that look right and can be factored.
func TestWeakRSAKeys(t *testing.T) {
	p, err := rand.Prime(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	q := new(big.Int).Add(p, big.NewInt(2))
	for !q.ProbablyPrime(10) {
		q.Add(q, big.NewInt(2))
	}
	if !closePrimes(new(big.Int).Mul(p, q)) {
		t.Error("neighbouring primes were not seen")
	}
	// 65537^k modulo the product of the small primes has the fingerprint by construction.
	m := big.NewInt(1)
	for _, s := range []int64{3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167} {
		m.Mul(m, big.NewInt(s))
	}
	n := new(big.Int).Exp(big.NewInt(65537), big.NewInt(123456789), m)
	if !roca(n) {
		t.Error("the fingerprint was not seen")
	}
	for range 3 {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		if why := weakKey(&key.PublicKey); why != "" {
			t.Errorf("a sound key: %s", why)
		}
	}
}

func TestValidity(t *testing.T) {
	at := time.Date(2026, 1, 31, 10, 20, 30, 999, time.UTC)
	for _, c := range []struct {
		v    Validity
		want string
	}{
		{Validity{Days, 7}, "2026-02-07T10:20:30Z"},
		{Validity{Months, 2}, "2026-03-31T10:20:30Z"},
		{Validity{Years, 10}, "2036-01-31T10:20:30Z"},
		{Validity{Absolute, 1800000000}, "2027-01-15T08:00:00Z"},
		{Validity{EndDate, 20301231235959}, "2030-12-31T23:59:59Z"},
		{Validity{EndDate, 301231235959}, "2030-12-31T23:59:59Z"},
		{Validity{EndDate, 501231235959}, "1950-12-31T23:59:59Z"},
		{Validity{EndDate, 99990101000000}, "9999-01-01T00:00:00Z"},
	} {
		got, err := c.v.at(at)
		if err != nil || got.Format(time.RFC3339) != c.want {
			t.Errorf("%v: got %v %v, want %s", c.v, got, err, c.want)
		}
	}
	for _, v := range []Validity{{Days, 0}, {Days, -1}, {Days, 1 << 40}, {Years, 9000}, {Absolute, 1 << 50}, {EndDate, 1}, {EndDate, 123456789012345}, {"WEEKS", 1}} {
		if got, err := v.at(at); err == nil {
			t.Errorf("%v: got %v", v, got)
		}
	}
}

func TestImportsRefused(t *testing.T) {
	root, other := newRoot(t, P256), newRoot(t, P384)
	sub := newSubordinate(t, root, P256, "SubordinateCACertificate_PathLen0")
	for i, c := range []struct {
		by          *Issuer
		cert, chain []byte
		reason      Reason
		text        string
	}{
		{root, certPEM(other.Certificate), nil, Mismatch, "public key"},
		{root, certPEM(root.Certificate), certPEM(root.Certificate), BadArgument, "without a chain"},
		{sub, certPEM(sub.Certificate), nil, BadArgument, "with its chain"},
		{sub, certPEM(sub.Certificate), certPEM(other.Certificate), BadCertificate, "not issued by"},
		{sub, certPEM(sub.Certificate, root.Certificate), certPEM(root.Certificate), BadCertificate, "more than 1"},
		{sub, []byte("junk"), certPEM(root.Certificate), BadCertificate, "other than PEM"},
		{sub, nil, nil, BadCertificate, "one PEM block"},
	} {
		_, _, err := c.by.CheckImport(c.cert, c.chain, now)
		var e *Error
		if !errors.As(err, &e) || e.Reason != c.reason || !strings.Contains(e.Text, c.text) {
			t.Errorf("%d: got %v, want %s %q", i, err, c.reason, c.text)
		}
	}
	if _, _, err := sub.CheckImport(certPEM(sub.Certificate), certPEM(root.Certificate), now.AddDate(6, 0, 0)); err == nil {
		t.Error("an expired certificate was imported")
	}
}
