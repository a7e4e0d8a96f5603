package certchain

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"runtime"
	"testing"
	"time"
)

func TestRevocation(t *testing.T) {
	root := newRoot(t)
	mid := root.ca(t, "Mid")
	leaf, other := mid.leaf(t), mid.leaf(t)
	anchors := anchorsOf(t, root)
	leafSerial := leaf.cert.SerialNumber
	stranger := newRoot(t, func(c *x509.Certificate) { c.Subject.CommonName = "Stranger" })
	v := NewVerifier(0)
	check := func(crls ...*CRL) error {
		_, err := v.Verify(&Input{Leaf: leaf.cert.Raw, Chain: ders(mid), Anchors: anchors, CRLs: crls, Now: testNow})
		return err
	}
	for range 2 { // cold, then warm
		if err := check(); err != nil {
			t.Fatal(err)
		}
		wantError(t, check(parseCRLForTest(t, makeCRL(t, mid, nil, leafSerial))), Revoked, msgRevoked, "reason keyCompromise")
		wantError(t, check(parseCRLForTest(t, makeCRL(t, root, nil, mid.cert.SerialNumber))), Revoked, msgRevoked, "the CA certificate")
		for name, data := range map[string][]byte{
			"another serial":             makeCRL(t, mid, nil, other.cert.SerialNumber),
			"another issuer":             makeCRL(t, stranger, nil, leafSerial),
			"the root lists it":          makeCRL(t, root, nil, leafSerial),
			"no entries":                 makeCRL(t, mid, nil),
			"expired, does not list it":  makeCRL(t, mid, func(l *x509.RevocationList) { l.NextUpdate = testNow.Add(-time.Minute) }),
			"issued later, lists no one": makeCRL(t, mid, func(l *x509.RevocationList) { l.ThisUpdate = testNow.Add(time.Minute) }),
		} {
			if err := check(parseCRLForTest(t, data)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		expired := makeCRL(t, mid, func(l *x509.RevocationList) { l.NextUpdate = testNow.Add(-time.Minute) }, leafSerial)
		wantError(t, check(nil, parseCRLForTest(t, expired)), Revoked, msgRevoked, "serial number "+serialHex(leafSerial))
	}
}

func TestRequireCurrentCRLs(t *testing.T) {
	root := newRoot(t)
	leaf := root.leaf(t)
	stale := parseCRLForTest(t, makeCRL(t, root, func(l *x509.RevocationList) { l.NextUpdate = testNow.Add(-time.Minute) }))
	in := &Input{Leaf: leaf.cert.Raw, Anchors: anchorsOf(t, root), CRLs: []*CRL{stale}, Now: testNow, RequireCurrentCRLs: true}
	_, err := NewVerifier(0).Verify(in)
	wantError(t, err, Untrusted, msgUntrusted, "was to be renewed by 2026-05-01T11:59:00Z")
	in.CRLs = []*CRL{parseCRLForTest(t, makeCRL(t, root, nil))}
	if _, err := NewVerifier(0).Verify(in); err != nil {
		t.Error(err)
	}
}

func TestCRLSignature(t *testing.T) {
	root := newRoot(t)
	mid := root.ca(t, "Mid")
	impostor := newRoot(t) // the same name, another key
	anchors := anchorsOf(t, root)
	if err := parseCRLForTest(t, makeCRL(t, root, nil)).CheckSignature(anchors); err != nil {
		t.Error(err)
	}
	wantError(t, parseCRLForTest(t, makeCRL(t, impostor, nil)).CheckSignature(anchors), Untrusted, msgBadCRL, "not made with the key")
	ofMid := parseCRLForTest(t, makeCRL(t, mid, nil))
	wantError(t, ofMid.CheckSignature(anchors), Untrusted, msgBadCRL, "is not the subject of the CA")
	if err := ofMid.CheckSignatureFrom(mid.cert); err != nil {
		t.Error(err)
	}
	tampered := makeCRL(t, root, nil, big.NewInt(77))
	i := bytes.Index(tampered, []byte{2, 1, 77})
	tampered[i+2] = 78
	wantError(t, parseCRLForTest(t, tampered).CheckSignature(anchors), Untrusted, msgBadCRL, "not made with the key")
	// Two anchors of one name: either key may have signed.
	if err := parseCRLForTest(t, makeCRL(t, impostor, nil)).CheckSignature(anchorsOf(t, root, impostor)); err != nil {
		t.Error(err)
	}
	noUsage := *root.cert
	noUsage.KeyUsage = x509.KeyUsageCertSign
	wantError(t, parseCRLForTest(t, makeCRL(t, root, nil)).CheckSignatureFrom(&noUsage), Untrusted, msgBadCRL, "lacks cRLSign")
}

func TestParseCRLForms(t *testing.T) {
	root := newRoot(t)
	der := makeCRL(t, root, nil, big.NewInt(5), new(big.Int).Lsh(big.NewInt(255), 64))
	pemForm := pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
	for _, data := range [][]byte{der, pemForm, append([]byte("# exported by an admin\n"), pemForm...)} {
		crl := parseCRLForTest(t, data)
		if !bytes.Equal(crl.DER(), der) {
			t.Error("DER differs")
		}
		if got, want := crl.Len(), 2; got != want {
			t.Errorf("Len = %d, want %d", got, want)
		}
		if got := crl.Number(); got.Int64() != 7 {
			t.Errorf("Number = %v, want 7", got)
		}
		if !crl.ThisUpdate().Equal(testNow.Add(-time.Hour)) || !crl.NextUpdate().Equal(testNow.Add(time.Hour)) {
			t.Errorf("dates %v, %v", crl.ThisUpdate(), crl.NextUpdate())
		}
		for serial, want := range map[int64]bool{5: true, 6: false, 0: false} {
			if got, _ := crl.Revoked(big.NewInt(serial), root.cert.RawSubject); got != want {
				t.Errorf("Revoked(%d) = %v, want %v", serial, got, want)
			}
		}
		if got, reason := crl.Revoked(big.NewInt(5), root.cert.RawSubject); !got || reason != "keyCompromise" {
			t.Errorf("got %v %q", got, reason)
		}
		if got, _ := crl.Revoked(big.NewInt(5), []byte{0x30, 0}); got {
			t.Error("revoked under another issuer")
		}
	}
}

func TestParseCRLRefuses(t *testing.T) {
	root := newRoot(t)
	ext := func(oid asn1.ObjectIdentifier, critical bool, value ...byte) []byte {
		return makeCRL(t, root, func(l *x509.RevocationList) {
			l.ExtraExtensions = []pkix.Extension{{Id: oid, Critical: critical, Value: value}}
		})
	}
	entryExt := func(oid asn1.ObjectIdentifier, critical bool, value ...byte) []byte {
		return makeCRL(t, root, func(l *x509.RevocationList) {
			l.RevokedCertificateEntries[0].ExtraExtensions = []pkix.Extension{{Id: oid, Critical: critical, Value: value}}
		}, big.NewInt(5))
	}
	idp, delta := asn1.ObjectIdentifier{2, 5, 29, 28}, asn1.ObjectIdentifier{2, 5, 29, 27}
	unknown := asn1.ObjectIdentifier{1, 2, 3}
	good := makeCRL(t, root, nil)
	pemForm := pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: good})
	tests := map[string]struct {
		data   []byte
		detail string
	}{
		"empty":              {nil, "CertificateList"},
		"text":               {[]byte("no list"), "CertificateList"},
		"truncated":          {good[:len(good)-1], "CertificateList"},
		"trailing byte":      {append(bytes.Clone(good), 0), "CertificateList"},
		"a certificate":      {root.cert.Raw, ""},
		"certificate PEM":    {[]byte(pemOf(root)), "not X509 CRL"},
		"two PEM blocks":     {append(bytes.Clone(pemForm), pemForm...), "more than one"},
		"damaged PEM":        {bytes.Replace(pemForm, []byte("-----END"), []byte("-----ENT"), 1), "damaged"},
		"delta":              {ext(delta, true, 2, 1, 1), "delta"},
		"indirect":           {ext(idp, true, 0x30, 3, 0x84, 1, 0xFF), "indirect"},
		"attribute":          {ext(idp, true, 0x30, 3, 0x85, 1, 0xFF), "attribute certificates"},
		"bad idp":            {ext(idp, true, 0x30, 3, 0x89, 1, 0xFF), "malformed"},
		"unknown critical":   {ext(unknown, true, 5, 0), "1.2.3"},
		"entry critical":     {entryExt(unknown, true, 5, 0), "1.2.3"},
		"entry other issuer": {entryExt(asn1.ObjectIdentifier{2, 5, 29, 29}, true, 0x30, 0), "indirect"},
		"oversized":          {make([]byte, 2*MaxCRLBytes+1), "larger than"},
		"oversized DER":      {make([]byte, MaxCRLBytes+1), "larger than"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := ParseCRL(tt.data)
			wantError(t, err, Malformed, msgBadCRL, tt.detail)
		})
	}
	for name, data := range map[string][]byte{
		"user certificates only": ext(idp, true, 0x30, 3, 0x81, 1, 0xFF),
		"CA certificates only":   ext(idp, true, 0x30, 3, 0x82, 1, 0xFF),
		"unknown, not critical":  ext(unknown, false, 5, 0),
		"entry, not critical":    entryExt(unknown, false, 5, 0),
	} {
		if _, err := ParseCRL(data); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A list of 20,000 entries is found in completely and costs little more than its own bytes.
func TestLargeCRL(t *testing.T) {
	root := newRoot(t)
	const n = 20_000
	serials := make([]*big.Int, n)
	for i := range serials {
		serials[i] = new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 120), big.NewInt(int64(3*i)))
	}
	der := makeCRL(t, root, nil, serials...)
	crl := parseCRLForTest(t, der)
	for i, s := range serials {
		if ok, _ := crl.Revoked(s, root.cert.RawSubject); !ok {
			t.Fatalf("entry %d not found", i)
		}
		if ok, _ := crl.Revoked(new(big.Int).Add(s, big.NewInt(1)), root.cert.RawSubject); ok {
			t.Fatalf("neighbour of entry %d found", i)
		}
	}
	if got, limit := 4*len(crl.index.table), 16*n; got > limit {
		t.Errorf("the index takes %d bytes, at most %d expected", got, limit)
	}
	runtime.KeepAlive(crl)
}
