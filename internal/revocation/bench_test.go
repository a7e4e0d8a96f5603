package revocation

import (
	"crypto/sha256"
	"crypto/x509"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/store"
)

// BenchmarkCheck is what a warm CreateSession pays for its certificate's check: sources have answered and nothing is
// fetched. The floor is the hash of the certificate by which the answer is found.
func BenchmarkCheck(b *testing.B) {
	db, err := store.Open(b.Context(), store.Config{Source: "memory"})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	ca := makeCert(b, nil, isCA)
	der, _ := largeCRL(b, ca, 100_000)
	src := newSource(b, sends(der))
	c, _ := newTestChecker(b, src.host())
	c.cfg.DB = db
	cert := ca.issued(b, []string{src.URL + "/ca.crl"}, nil)
	anchor, path := testAnchor("123456789012"), []*x509.Certificate{cert, ca.cert}
	for name, o := range map[string]Options{"list": {Check: []Source{CRL}}, "list-end-sessions": {Check: []Source{CRL}, EndSessions: true}} {
		b.Run(name, func(b *testing.B) {
			now := time.Now()
			if err := c.Check(b.Context(), anchor, &o, path, now); err != nil { // the first one fetches
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := c.Check(b.Context(), anchor, &o, path, now); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("floor-sha256", func(b *testing.B) {
		for b.Loop() {
			sha256.Sum256(cert.Raw)
		}
	})
}
