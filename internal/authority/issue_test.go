package authority

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"strings"
	"testing"
	"time"
)

// extensionOf finds an extension by its dotted id.
func extensionOf(c *x509.Certificate, oid string) *pkix.Extension {
	for i := range c.Extensions {
		if c.Extensions[i].Id.String() == oid {
			return &c.Extensions[i]
		}
	}
	return nil
}

// TestEveryTemplate issues by each of the 56 templates and has OpenSSL check the result.
func TestEveryTemplate(t *testing.T) {
	all := Templates()
	if len(all) != 56 {
		t.Fatalf("%d templates, want 56", len(all))
	}
	issuer := newRoot(t, P256)
	issuer.DistributionPoint = "http://crl.example/crl/x.crl"
	caUsage, err := keyUsage(usageCA)
	if err != nil {
		t.Fatal(err)
	}
	for i := range all {
		tmpl := &all[i]
		t.Run(tmpl.name, func(t *testing.T) {
			r := &Request{Template: tmpl, API: &Passthrough{}}
			if tmpl.Root() {
				r.CSR = issuer.csr(t)
			} else if tmpl.CA() {
				r.CSR, r.API.Extensions.KeyUsage = leafCSR(t, "below", caUsage), usageCA
			} else {
				r.CSR = leafCSR(t, "leaf")
			}
			cert := issue(t, issuer, r)
			verifier := issuer
			if tmpl.Root() {
				verifier = &Issuer{Certificate: cert} // it vouches for itself
			}
			strict(t, verifier, cert)
			if cert.IsCA != tmpl.CA() {
				t.Errorf("CA %v", cert.IsCA)
			}
			wantLen := tmpl.pathLen
			if tmpl.CA() && cert.MaxPathLen != wantLen {
				t.Errorf("path length %d, want %d", cert.MaxPathLen, wantLen)
			}
			if bc := extensionOf(cert, "2.5.29.19"); bc == nil || bc.Critical != tmpl.criticalBC {
				t.Errorf("basic constraints %v", bc)
			}
			if tmpl.usage != 0 && cert.KeyUsage != tmpl.usage {
				t.Errorf("key usage %b, want %b", cert.KeyUsage, tmpl.usage)
			}
			if got := extensionOf(cert, "2.5.29.31") != nil; got != (tmpl.cdp != 0) {
				t.Errorf("distribution point %v", got)
			}
			if got := cert.NotBefore; !got.Equal(now.Add(-time.Hour)) {
				t.Errorf("notBefore %v", got)
			}
		})
	}
}

// TestKeyAlgorithms: a root of every kind, a subordinate and a leaf below it.
func TestKeyAlgorithms(t *testing.T) {
	for _, a := range []KeyAlgorithm{RSA2048, RSA3072, RSA4096, P256, P384, P521} {
		t.Run(string(a), func(t *testing.T) {
			t.Parallel()
			root := newRoot(t, a)
			sub := newSubordinate(t, root, P256, "SubordinateCACertificate_PathLen0")
			leaf := issue(t, sub, &Request{CSR: leafCSR(t, "leaf"), Template: template(t, DefaultTemplate)})
			strict(t, sub, leaf)
			if n := leaf.SerialNumber.BitLen(); n < 96 || n > 128 {
				t.Errorf("serial of %d bits", n)
			}
		})
	}
}

// TestPrecedence: template, then API, then CSR.
func TestPrecedence(t *testing.T) {
	root := newRoot(t, P256)
	csrUsage, _ := keyUsage(x509.KeyUsageKeyAgreement)
	csrEKU, _ := extendedUsage([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 4}}, false)
	marker := pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Value: []byte{4, 1, 'c'}}
	csr := leafCSR(t, "csr", csrUsage, csrEKU, marker)
	dns := "api.example"
	api := func() *Passthrough {
		return &Passthrough{Subject: &Subject{CommonName: "api"}, Extensions: Extensions{
			KeyUsage: x509.KeyUsageDataEncipherment, ExtendedKeyUsage: []string{"1.3.6.1.5.5.7.3.8"},
			AlternativeNames: []GeneralName{{DNS: &dns}}, Custom: []CustomExtension{{OID: "1.2.3.4", Value: []byte{4, 1, 'a'}}},
		}}
	}
	for _, c := range []struct {
		template    string
		cn, dns     string
		usage       x509.KeyUsage
		eku, marker string
	}{
		{"EndEntityCertificate", "csr", "csr.example", usageTLS, "server", ""},
		{"EndEntityCertificate_CSRPassthrough", "csr", "csr.example", usageTLS, "server", "c"},
		{"EndEntityCertificate_APIPassthrough", "api", "api.example", usageTLS, "server", "a"},
		{"EndEntityCertificate_APICSRPassthrough", "api", "api.example", usageTLS, "server", "a"},
		{"BlankEndEntityCertificate_CSRPassthrough", "csr", "csr.example", x509.KeyUsageKeyAgreement, "email", "c"},
		{"BlankEndEntityCertificate_APIPassthrough", "api", "api.example", x509.KeyUsageDataEncipherment, "time", "a"},
		{"BlankEndEntityCertificate_APICSRPassthrough", "api", "api.example", x509.KeyUsageDataEncipherment, "time", "a"},
	} {
		cert := issue(t, root, &Request{CSR: csr, Template: template(t, c.template), API: api()})
		eku := map[x509.ExtKeyUsage]string{x509.ExtKeyUsageServerAuth: "server", x509.ExtKeyUsageEmailProtection: "email", x509.ExtKeyUsageTimeStamping: "time"}[cert.ExtKeyUsage[0]]
		got := ""
		if e := extensionOf(cert, "1.2.3.4"); e != nil {
			got = string(e.Value[2:])
		}
		if cert.Subject.CommonName != c.cn || cert.DNSNames[0] != c.dns || cert.KeyUsage != c.usage || eku != c.eku || got != c.marker {
			t.Errorf("%s: got %s %s %b %s %q, want %+v", c.template, cert.Subject.CommonName, cert.DNSNames[0], cert.KeyUsage, eku, got, c)
		}
	}
	// What the API leaves open comes from the CSR, where the template takes both.
	cert := issue(t, root, &Request{CSR: csr, Template: template(t, "BlankEndEntityCertificate_APICSRPassthrough"), API: &Passthrough{Extensions: Extensions{KeyUsage: usageSign}}})
	if cert.KeyUsage != usageSign || cert.ExtKeyUsage[0] != x509.ExtKeyUsageEmailProtection || cert.Subject.CommonName != "csr" {
		t.Errorf("mixed: %b %v %s", cert.KeyUsage, cert.ExtKeyUsage, cert.Subject.CommonName)
	}
}

