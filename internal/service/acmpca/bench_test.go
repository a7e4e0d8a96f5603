package acmpca_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/authority"
)

// BenchmarkIssue is one issuance through the API on a memory store and plain HTTP, against the CA of each kind.
func BenchmarkIssue(b *testing.B) {
	for _, k := range []struct{ key, signing string }{{"EC_prime256v1", "SHA256WITHECDSA"}, {"RSA_2048", "SHA256WITHRSA"}} {
		b.Run(k.key, func(b *testing.B) {
			r := newRig(b)
			name := r.create("ROOT", "bench", object{"CertificateAuthorityConfiguration": caConfig("bench", k.key, k.signing)})
			_, cert, _ := r.issue(name, r.csrOf(name), object{"TemplateArn": template("RootCACertificate"), "SigningAlgorithm": k.signing})
			r.ok("ImportCertificateAuthorityCertificate", object{"CertificateAuthorityArn": name, "Certificate": []byte(cert)})
			_, csr := leaf(b, "leaf")
			in := object{"CertificateAuthorityArn": name, "Csr": csr, "SigningAlgorithm": k.signing, "Validity": object{"Value": 1, "Type": "DAYS"}}
			for b.Loop() {
				r.ok("IssueCertificate", in)
			}
		})
	}
}

// BenchmarkParseCSR is the part of an issuance that needs no CA.
func BenchmarkParseCSR(b *testing.B) {
	_, csr := leaf(b, "leaf")
	for b.Loop() {
		if _, err := authority.ParseCSR(csr); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRevoke is one revocation through the API, of a CA that publishes no list.
func BenchmarkRevoke(b *testing.B) {
	r := newRig(b)
	ca := r.root(fmt.Sprint("revoke", time.Now().UnixNano()), nil)
	_, csr := leaf(b, "leaf")
	for b.Loop() {
		b.StopTimer()
		_, text, _ := r.issue(ca, csr, nil)
		cert := parse(b, text)
		b.StartTimer()
		r.revoke(ca, cert)
	}
}
