package revocation

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"net/http"
	"testing"
	"time"
)

// idp is an issuing distribution point (RFC 5280 §5.2.5) of the given DER fields.
func idp(fields ...[]byte) func(*x509.RevocationList) {
	var body []byte
	for _, f := range fields {
		body = append(body, f...)
	}
	value := append([]byte{0x30, byte(len(body))}, body...)
	return func(l *x509.RevocationList) {
		l.ExtraExtensions = append(l.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 28}, Critical: true, Value: value})
	}
}

// flag is a BOOLEAN field that is set, point a distributionPoint with fullNames.
func flag(tag byte) []byte { return []byte{0x80 | tag, 1, 0xff} }

func point(uris ...string) []byte {
	var names []byte
	for _, uri := range uris {
		names = append(append(names, 0x86, byte(len(uri))), uri...)
	}
	full := append([]byte{0xa0, byte(len(names))}, names...)
	return append([]byte{0xa0, byte(len(full))}, full...)
}

// What a list is limited to decides what its silence means; what it lists counts in any case.
func TestListScopes(t *testing.T) {
	ca, stranger := makeCert(t, nil, isCA), makeCert(t, nil, isCA)
	renamed := makeCertFor(t, nil, ca.key, func(c *x509.Certificate) { isCA(c); c.Subject.CommonName = "Renamed" })
	src := newSource(t, nil)
	c, _ := newTestChecker(t, src.host())
	extension := func(critical bool, id ...int) func(*x509.RevocationList) {
		return func(l *x509.RevocationList) {
			l.ExtraExtensions = append(l.ExtraExtensions, pkix.Extension{Id: id, Critical: critical, Value: []byte{2, 1, 1}})
		}
	}
	times := func(this, next time.Duration) func(*x509.RevocationList) {
		return func(l *x509.RevocationList) { l.ThisUpdate, l.NextUpdate = time.Now().Add(this), time.Now().Add(next) }
	}
	const other = "http://other.example/x.crl"
	n := 0
	for name, tc := range map[string]struct {
		signer        *testCA
		change        func(*x509.RevocationList)
		leaf, sub     string // what is found of a leaf and of a CA's certificate that are not listed
		listed        string // and of a leaf that is; "" for as leaf
		matchingPoint bool
	}{
		"complete":                        {ca, nil, "", "", "revoked", false},
		"user certificates":               {ca, idp(flag(1)), "", "it is for other certificates", "revoked", false},
		"CA certificates":                 {ca, idp(flag(2)), "it is for other certificates", "", "revoked", false},
		"some reasons":                    {ca, idp([]byte{0x83, 2, 6, 0x40}), "it is for other certificates", "it is for other certificates", "revoked", false},
		"indirect":                        {ca, idp(flag(4)), "it is an indirect list", "it is an indirect list", "", false},
		"attribute certificates":          {ca, idp(flag(5)), "attribute certificates only", "attribute certificates only", "", false},
		"another point":                   {ca, idp(point(other)), "it is for other certificates", "it is for other certificates", "revoked", false},
		"its point":                       {ca, nil, "", "", "revoked", true},
		"point without names we know":     {ca, idp([]byte{0xa0, 2, 0xa1, 0}), "it is for other certificates", "it is for other certificates", "revoked", false},
		"malformed point":                 {ca, idp([]byte{0x9e, 1, 0}), "issuing distribution point is malformed", "malformed", "", false},
		"delta":                           {ca, extension(true, 2, 5, 29, 27), "it is a delta list", "it is a delta list", "", false},
		"delta that is not critical":      {ca, extension(false, 2, 5, 29, 27), "it is a delta list", "it is a delta list", "", false},
		"critical and unknown":            {ca, extension(true, 1, 2, 3, 4), "1.2.3.4 is not understood", "1.2.3.4", "", false},
		"stale":                           {ca, times(-2*time.Hour, -time.Hour), "it is for the time from", "it is for the time from", "", false},
		"of tomorrow":                     {ca, times(time.Hour, 2*time.Hour), "it is for the time from", "it is for the time from", "", false},
		"another CA of the name":          {stranger, nil, "its signature was not made", "its signature was not made", "", false},
		"the CA's key under another name": {renamed, nil, "is not the subject of the CA", "is not the subject of the CA", "", false},
	} {
		n++
		address := fmt.Sprintf("%s/%d.crl", src.URL, n)
		leaf, listed := ca.issued(t, []string{address}, nil), ca.issued(t, []string{address}, nil)
		sub := makeCert(t, ca, func(c *x509.Certificate) {
			isCA(c)
			c.Subject.CommonName, c.CRLDistributionPoints = "Sub", []string{address}
		}).cert
		change := tc.change
		if tc.matchingPoint {
			change = idp(point(other, address))
		}
		src.set(sends(tc.signer.list(t, change, listed.SerialNumber)))
		o := Options{Check: []Source{CRL}}
		wantFinding(t, name+", leaf", check(t, c, o, ca, leaf), tc.leaf)
		wantFinding(t, name+", CA", check(t, c, o, ca, sub), tc.sub)
		want := tc.listed
		if want == "" {
			want = tc.leaf
		}
		wantFinding(t, name+", listed", check(t, c, o, ca, listed), want)
		if f := check(t, c, Options{Check: []Source{CRL}, Soft: true}, ca, leaf); f != nil {
			t.Errorf("%s: soft and refused: %+v", name, f)
		}
	}
}

