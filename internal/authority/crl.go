package authority

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"math/big"
	"time"
)

// RevocationReason is a reason code of RFC 5280 §5.3.1.
type RevocationReason int

// Reasons lists the reasons that the API knows. 6 and 8, for holds and delta lists, are not among them.
func Reasons() map[string]RevocationReason {
	return map[string]RevocationReason{
		"UNSPECIFIED": 0, "KEY_COMPROMISE": 1, "CERTIFICATE_AUTHORITY_COMPROMISE": 2, "AFFILIATION_CHANGED": 3,
		"SUPERSEDED": 4, "CESSATION_OF_OPERATION": 5, "PRIVILEGE_WITHDRAWN": 9, "A_A_COMPROMISE": 10,
	}
}

// Revocation is one entry of a list.
type Revocation struct {
	Serial *big.Int
	At     time.Time
	Reason RevocationReason
}

// SignCRL signs a complete list (RFC 5280 §5). Its number is the milliseconds of now: it grows as long as the clock does.
func (i *Issuer) SignCRL(a SigningAlgorithm, entries []Revocation, now time.Time, life time.Duration) ([]byte, error) {
	if i.Certificate == nil {
		return nil, errors.New("authority: a CA without a certificate signs no list")
	}
	if life <= 0 {
		return nil, errors.New("authority: a list must have a lifetime")
	}
	algorithm, err := a.signature(i.PublicKey)
	if err != nil {
		return nil, err
	}
	list := &x509.RevocationList{
		SignatureAlgorithm: algorithm, Number: big.NewInt(now.UnixMilli()),
		ThisUpdate: now.UTC().Truncate(time.Second), NextUpdate: now.Add(life).UTC().Truncate(time.Second),
		RevokedCertificateEntries: make([]x509.RevocationListEntry, len(entries)),
	}
	for k, e := range entries {
		list.RevokedCertificateEntries[k] = x509.RevocationListEntry{
			SerialNumber: e.Serial, RevocationTime: e.At.UTC().Truncate(time.Second), ReasonCode: int(e.Reason), // 0 is left out, as the RFC asks
		}
	}
	signed := *i.Certificate
	if len(signed.SubjectKeyId) == 0 {
		if signed.SubjectKeyId, err = keyID(signed.RawSubjectPublicKeyInfo); err != nil {
			return nil, err
		}
	}
	var der []byte
	err = i.use(func(key crypto.Signer) (err error) {
		der, err = x509.CreateRevocationList(rand.Reader, list, &signed, key)
		return err
	})
	return der, err
}