// TestNamesAsOpenSSLReadsThem has every kind of name, and every subject field, read by OpenSSL.
func TestNamesAsOpenSSLReadsThem(t *testing.T) {
	root := newRoot(t, P256)
	s := func(v string) *string { return &v }
	cert := issue(t, root, &Request{CSR: leafCSR(t, "csr"), Template: template(t, "BlankEndEntityCertificate_APIPassthrough"), API: &Passthrough{
		Subject: &Subject{Country: "DE", Organization: "O", OrganizationalUnit: "OU", DistinguishedNameQualifier: "Q", State: "ST", CommonName: "Zoë",
			SerialNumber: "7", Locality: "L", Title: "T", Surname: "SN", GivenName: "GN", Initials: "I", Pseudonym: "P", GenerationQualifier: "3"},
		Extensions: Extensions{
			KeyUsage: usageSign | x509.KeyUsageDecipherOnly | x509.KeyUsageKeyAgreement,
			Policies: []Policy{{OID: "2.23.140.1.2.1", CPS: []string{"https://cps.example/"}}},
			AlternativeNames: []GeneralName{
				{OtherName: &OtherName{"1.3.6.1.4.1.311.20.2.3", "user@ad.example"}}, {RFC822: s("a@mail.example")}, {DNS: s("*.dns.example")},
				{Directory: &Subject{CommonName: "dir"}}, {EDIParty: &EDIPartyName{"assigner", "party"}}, {URI: s("spiffe://td/work")},
				{IP: s("192.0.2.7")}, {IP: s("2001:db8::1")}, {RegisteredID: s("1.2.3.4")},
			},
		},
	}})
	strict(t, root, cert)
	text := openssl(t, "x509", "-noout", "-text", "-nameopt", "RFC2253,-esc_msb,utf8", "-in", file(t, "c.pem", certPEM(cert)))
	for _, want := range []string{
		"C=DE", "O=O", "OU=OU", "dnQualifier=Q", "ST=ST", "CN=Zoë", "serialNumber=7", "L=L", "title=T", "SN=SN", "GN=GN", "initials=I", "pseudonym=P", "generationQualifier=3",
		"UPN::user@ad.example", "email:a@mail.example", "DNS:*.dns.example", "DirName:/CN=dir", "EdiPartyName:<unsupported>", "URI:spiffe://td/work",
		"IP Address:192.0.2.7", "IP Address:2001:DB8:0:0:0:0:0:1", "Registered ID:1.2.3.4", "CPS: https://cps.example/",
		"Digital Signature, Key Agreement, Decipher Only",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("openssl does not read %q", want)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

func TestTokenIsUsedOnce(t *testing.T) {
	root, other := newRoot(t, P256), newRoot(t, P384)
	token, err := Prepare(root, &Request{CSR: leafCSR(t, "a"), Template: template(t, DefaultTemplate), Algorithm: "SHA256WITHECDSA", Validity: Validity{Days, 1}, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Issue(token); err == nil {
		t.Error("another issuer took the token")
	}
	if _, err := root.Issue(token); err != nil {
		t.Fatal(err)
	}
	if _, err := root.Issue(token); !errors.Is(err, ErrConsumed) {
		t.Errorf("second use: %v", err)
	}
	if _, err := root.Issue(&Token{}); err == nil {
		t.Error("a made-up token was taken")
	}
}

// TestKeyIsBoundToItsCA: a sealed key opens for one CA only, and not under another ring.
func TestKeyIsBoundToItsCA(t *testing.T) {
	a, b := newIssuer(t, "a", P256), newIssuer(t, "b", P256)
	if err := a.Keys.Use("other", a.KeyRef, nil); err == nil {
		t.Error("the key opened for another CA")
	}
	if err := b.Keys.Use("a", a.KeyRef, nil); err == nil {
		t.Error("the key opened under another ring")
	}
	if bytes.Contains(a.KeyRef, []byte("PRIVATE")) {
		t.Error("the key is not sealed")
	}
}
