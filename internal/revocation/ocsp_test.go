package revocation

import (
	"crypto/x509"
	"net/http"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
)

// A responder's older answer, sent again by whoever stands in between, takes no revocation back; a newer one does. The list
// that is asked after it does not either, as long as it is older.
func TestReplayedAnswer(t *testing.T) {
	ca := makeCert(t, nil, isCA)
	src := newSource(t, nil)
	c, now := newTestChecker(t, src.host())
	cert := ca.issued(t, []string{src.URL + "/ca.crl"}, []string{src.URL + "/ocsp"})
	answer := func(status int, this time.Duration) []byte {
		at := now.now()
		der, err := ocsp.CreateResponse(ca.cert, ca.cert, ocsp.Response{
			Status: status, SerialNumber: cert.SerialNumber, ThisUpdate: at.Add(this), NextUpdate: at.Add(6 * time.Hour), RevokedAt: at.Add(-time.Hour),
		}, ca.key)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	o := Options{Check: []Source{OCSP, CRL}}
	again := func() {
		now.advance(DefaultRefresh)
		c.refresh()
		c.work.Wait()
	}
	before := answer(ocsp.Good, -3*time.Minute)
	src.set(sends(before))
	wantFinding(t, "good", check(t, c, o, ca, cert), "")
	src.set(sends(answer(ocsp.Revoked, -2*time.Minute)))
	again()
	wantFinding(t, "revoked", check(t, c, o, ca, cert), "revoked")
	src.set(sends(before))
	again()
	wantFinding(t, "sent again", check(t, c, o, ca, cert), "revoked")
	list := ca.list(t, func(l *x509.RevocationList) { l.ThisUpdate = time.Now().Add(-10 * time.Minute) })
	src.set(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.Write(list)
	})
	again()
	wantFinding(t, "the responder away, the list older", check(t, c, o, ca, cert), "revoked")
	src.set(sends(answer(ocsp.Good, -time.Second)))
	again()
	wantFinding(t, "taken back", check(t, c, o, ca, cert), "")
}
