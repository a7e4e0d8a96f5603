package certchain

import (
	"crypto/x509"
	"math/big"
	"time"

	"github.com/rolecall/rolecall/internal/certchain/dn"
)

// MaxCRLBytes bounds a CRL in DER form. The service's API allows 300,000 bytes; lists of our own CA may be larger.
const MaxCRLBytes = 16 << 20

// CRL is a certificate revocation list (RFC 5280 §5), indexed by serial number. It keeps the DER
// form and 8 to 16 bytes per entry besides. Immutable.
type CRL struct {
	der        []byte
	tbs        []byte
	issuer     []byte // DER of the issuer name
	issuerKey  dn.Key
	nameID     [16]byte
	algorithm  x509.SignatureAlgorithm
	signature  []byte
	thisUpdate time.Time
	nextUpdate time.Time // zero if absent
	number     *big.Int  // nil if absent
	index      serialIndex
	scope      scope
}

// ThisUpdate returns when the list was issued.
func (c *CRL) ThisUpdate() time.Time { return c.thisUpdate }

// NextUpdate returns when the next list was promised, the zero time if it was not.
func (c *CRL) NextUpdate() time.Time { return c.nextUpdate }

// Number returns a copy of the CRL number, nil if the list has none.
func (c *CRL) Number() *big.Int {
	if c.number == nil {
		return nil
	}
	return new(big.Int).Set(c.number)
}

// DER returns the encoded list, which must not be changed.
func (c *CRL) DER() []byte { return c.der }

// Issuer returns the DER of the issuer's name, which must not be changed.
func (c *CRL) Issuer() []byte { return c.issuer }

// Len returns the number of entries.
func (c *CRL) Len() int { return c.index.len }

// Current reports whether now is within thisUpdate and nextUpdate. A list without nextUpdate,
// which RFC 5280 §5.1.2.5 forbids but openssl writes, stays current.
func (c *CRL) Current(now time.Time) bool {
	return !now.Before(c.thisUpdate) && (c.nextUpdate.IsZero() || !now.After(c.nextUpdate))
}

// Revoked reports whether the list, if issued by the given issuer name (DER), holds the serial
// number, and why ("unspecified" if the entry does not say).
func (c *CRL) Revoked(serial *big.Int, issuer []byte) (bool, string) {
	if c.issuerKey != dn.KeyOf(issuer) {
		return false, ""
	}
	entry, ok := c.lookup(serialContent(serial))
	if !ok {
		return false, ""
	}
	return true, entry.reason
}

func (c *CRL) lookup(serial []byte) (crlEntry, bool) {
	raw := c.index.find(serial)
	if raw == nil {
		return crlEntry{}, false
	}
	entry, err := parseEntry(raw)
	// Entries were parsed once when the list was; a listed serial counts in any case.
	if err != nil {
		return crlEntry{reason: "unspecified"}, true
	}
	return entry, true
}

// CheckSignature checks that the list was issued and signed by one of the anchor's certificates.
// A list of a CA below the anchor fails here with reason Untrusted: use
// [CRL.CheckSignatureFrom] with that CA's certificate, after verifying it.
func (c *CRL) CheckSignature(anchors *Anchors) error {
	var last *Error
	for _, ca := range anchors.certs {
		err := c.checkFrom(ca.cert)
		if err == nil {
			return nil
		}
		// Two anchors may share a name: prefer the failure of one that has the right name.
		if last == nil || c.issuerKey == ca.subjectKey {
			last = err
		}
	}
	if last == nil {
		return refuse(Untrusted, msgBadCRL, "there is no trust anchor to check it with")
	}
	return last
}

// CheckSignatureFrom checks that the list was issued and signed by the given CA.
func (c *CRL) CheckSignatureFrom(ca *x509.Certificate) error {
	if err := c.checkFrom(ca); err != nil {
		return err
	}
	return nil
}

func (c *CRL) checkFrom(ca *x509.Certificate) *Error {
	if c.issuerKey != dn.KeyOf(ca.RawSubject) {
		return refuse(Untrusted, msgBadCRL, "its issuer %s is not the subject of the CA %s", describeName(c.issuer), describe(ca))
	}
	// RFC 5280 §6.3.3 (f): a key usage without cRLSign forbids signing lists.
	if !maySign(ca, x509.KeyUsageCRLSign) {
		return refuse(Untrusted, msgBadCRL, "the key usage of the CA %s lacks cRLSign", describe(ca))
	}
	if why := weakKey(ca); why != "" {
		return refuse(Weak, msgBadCRL, "%s: %s", describe(ca), why)
	}
	if err := ca.CheckSignature(c.algorithm, c.tbs, c.signature); err != nil {
		return refuse(Untrusted, msgBadCRL, "its signature was not made with the key of the CA %s", describe(ca))
	}
	return nil
}
