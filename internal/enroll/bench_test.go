package enroll

import (
	"net/netip"
	"testing"

	"golang.org/x/time/rate"

	"github.com/rolecall/rolecall/internal/authority"
	"github.com/rolecall/rolecall/internal/enroll/cmctest"
	"github.com/rolecall/rolecall/internal/store"
)

// benchWorld has no limit on requests.
func benchWorld(b *testing.B, ca authority.KeyAlgorithm) *world {
	w := newWorld(b)
	w.h.sources, w.h.callers = newLimits[netip.Addr](float64(rate.Inf), 1), newLimits[string](float64(rate.Inf), 1)
	w.addCA("GENERAL_PURPOSE", ca)
	for n := range 10 {
		w.template(n+1, "Template"+string(rune('A'+n)), nil, allowed(usersSID))
	}
	return w
}

// BenchmarkPolicies answers GetPolicies with ten templates, without Kerberos and LDAP.
func BenchmarkPolicies(b *testing.B) {
	w := benchWorld(b, authority.P256)
	message := envelope("x", "", getPolicies("", noFilter))
	b.ReportAllocs()
	for b.Loop() {
		if rec := w.send(aliceSID, cepPath, message); rec.Code != 200 {
			b.Fatal(rec.Body)
		}
	}
}

// BenchmarkEnroll issues a certificate for one CMC request over and over, without Kerberos and LDAP. The two signatures of
// the CA are in BenchmarkCASignatures.
func BenchmarkEnroll(b *testing.B) {
	for _, ca := range []authority.KeyAlgorithm{authority.P256, authority.RSA2048} {
		b.Run(string(ca), func(b *testing.B) {
			w := benchWorld(b, ca)
			message := rst(issueType, w.windows(cmctest.Request{Key: key(b)}, 1), "")
			for b.Loop() {
				if rec := w.send(aliceSID, cesPath, message); rec.Code != 200 {
					b.Fatal(rec.Body)
				}
			}
		})
	}
}

// BenchmarkCASignatures is what no enrollment can do without: the CA's key is opened and signs, for the certificate and for
// the response.
func BenchmarkCASignatures(b *testing.B) {
	for _, algorithm := range []authority.KeyAlgorithm{authority.P256, authority.RSA2048} {
		b.Run(string(algorithm), func(b *testing.B) {
			w := benchWorld(b, algorithm)
			var issuer *authority.Issuer
			if err := w.db.Read(b.Context(), func(tx *store.Tx) error {
				ca, err := tx.GetAuthority(account, region, caID)
				if err != nil {
					return err
				}
				issuer, err = w.h.cfg.Issuer.Load(ca)
				return err
			}); err != nil {
				b.Fatal(err)
			}
			set := []byte{0x31, 2, 5, 0}
			for b.Loop() {
				for range 2 {
					if _, err := issuer.SignAttributes(set); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
