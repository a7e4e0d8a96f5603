package acmpca

import (
	"crypto/x509"
	"math/big"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/rolecall/rolecall/internal/store"
)

// BenchmarkOCSP is one answer without HTTP and its rate: remembered, and signed for each request as one with a nonce is.
func BenchmarkOCSP(b *testing.B) {
	s, ca := listService(b, 1)
	err := s.cfg.DB.Update(b.Context(), func(tx *store.Tx) error { return scheduleResponder(tx, ca, true) })
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Work(b.Context()); err != nil {
		b.Fatal(err)
	}
	issuer, err := x509.ParseCertificate(ca.Certificate)
	if err != nil {
		b.Fatal(err)
	}
	serial := new(big.Int).Lsh(big.NewInt(0x5a), 120)
	q, err := ocsp.CreateRequest(&x509.Certificate{SerialNumber: serial}, issuer, nil)
	if err != nil {
		b.Fatal(err)
	}
	for _, kept := range []bool{true, false} {
		name := map[bool]string{true: "cached", false: "signed"}[kept]
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if !kept {
					clear(s.ocsp.answers)
				}
				if a := s.answerOCSP(b.Context(), ca.ID, q, time.Now()); len(a.der) < 100 {
					b.Fatalf("%x", a.der)
				}
			}
		})
	}
}
