package certchain

import (
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"testing"
)

func TestParseAnchorsRefuses(t *testing.T) {
	root := newRoot(t)
	good := pemOf(root)
	key := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("secret")}))
	without := func(m mod) string { return pemOf(newRoot(t, m)) }
	tests := map[string]struct {
		pem    string
		reason Reason
		msg    string
		detail string
	}{
		"empty":          {"", Malformed, msgBadAnchor, "well-formed"},
		"text":           {"hello", Malformed, msgBadAnchor, "well-formed"},
		"too long":       {good + strings.Repeat(" ", MaxAnchorCharacters), Malformed, msgBadAnchor, "16000"},
		"three":          {pemOf(root, newRoot(t), newRoot(t)), Malformed, msgBadAnchor, "holds 3"},
		"key":            {good + key, Malformed, msgBadAnchor, `"PRIVATE KEY"`},
		"second damaged": {good + strings.Replace(pemOf(newRoot(t)), "-----END", "-----ENT", 1), Malformed, msgBadAnchor, "well-formed"},
		"garbage inside": {string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{1}})), Malformed, msgBadAnchor, "certificate 1"},
		"a leaf":         {pemOf(root.leaf(t)), Malformed, msgBasicConstraints, "no basic constraints"},
		"CA:false":       {without(func(c *x509.Certificate) { c.IsCA = false }), Malformed, msgBasicConstraints, "CA:false"},
		"no keyCertSign": {without(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign }), Malformed, msgBadAnchor, "keyCertSign"},
		"no key usage":   {without(func(c *x509.Certificate) { c.KeyUsage = 0 }), Malformed, msgBadAnchor, "keyCertSign"},
		"P-224":          {pemOf(sign(t, caTemplate("R"), nil, newECKey(t, elliptic.P224()))), Weak, msgBadAnchor, "P-224"},
		"policies demanded": {without(func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 36}, Critical: true, Value: []byte{0x30, 3, 0x80, 1, 0}}}
		}), Malformed, msgBadAnchor, "explicit policy"},
		"unknown critical": {without(func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: []byte{5, 0}}}
		}), Malformed, msgBadAnchor, "1.2.3"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := ParseAnchors(tt.pem)
			wantError(t, err, tt.reason, tt.msg, tt.detail)
		})
	}
}

func TestParseAnchorsAccepts(t *testing.T) {
	root := newRoot(t)
	mid := root.ca(t, "Mid")
	commented := "Subject: CN=Root\n" + pemOf(root) + "\r\nand the next\r\n" + pemOf(mid) + "\n"
	a, err := ParseAnchors(commented)
	if err != nil {
		t.Fatal(err)
	}
	if got := a.Certificates(); len(got) != 2 || !got[0].Equal(root.cert) || !got[1].Equal(mid.cert) {
		t.Errorf("got %d certificates", len(got))
	}
	if a.ID() == anchorsOf(t, mid, root).ID() || a.ID() == anchorsOf(t, root).ID() {
		t.Error("different bundles have one id")
	}
	twice := anchorsOf(t, root, root)
	if got := len(twice.Certificates()); got != 1 || twice.ID() != anchorsOf(t, root).ID() {
		t.Errorf("a certificate given twice counts %d times", got)
	}
	if _, err := ParseAnchorsMax(pemOf(root, mid, newRoot(t)), 3); err != nil {
		t.Error(err)
	}
}

func TestDecodeHeaders(t *testing.T) {
	b64 := base64.StdEncoding.EncodeToString
	leaf := b64([]byte("leaf"))
	chainOf := func(n int) string {
		var parts []string
		for i := range n {
			parts = append(parts, b64([]byte{byte(i)}))
		}
		return strings.Join(parts, ",")
	}
	good := map[string]struct {
		chain string
		n     int
	}{
		"none": {"", 0}, "blank": {" ", 0}, "one": {chainOf(1), 1}, "five": {chainOf(5), 5},
		"leaf and five": {leaf + "," + chainOf(5), 6}, "blanks": {" " + b64([]byte("a")) + " ,\t" + b64([]byte("b")), 2},
	}
	for name, tt := range good {
		der, chain, err := DecodeHeaders(leaf, tt.chain)
		if err != nil || string(der) != "leaf" || len(chain) != tt.n {
			t.Errorf("%s: %q, %d, %v; want %d", name, der, len(chain), err, tt.n)
		}
	}
	big := b64(make([]byte, MaxCertificateBytes+1))
	bad := map[string]struct{ leaf, chain, detail string }{
		"no leaf":       {"", "", "X-Amz-X509 holds an empty"},
		"no base64":     {"*", "", "not the base64"},
		"URL alphabet":  {"_-_-", "", "not the base64"},
		"line break":    {leaf[:4] + "\n" + leaf[4:], "", "not the base64"},
		"large leaf":    {big, "", "larger than 16384"},
		"1 MiB":         {strings.Repeat("A", 1<<20), "", "larger than 16384"},
		"1 MiB chain":   {leaf, strings.Repeat("A", 1<<20), "larger than 16384"},
		"1 MiB commas":  {leaf, strings.Repeat(",", 1<<20), "at most 5"},
		"empty element": {leaf, chainOf(2) + ",", "empty certificate"},
		"six":           {leaf, chainOf(6), "holds 6 certificates, at most 5"},
		"ten":           {leaf, chainOf(10), "holds 10 certificates, at most 5"},
		"bad chain":     {leaf, "!", "X-Amz-X509-Chain is not"},
	}
	for name, tt := range bad {
		_, _, err := DecodeHeaders(tt.leaf, tt.chain)
		t.Run(name, func(t *testing.T) { wantError(t, err, Malformed, msgMalformed, tt.detail) })
	}
}
