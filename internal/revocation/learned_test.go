package revocation

import (
	"crypto/x509"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/store"
)

// What another node learnt counts here until the source's answer is newer, which then tells the others.
func TestLearnedElsewhere(t *testing.T) {
	db, err := store.Open(t.Context(), store.Config{Source: "memory"})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ca := makeCert(t, nil, isCA)
	src := newSource(t, sends(ca.list(t, nil)))
	c, now := newTestChecker(t, src.host())
	c.cfg.DB = db
	cert := ca.issued(t, []string{src.URL + "/ca.crl"}, nil)
	ends, plain := Options{Check: []Source{CRL}, EndSessions: true, Soft: true}, Options{Check: []Source{CRL}}
	wantFinding(t, "before", check(t, c, ends, ca, cert), "")
	anchor := testAnchor("123456789012")
	row := learnt(anchorKey{anchor.Account, anchor.Region, anchor.ID}, cert, ca.cert)
	row.LearnedAt = now.now()
	if err := db.Update(t.Context(), func(tx *store.Tx) error { return tx.PutLearnedRevocation(row) }); err != nil {
		t.Fatal(err)
	}
	wantFinding(t, "learnt elsewhere", check(t, c, ends, ca, cert), "revoked")
	wantFinding(t, "another trust anchor's business", check(t, c, plain, ca, cert), "")
	wantFinding(t, "another certificate", check(t, c, ends, ca, ca.issued(t, []string{src.URL + "/ca.crl"}, nil)), "")

	now.advance(2 * DefaultRefresh)
	src.set(sends(ca.list(t, func(l *x509.RevocationList) { l.ThisUpdate = now.now().Add(-time.Minute) })))
	c.refresh()
	c.work.Wait()
	wantFinding(t, "a newer list", check(t, c, ends, ca, cert), "")
	if _, found, err := db.View().Learned(t.Context(), anchor.Account, anchor.Region, anchor.ID, row.IssuerKey, row.Serial); err != nil || found {
		t.Errorf("the others were not told: %v", err)
	}
}

// Every certificate of the path but the trust anchor is asked about.
func TestWholePath(t *testing.T) {
	ca := makeCert(t, nil, isCA)
	src := newSource(t, nil)
	c, _ := newTestChecker(t, src.host())
	for name, tc := range map[string]struct {
		listed, named bool // whether the intermediate is revoked, and whether it names a list
		want          string
	}{"good": {false, true, ""}, "revoked-above": {true, true, "revoked"}, "nothing-named-above": {false, false, "names no CRL distribution point"}} {
		sub := makeCert(t, ca, func(x *x509.Certificate) {
			isCA(x)
			x.Subject.CommonName = "Sub"
			if tc.named {
				x.CRLDistributionPoints = []string{src.URL + "/" + name}
			}
		})
		leaf := sub.issued(t, []string{src.URL + "/sub/" + name}, nil)
		lists := map[string][]byte{"/" + name: ca.list(t, nil), "/sub/" + name: sub.list(t, nil)}
		if tc.listed {
			lists["/"+name] = ca.list(t, nil, sub.cert.SerialNumber)
		}
		src.set(serveByPath(lists))
		o := Options{Check: []Source{CRL}}
		err := c.Check(t.Context(), testAnchor("123456789012"), &o, []*x509.Certificate{leaf, sub.cert, ca.cert}, time.Now())
		f, _ := err.(*Finding)
		if err != nil && f == nil {
			t.Fatal(err)
		}
		wantFinding(t, name, f, tc.want)
	}
}
