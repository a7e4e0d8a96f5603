package authority

import (
	"crypto"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
)

// FuzzCSR: whatever is sent is refused, or certified into something that parses and is no CA.
func FuzzCSR(f *testing.F) {
	root := newRoot(f, P256)
	good := root.csr(f)
	f.Add(good.req.Raw)
	f.Add(leafCSR(f, "seed").req.Raw)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, der []byte) {
		csr, err := ParseCSR(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
		if err != nil {
			return
		}
		cert, err := try(root, &Request{CSR: csr, Template: template(t, "BlankEndEntityCertificate_CSRPassthrough")})
		if err == nil && cert.IsCA {
			t.Error("a CA certificate came of an end-entity template")
		}
	})
}

// FuzzPassthrough: names and extensions from the API never make a CA, whatever they hold.
func FuzzPassthrough(f *testing.F) {
	root := newRoot(f, P256)
	csr := leafCSR(f, "seed")
	f.Add("a.example", "1.2.3", "2.5.29.19", []byte{0x30, 3, 1, 1, 0xff}, "text")
	f.Add("spiffe://x/y", "2.5.4.3", "2.5.29.17", []byte{0x30, 0}, "a@b")
	f.Add("::1", "1.3.6.1.5.5.7.3.1", "2.5.29.31", []byte{5, 0}, "")
	f.Fuzz(func(t *testing.T, name, oid, extension string, value []byte, text string) {
		for _, n := range []GeneralName{{DNS: &name}, {URI: &name}, {IP: &name}, {RFC822: &name}, {RegisteredID: &oid}, {OtherName: &OtherName{oid, text}}, {EDIParty: &EDIPartyName{text, name}},
			{Directory: &Subject{CommonName: text, Custom: []Attribute{{oid, name}}}}} {
			cert, err := try(root, &Request{CSR: csr, Template: template(t, "BlankEndEntityCertificate_APICSRPassthrough"), API: &Passthrough{
				Subject:    &Subject{Custom: []Attribute{{oid, text}}},
				Extensions: Extensions{AlternativeNames: []GeneralName{n}, Custom: []CustomExtension{{extension, value, true}}, Policies: []Policy{{OID: oid}}},
			}})
			if err == nil && cert.IsCA {
				t.Error("a CA certificate came of an end-entity template")
			}
		}
	})
}

// FuzzOCSPRequest: what is read has names within the limits, and what is answered reads back elsewhere.
func FuzzOCSPRequest(f *testing.F) {
	root := newRoot(f, P256)
	responder := newTestResponder(f, root)
	leaf := issue(f, root, &Request{CSR: leafCSR(f, "seed"), Template: template(f, DefaultTemplate)})
	seed, err := ocsp.CreateRequest(leaf, root.Certificate, &ocsp.RequestOptions{Hash: crypto.SHA256})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte{0x30, 0})
	f.Add(ocspRequest(f, root.Certificate, make([]byte, 16), leaf.SerialNumber, big.NewInt(7)))
	f.Fuzz(func(t *testing.T, der []byte) {
		req, err := ParseOCSPRequest(der)
		if err != nil {
			return
		}
		if len(req.IDs) == 0 || len(req.IDs) > maxOCSPIDs || len(req.Nonce) > maxNonce {
			t.Fatalf("%d names, nonce of %d bytes", len(req.IDs), len(req.Nonce))
		}
		var answers []OCSPAnswer
		for _, id := range req.IDs {
			answers = append(answers, OCSPAnswer{ID: id.Raw, Status: CertUnknown})
		}
		out, err := responder.Sign(answers, req.Nonce, now, now.Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		if len(out) == 0 {
			t.Error("no answer")
		}
	})
}

// FuzzImport: no bytes but the CA's own certificate pass.
func FuzzImport(f *testing.F) {
	root := newRoot(f, P256)
	f.Add(certPEM(root.Certificate), []byte{})
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), []byte("x"))
	f.Fuzz(func(t *testing.T, cert, chain []byte) {
		got, _, err := root.CheckImport(cert, chain, now)
		if err == nil && !got.Equal(root.Certificate) {
			t.Error("another certificate was imported")
		}
	})
}
