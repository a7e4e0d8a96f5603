package authority

import (
	"bytes"
	"crypto"
	"crypto/sha1" //nolint:gosec // RFC 5019 §2.1.1: what most clients name issuers by; it protects nothing
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Limits of OCSP requests.
const (
	MaxOCSPRequest = 16 << 10 // bytes
	maxOCSPIDs     = 64
	maxNonce       = 128 // RFC 9654 §2.1; at least 1
	maxSerialBytes = 64
)

// ErrOCSP means that bytes are no OCSP request that can be answered: malformedRequest.
var ErrOCSP = errors.New("authority: malformed OCSP request")

// CertID names a certificate in an OCSP request (RFC 6960 §4.1.1).
type CertID struct {
	Raw               []byte      // DER, to be sent back as it came
	Hash              crypto.Hash // SHA-1 or SHA-256; 0 for any other
	NameHash, KeyHash []byte
	Serial            *big.Int
}

// OCSPRequest is what a client asks.
type OCSPRequest struct {
	IDs   []CertID // at least one
	Nonce []byte   // nil for none
}

// ParseOCSPRequest reads a request (RFC 6960 §4.1.1). Who asks, and any signature, does not matter: answers are public.
func ParseOCSPRequest(der []byte) (*OCSPRequest, error) {
	if len(der) > MaxOCSPRequest {
		return nil, ErrOCSP
	}
	in := cryptobyte.String(der)
	var outer, tbs, list cryptobyte.String
	if !in.ReadASN1(&outer, cbasn1.SEQUENCE) || !in.Empty() || !outer.ReadASN1(&tbs, cbasn1.SEQUENCE) || !outer.SkipOptionalASN1(explicit(0)) || !outer.Empty() {
		return nil, ErrOCSP
	}
	var version int64
	if !tbs.ReadOptionalASN1Integer(&version, explicit(0), int64(0)) || version != 0 || !tbs.SkipOptionalASN1(explicit(1)) || !tbs.ReadASN1(&list, cbasn1.SEQUENCE) {
		return nil, ErrOCSP
	}
	req := &OCSPRequest{}
	for !list.Empty() {
		var one cryptobyte.String
		if len(req.IDs) == maxOCSPIDs || !list.ReadASN1(&one, cbasn1.SEQUENCE) {
			return nil, ErrOCSP
		}
		id, ok := readCertID(&one)
		if !ok {
			return nil, ErrOCSP
		}
		if _, ok := readOCSPExtensions(&one, explicit(0)); !ok || !one.Empty() {
			return nil, ErrOCSP
		}
		req.IDs = append(req.IDs, id)
	}
	var ok bool
	if req.Nonce, ok = readOCSPExtensions(&tbs, explicit(2)); !ok || !tbs.Empty() || len(req.IDs) == 0 {
		return nil, ErrOCSP
	}
	return req, nil
}

func readCertID(in *cryptobyte.String) (id CertID, ok bool) {
	var raw, body, algorithm cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !in.ReadASN1Element(&raw, cbasn1.SEQUENCE) {
		return id, false
	}
	id.Raw = raw
	if !raw.ReadASN1(&body, cbasn1.SEQUENCE) || !body.ReadASN1(&algorithm, cbasn1.SEQUENCE) || !algorithm.ReadASN1ObjectIdentifier(&oid) {
		return id, false
	}
	var null cryptobyte.String
	if !algorithm.Empty() && (!algorithm.ReadASN1(&null, cbasn1.NULL) || !null.Empty() || !algorithm.Empty()) {
		return id, false
	}
	switch {
	case oid.Equal(asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}):
		id.Hash = crypto.SHA1
	case oid.Equal(asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}):
		id.Hash = crypto.SHA256
	}
	id.Serial = new(big.Int)
	if !body.ReadASN1Bytes(&id.NameHash, cbasn1.OCTET_STRING) || !body.ReadASN1Bytes(&id.KeyHash, cbasn1.OCTET_STRING) ||
		!body.ReadASN1Integer(id.Serial) || !body.Empty() || id.Serial.BitLen() > 8*maxSerialBytes {
		return id, false
	}
	return id, true
}

// readOCSPExtensions reads the optional extensions under the tag and returns the nonce. An unknown critical one cannot
// be obeyed.
func readOCSPExtensions(in *cryptobyte.String, tag cbasn1.Tag) (nonce []byte, ok bool) {
	var wrapped, list cryptobyte.String
	var present bool
	if !in.ReadOptionalASN1(&wrapped, &present, tag) {
		return nil, false
	}
	if !present {
		return nil, true
	}
	if !wrapped.ReadASN1(&list, cbasn1.SEQUENCE) || !wrapped.Empty() {
		return nil, false
	}
	for !list.Empty() {
		var e, value cryptobyte.String
		var oid asn1.ObjectIdentifier
		var critical bool
		if !list.ReadASN1(&e, cbasn1.SEQUENCE) || !e.ReadASN1ObjectIdentifier(&oid) || !e.ReadOptionalASN1Boolean(&critical, cbasn1.BOOLEAN, false) ||
			!e.ReadASN1(&value, cbasn1.OCTET_STRING) || !e.Empty() {
			return nil, false
		}
		if !oid.Equal(oidNonce()) {
			if critical {
				return nil, false
			}
			continue
		}
		var n cryptobyte.String
		if nonce != nil || !value.ReadASN1(&n, cbasn1.OCTET_STRING) || !value.Empty() || len(n) < 1 || len(n) > maxNonce {
			return nil, false
		}
		nonce = n
	}
	return nonce, true
}

// OCSPIssuer is what requests name a CA by.
type OCSPIssuer struct{ sha1Name, sha1Key, sha256Name, sha256Key []byte }

// NewOCSPIssuer computes the names of the CA with the certificate.
func NewOCSPIssuer(cert *x509.Certificate) (*OCSPIssuer, error) {
	key, err := publicKeyBits(cert.RawSubjectPublicKeyInfo)
	if err != nil {
		return nil, err
	}
	h := crypto.SHA256.New()
	sum := func(data []byte) []byte { h.Reset(); h.Write(data); return h.Sum(nil) }
	name, keyHash := sha1.Sum(cert.RawSubject), sha1.Sum(key) //nolint:gosec // see the import
	return &OCSPIssuer{name[:], keyHash[:], sum(cert.RawSubject), sum(key)}, nil
}

// Named reports whether id is one of the CA's certificates by name.
func (o *OCSPIssuer) Named(id *CertID) bool {
	switch id.Hash {
	case crypto.SHA1:
		return bytes.Equal(id.NameHash, o.sha1Name) && bytes.Equal(id.KeyHash, o.sha1Key)
	case crypto.SHA256:
		return bytes.Equal(id.NameHash, o.sha256Name) && bytes.Equal(id.KeyHash, o.sha256Key)
	}
	return false
}

func oidNonce() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 2}
}