// A list in memory says nothing about the certificates of another name that its key has, though it is at their address.
func TestListOfAnotherNameInMemory(t *testing.T) {
	ca := makeCert(t, nil, isCA)
	renamed := makeCertFor(t, nil, ca.key, func(c *x509.Certificate) { isCA(c); c.Subject.CommonName = "Renamed" })
	src := newSource(t, nil)
	c, _ := newTestChecker(t, src.host())
	o := Options{Check: []Source{CRL}}
	address := []string{src.URL + "/ca.crl"}
	cert := renamed.issued(t, address, nil)
	src.set(sends(ca.list(t, nil, cert.SerialNumber)))
	wantFinding(t, "the CA's own", check(t, c, o, ca, ca.issued(t, address, nil)), "")
	wantFinding(t, "the renamed CA's", check(t, c, o, renamed, cert), "it is for other certificates")
}

// A revocation stays until a source that knows more takes it back: not an older list, nor silence where failures are
// let through.
func TestRevocationStays(t *testing.T) {
	ca := makeCert(t, nil, isCA)
	src := newSource(t, nil)
	c, now := newTestChecker(t, src.host())
	cert, later := ca.issued(t, []string{src.URL + "/ca.crl"}, nil), ca.issued(t, []string{src.URL + "/ca.crl"}, nil)
	soft := Options{Check: []Source{CRL}, Soft: true}
	of := func(this time.Duration, number int64, serials ...*big.Int) []byte {
		return ca.list(t, func(l *x509.RevocationList) {
			l.Number, l.ThisUpdate, l.NextUpdate = big.NewInt(number), now.now().Add(this), now.now().Add(this+time.Hour)
		}, serials...)
	}
	older := of(-30*time.Minute, 1)
	src.set(sends(of(-20*time.Minute, 2, cert.SerialNumber, later.SerialNumber)))
	wantFinding(t, "listed", check(t, c, soft, ca, cert), "revoked")
	src.set(sends(older))
	now.advance(DefaultRefresh)
	c.refresh()
	c.work.Wait()
	wantFinding(t, "an older list", check(t, c, soft, ca, cert), "revoked")
	wantFinding(t, "an older list, of one not asked about before", check(t, c, soft, ca, later), "revoked")
	src.set(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	for range 3 {
		now.advance(time.Hour)
		c.refresh()
		c.work.Wait()
		wantFinding(t, "silence", check(t, c, soft, ca, cert), "revoked")
	}
	now.advance(failureLife)
	src.set(sends(of(-time.Minute, 3)))
	check(t, c, soft, ca, cert) // may still be the answer in memory
	now.advance(failureLife)
	c.refresh()
	c.work.Wait()
	wantFinding(t, "taken back", check(t, c, soft, ca, cert), "")
}
