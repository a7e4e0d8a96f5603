package adclient

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"strconv"
	"strings"

	"github.com/rolecall/rolecall/internal/enroll/template"
)

// RSA keys: a template that says less still gets the smallest size that is safe, and none waits minutes for a key.
const (
	minRSA = 2048
	maxRSA = 8192
)

// newKey makes a key as the template wants it.
func newKey(t *Template) (crypto.Signer, error) {
	switch t.Algorithm {
	case template.RSA:
		size := (max(t.MinKeyLength, minRSA) + 7) / 8 * 8
		if size > maxRSA {
			return nil, fmt.Errorf("%s: RSA keys of %d bits are not made, at most %d", t.Name, size, maxRSA)
		}
		return rsa.GenerateKey(rand.Reader, size)
	case template.P256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case template.P384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case template.P521:
		return ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	}
	return nil, fmt.Errorf("%s: keys of the kind %q are not made", t.Name, t.Algorithm)
}

// Key is the kind and size of keys, for people: "RSA 2048".
func (t *Template) Key() string {
	switch t.Algorithm {
	case template.RSA:
		return "RSA " + strconv.Itoa(max(t.MinKeyLength, minRSA))
	case template.P256:
		return "P-256"
	case template.P384:
		return "P-384"
	case template.P521:
		return "P-521"
	}
	return t.Algorithm
}

// oidTemplate is the extension that names a template by its identifier and version (MS-WCCE 2.2.2.7.7.2).
var oidTemplate = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 21, 7}

type templateInfo struct {
	ID           asn1.ObjectIdentifier
	Major, Minor int `asn1:"optional"`
}

// newRequest makes a PKCS #10 for the template. The CA takes names from the directory; subject counts only for templates that
// leave them to the client.
func newRequest(t *Template, key crypto.Signer, subject string) ([]byte, error) {
	req := &x509.CertificateRequest{SignatureAlgorithm: signature(t, key)}
	if t.Subject {
		req.Subject = pkix.Name{CommonName: subject}
	}
	id, err := parseOID(t.OID)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.Name, err)
	}
	info, err := asn1.Marshal(templateInfo{id, t.Major, t.Minor})
	if err != nil {
		return nil, err
	}
	req.ExtraExtensions = []pkix.Extension{{Id: oidTemplate, Value: info}}
	return x509.CreateCertificateRequest(rand.Reader, req, key)
}

// signature is with the template's digest, SHA-256 if it names none.
func signature(t *Template, key crypto.Signer) x509.SignatureAlgorithm {
	_, isRSA := key.Public().(*rsa.PublicKey)
	switch {
	case t.Hash == template.SHA512 && isRSA:
		return x509.SHA512WithRSA
	case t.Hash == template.SHA512:
		return x509.ECDSAWithSHA512
	case t.Hash == template.SHA384 && isRSA:
		return x509.SHA384WithRSA
	case t.Hash == template.SHA384:
		return x509.ECDSAWithSHA384
	case isRSA:
		return x509.SHA256WithRSA
	}
	return x509.ECDSAWithSHA256
}

func parseOID(text string) (asn1.ObjectIdentifier, error) {
	parts := strings.Split(text, ".")
	if len(parts) < 3 || len(parts) > 40 {
		return nil, fmt.Errorf("%q is no object identifier", text)
	}
	oid := make(asn1.ObjectIdentifier, len(parts))
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 31)
		if err != nil {
			return nil, fmt.Errorf("%q is no object identifier", text)
		}
		oid[i] = int(n)
	}
	return oid, nil
}

// majorVersion is the version of the template that a certificate was issued by; ok is false if it does not say.
func majorVersion(cert *x509.Certificate) (major int, ok bool) {
	for _, e := range cert.Extensions {
		if e.Id.Equal(oidTemplate) {
			var info templateInfo
			rest, err := asn1.Unmarshal(e.Value, &info)
			return info.Major, err == nil && len(rest) == 0
		}
	}
	return 0, false
}
