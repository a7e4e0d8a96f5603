package certchain

import (
	"crypto/x509"
	"errors"
	"time"

	"github.com/rolecall/rolecall/internal/certchain/dn"
)

// CheckIssuance checks what the CA certificates above, the issuer first and the root last, ask of a certificate that is
// about to be signed: name constraints and path lengths. It looks at no signature and no date. A CA certificate must
// leave room for certificates below it, and may not promise more of them than those above allow.
func CheckIssuance(cert *x509.Certificate, above []*x509.Certificate) error {
	path := []*authority{{cert: cert, subjectKey: dn.KeyOf(cert.RawSubject), issuerKey: dn.KeyOf(cert.RawIssuer)}}
	below := 0 // CA certificates between the issuer at hand and a certificate that cert, as a CA, would issue
	if cert.IsCA {
		below = 1
		if hasPathLen(cert) {
			below += cert.MaxPathLen
		}
	}
	for _, c := range above {
		ca, err := newAuthority(c)
		if err != nil {
			return err
		}
		if hasPathLen(c) && below > c.MaxPathLen {
			return refuse(Untrusted, msgUntrusted, "%s allows %d CA certificates below it", describe(c), c.MaxPathLen)
		}
		if below > 0 && !ca.selfIssued() {
			below++
		}
		path = append(path, ca)
	}
	if err := checkNames(path); err != nil {
		return err
	}
	return nil
}

// CheckCAChain checks a CA's certificate, which comes first, with everything above it in order up to a self-signed root:
// signatures, dates, basic constraints, path lengths, name constraints.
func CheckCAChain(certs []*x509.Certificate, now time.Time) error {
	var path []*authority
	for i, c := range certs {
		ca, err := newAuthority(c)
		if err != nil {
			return err
		}
		if err := ca.checkIssuing(i, now); err != nil {
			return err
		}
		issuer := c // the root signs itself
		if i+1 < len(certs) {
			issuer = certs[i+1]
		}
		if ca.issuerKey != dn.KeyOf(issuer.RawSubject) {
			return refuse(Untrusted, msgUntrusted, "%s was not issued by %s, which comes next", describe(c), describe(issuer))
		}
		if err := verifySignature(c, issuer); err != nil {
			return err
		}
		path = append(path, ca)
	}
	if len(path) == 0 {
		return errors.New("there is no certificate")
	}
	if err := checkNames(path); err != nil {
		return err
	}
	return nil
}
