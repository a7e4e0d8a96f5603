package authority

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/blockedkeys"
	"github.com/rolecall/rolecall/internal/certchain"
)

// Bounds of what is imported.
const (
	maxCertificatePEM = 32 << 10
	maxChainPEM       = 2 << 20
	maxChain          = 10
)

// CheckImport decides whether a certificate may become that of the CA: its key and name, that it is a CA certificate in
// force, and that chain, in order, leads from it to a root. No key may be blocked. A root comes without chain. Both are PEM.
func (i *Issuer) CheckImport(certificate, chain []byte, now time.Time) (*x509.Certificate, []*x509.Certificate, error) {
	if len(certificate) > maxCertificatePEM || len(chain) > maxChainPEM {
		return nil, nil, refuse(BadCertificate, "the certificate or its chain is too large")
	}
	own, err := parseCertificates(certificate, 1)
	if err != nil {
		return nil, nil, err
	}
	if len(own) != 1 {
		return nil, nil, refuse(BadCertificate, "the certificate must be one PEM block CERTIFICATE")
	}
	above, err := parseCertificates(chain, maxChain)
	if err != nil {
		return nil, nil, err
	}
	cert := own[0]
	pub, ok := cert.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	self := bytes.Equal(cert.RawSubject, cert.RawIssuer)
	switch {
	case !ok || !pub.Equal(i.PublicKey):
		return nil, nil, refuse(Mismatch, "the certificate's public key is not that of the certificate authority")
	case !bytes.Equal(cert.RawSubject, i.Subject):
		return nil, nil, refuse(Mismatch, "the certificate's subject is not that of the certificate authority")
	case !cert.BasicConstraintsValid || !cert.IsCA:
		return nil, nil, refuse(BadCertificate, "the certificate is not one of a CA (basic constraints)")
	case cert.KeyUsage != 0 && cert.KeyUsage&x509.KeyUsageCertSign == 0:
		return nil, nil, refuse(BadCertificate, "the key usage of the certificate lacks keyCertSign")
	case i.RootType && !self:
		return nil, nil, refuse(BadCertificate, "the certificate of a root certificate authority must be self-signed")
	case !i.RootType && self:
		return nil, nil, refuse(BadCertificate, "the certificate of a subordinate certificate authority must be signed by another")
	case i.RootType && len(above) > 0:
		return nil, nil, refuse(BadArgument, "a root certificate comes without a chain")
	case !i.RootType && len(above) == 0:
		return nil, nil, refuse(BadArgument, "a subordinate's certificate comes with its chain")
	}
	for _, c := range append([]*x509.Certificate{cert}, above...) {
		if i.Blocked.Contains(c.PublicKey) {
			return nil, nil, refuse(BadCertificate, "the certificate of %s cannot be used: %s", clip(c.Subject.String()), blockedkeys.Reason)
		}
	}
	for _, issuer := range above {
		if cert.NotAfter.After(issuer.NotAfter) {
			return nil, nil, refuse(BadCertificate, "the certificate outlives its issuer")
		}
	}
	if err := certchain.CheckCAChain(append([]*x509.Certificate{cert}, above...), now); err != nil {
		return nil, nil, refuse(BadCertificate, "%s", err.Error())
	}
	return cert, above, nil
}

// parseCertificates reads PEM blocks CERTIFICATE and nothing else.
func parseCertificates(text []byte, most int) ([]*x509.Certificate, error) {
	var list []*x509.Certificate
	rest := bytes.TrimSpace(text)
	for len(rest) > 0 {
		var block *pem.Block
		if !bytes.HasPrefix(rest, []byte("-----BEGIN ")) {
			return nil, refuse(BadCertificate, "there is something other than PEM blocks")
		}
		if block, rest = pem.Decode(rest); block == nil || block.Type != "CERTIFICATE" {
			return nil, refuse(BadCertificate, "there is something other than PEM blocks CERTIFICATE")
		}
		rest = bytes.TrimSpace(rest)
		if len(list) == most {
			return nil, refuse(BadCertificate, "there are more than %d certificates", most)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, refuse(BadCertificate, "a certificate cannot be parsed: %s", clip(strings.TrimPrefix(err.Error(), "x509: ")))
		}
		list = append(list, cert)
	}
	return list, nil
}
