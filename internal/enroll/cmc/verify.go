package cmc

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	_ "crypto/sha1" //nolint:gosec // only behind Options.AllowSHA1
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/rolecall/rolecall/internal/enroll/hresult"
)

// hashOf is the digest of an object identifier; 0 for one that is not accepted.
func hashOf(o asn1.ObjectIdentifier, opts Options) crypto.Hash {
	switch o.String() {
	case "2.16.840.1.101.3.4.2.1":
		return crypto.SHA256
	case "2.16.840.1.101.3.4.2.2":
		return crypto.SHA384
	case "2.16.840.1.101.3.4.2.3":
		return crypto.SHA512
	case "1.3.14.3.2.26":
		if opts.AllowSHA1 {
			return crypto.SHA1
		}
	}
	return 0
}

// scheme is the kind of a signature.
type scheme int

const (
	schemeUnknown scheme = iota
	schemePKCS1
	schemePSS
	schemeECDSA
)

// schemeOf reads a signature algorithm; hash is 0 where it leaves the digest open.
func schemeOf(a algorithm) (s scheme, hash crypto.Hash) {
	switch a.oid.String() {
	case "1.2.840.113549.1.1.1":
		return schemePKCS1, 0
	case "1.2.840.113549.1.1.5":
		return schemePKCS1, crypto.SHA1
	case "1.2.840.113549.1.1.11":
		return schemePKCS1, crypto.SHA256
	case "1.2.840.113549.1.1.12":
		return schemePKCS1, crypto.SHA384
	case "1.2.840.113549.1.1.13":
		return schemePKCS1, crypto.SHA512
	case "1.2.840.113549.1.1.10":
		return schemePSS, pssHash(a.parameters)
	case "1.2.840.10045.2.1", "1.2.840.10045.4.3": // the key's kind alone, and ecdsa-with-Specified (MS-CNG)
		return schemeECDSA, 0
	case "1.2.840.10045.4.1":
		return schemeECDSA, crypto.SHA1
	case "1.2.840.10045.4.3.2":
		return schemeECDSA, crypto.SHA256
	case "1.2.840.10045.4.3.3":
		return schemeECDSA, crypto.SHA384
	case "1.2.840.10045.4.3.4":
		return schemeECDSA, crypto.SHA512
	}
	return schemeUnknown, 0
}

// pssHash is the digest of RSASSA-PSS parameters (RFC 4055 §3.1): the same for message and mask, one digest of salt. Other
// parameters answer a digest that no signer has.
func pssHash(der []byte) crypto.Hash {
	const none = crypto.MD5SHA1
	var p struct {
		Hash struct {
			OID        asn1.ObjectIdentifier
			Parameters asn1.RawValue `asn1:"optional"`
		} `asn1:"explicit,tag:0"`
		Mask struct {
			OID  asn1.ObjectIdentifier
			Hash struct {
				OID        asn1.ObjectIdentifier
				Parameters asn1.RawValue `asn1:"optional"`
			}
		} `asn1:"explicit,tag:1"`
		Salt    int `asn1:"explicit,tag:2"`
		Trailer int `asn1:"optional,explicit,tag:3,default:1"`
	}
	rest, err := asn1.Unmarshal(der, &p)
	hash := hashOf(p.Hash.OID, Options{})
	if err != nil || len(rest) > 0 || hash == 0 || p.Mask.OID.String() != "1.2.840.113549.1.1.8" || !p.Mask.Hash.OID.Equal(p.Hash.OID) ||
		p.Salt != hash.Size() || p.Trailer != 1 {
		return none
	}
	return hash
}

// verify checks one signature over the content with a key.
func (s *signerInfo) verify(sd *signedData, pub crypto.PublicKey, opts Options) error {
	bad := hresult.Refuse(hresult.BadSignature, "A signature of the request is not valid")
	hash := hashOf(s.digest, opts)
	kind, fixed := schemeOf(s.algorithm)
	if hash == 0 || kind == schemeUnknown {
		return hresult.Refuse(hresult.WeakKey, "A signature of the request has an algorithm that is not accepted, SHA-256 or stronger is required")
	}
	if fixed != 0 && fixed != hash {
		return bad
	}
	signed := sd.content
	if s.attributes != nil {
		if !s.attributesFit(sd, hash) {
			return bad
		}
		signed = s.attributes
	} else if !sd.contentType.Equal(oidData()) { // RFC 5652 §5.3
		return bad
	}
	h := hash.New()
	h.Write(signed)
	sum := h.Sum(nil)
	ok := false
	switch key := pub.(type) {
	case *rsa.PublicKey:
		switch kind {
		case schemePKCS1:
			ok = rsa.VerifyPKCS1v15(key, hash, sum, s.signature) == nil
		case schemePSS:
			ok = rsa.VerifyPSS(key, hash, sum, s.signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		}
	case *ecdsa.PublicKey:
		ok = kind == schemeECDSA && ecdsa.VerifyASN1(key, sum, s.signature)
	}
	if !ok {
		return bad
	}
	return nil
}

// attributesFit reports whether the signed attributes name the content's type and digest, each once (RFC 5652 §11).
func (s *signerInfo) attributesFit(sd *signedData, hash crypto.Hash) bool {
	set := cryptobyte.String(s.attributes)
	var in cryptobyte.String
	if !set.ReadASN1(&in, cbasn1.SET) || !set.Empty() {
		return false
	}
	h := hash.New()
	h.Write(sd.content)
	var types, digests, count int
	for !in.Empty() {
		id, values, ok := readAttribute(&in)
		if count++; !ok || count > maxAttributes {
			return false
		}
		switch {
		case id.Equal(oidContentType()):
			var kind asn1.ObjectIdentifier
			if types++; !values.ReadASN1ObjectIdentifier(&kind) || !values.Empty() || !kind.Equal(sd.contentType) {
				return false
			}
		case id.Equal(oidMessageDigest()):
			var digest cryptobyte.String
			if digests++; !values.ReadASN1(&digest, cbasn1.OCTET_STRING) || !values.Empty() || !bytes.Equal(digest, h.Sum(nil)) {
				return false
			}
		}
	}
	return types == 1 && digests == 1
}

// readAttribute reads one Attribute: a type and the inside of its SET of values.
func readAttribute(in *cryptobyte.String) (id asn1.ObjectIdentifier, values cryptobyte.String, ok bool) {
	var seq cryptobyte.String
	ok = in.ReadASN1(&seq, cbasn1.SEQUENCE) && seq.ReadASN1ObjectIdentifier(&id) && seq.ReadASN1(&values, cbasn1.SET) && seq.Empty()
	return id, values, ok
}
