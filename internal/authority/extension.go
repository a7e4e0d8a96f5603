package authority

import (
	"crypto/sha1" //nolint:gosec // RFC 5280 §4.2.1.2 method 1: an identifier, not a protection
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/bits"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Passthrough is what a request asks for beside its CSR. It counts only with templates that take extensions from the API.
type Passthrough struct {
	Subject    *Subject
	Extensions Extensions
}

// Extensions are asked for by their meaning, or in Custom by their bytes.
type Extensions struct {
	KeyUsage         x509.KeyUsage // 0 for none
	ExtendedKeyUsage []string      // object identifiers
	Policies         []Policy
	AlternativeNames []GeneralName
	Custom           []CustomExtension
}

// Policy is a certificate policy with the addresses of practice statements.
type Policy struct {
	OID string
	CPS []string
}

// CustomExtension is an extension whose value the caller encoded: DER.
type CustomExtension struct {
	OID      string
	Value    []byte
	Critical bool
}

// maxListed bounds each list of [Extensions] but for names and custom extensions.
const maxListed = 20

// maxExtensions bounds custom extensions, and all extensions of a CSR.
const maxExtensions = 150

// maxExtensionBytes bounds the value of one extension that is copied as it is: a certificate has to fit where certificates
// are read, in 16 KiB at CreateSession.
const maxExtensionBytes = 8 << 10

// build turns one extension's content into an extension.
func build(oid asn1.ObjectIdentifier, critical bool, fn func(*cryptobyte.Builder)) (pkix.Extension, error) {
	var b cryptobyte.Builder
	fn(&b)
	der, err := b.Bytes()
	if err != nil {
		return pkix.Extension{}, refuse(BadArgument, "extension %s cannot be encoded", oid)
	}
	return pkix.Extension{Id: oid, Critical: critical, Value: der}, nil
}

func basicConstraints(t *Template) (pkix.Extension, error) {
	return build(oidBasicConstraints(), t.criticalBC, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			if t.CA() { // DER leaves the default, FALSE, out
				b.AddASN1Boolean(true)
			}
			if t.pathLen != noLimit {
				b.AddASN1Int64(int64(t.pathLen))
			}
		})
	})
}

func keyUsage(usage x509.KeyUsage) (pkix.Extension, error) {
	return build(oidKeyUsage(), true, func(b *cryptobyte.Builder) { b.AddBytes(usageBits(usage)) })
}

// usageBits is the BIT STRING of a key usage: bit 0 is the most significant, trailing zeros are cut (X.690 §11.2.2).
func usageBits(usage x509.KeyUsage) []byte {
	first, second := bits.Reverse8(byte(usage)), bits.Reverse8(byte(usage>>8))
	if second != 0 {
		return []byte{byte(cbasn1.BIT_STRING), 3, byte(bits.TrailingZeros8(second)), first, second}
	}
	if first != 0 {
		return []byte{byte(cbasn1.BIT_STRING), 2, byte(bits.TrailingZeros8(first)), first}
	}
	return []byte{byte(cbasn1.BIT_STRING), 1, 0}
}

func extendedUsage(oids []asn1.ObjectIdentifier, critical bool) (pkix.Extension, error) {
	return build(oidExtendedUsage(), critical, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			for _, o := range oids {
				b.AddASN1ObjectIdentifier(o)
			}
		})
	})
}

// policies is the certificate policies extension (RFC 5280 §4.2.1.4).
func policies(list []Policy) (pkix.Extension, error) {
	if len(list) > maxListed {
		return pkix.Extension{}, refuse(BadArgument, "at most %d certificate policies", maxListed)
	}
	oids := make([]asn1.ObjectIdentifier, len(list))
	for i, p := range list {
		oid, err := parseOID(p.OID)
		if err != nil {
			return pkix.Extension{}, err
		}
		for _, other := range oids[:i] {
			if other.Equal(oid) { // RFC 5280: a policy appears once
				return pkix.Extension{}, refuse(BadArgument, "the certificate policy %s is there twice", oid)
			}
		}
		oids[i] = oid
		if len(p.CPS) > maxListed {
			return pkix.Extension{}, refuse(BadArgument, "at most %d qualifiers of a certificate policy", maxListed)
		}
		for _, uri := range p.CPS {
			if !validURI(uri) {
				return pkix.Extension{}, refuse(BadArgument, "%q is not a URI", clip(uri))
			}
		}
	}
	return build(oidPolicies(), false, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			for i, p := range list {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(oids[i])
					if len(p.CPS) > 0 {
						b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { addCPS(b, p.CPS) })
					}
				})
			}
		})
	})
}

func addCPS(b *cryptobyte.Builder, uris []string) {
	for _, uri := range uris {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 2, 1})
			b.AddASN1(cbasn1.IA5String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(uri)) })
		})
	}
}

// distributionPoint is the CRL distribution points extension with one address.
func distributionPoint(uri string) (pkix.Extension, error) {
	if !validURI(uri) {
		return pkix.Extension{}, refuse(BadArgument, "%q is not a URI", clip(uri))
	}
	return build(oidDistributionPoints(), false, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(explicit(0), func(b *cryptobyte.Builder) { // distributionPoint
					b.AddASN1(explicit(0), func(b *cryptobyte.Builder) { // fullName
						b.AddASN1(cbasn1.Tag(6).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes([]byte(uri)) })
					})
				})
			})
		})
	})
}

func subjectKeyID(id []byte) (pkix.Extension, error) {
	return build(oidSubjectKeyID(), false, func(b *cryptobyte.Builder) { b.AddASN1OctetString(id) })
}

func authorityKeyID(id []byte) (pkix.Extension, error) {
	return build(oidAuthorityKeyID(), false, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.Tag(0).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes(id) })
		})
	})
}

// keyID is the SHA-1 of the public key's bits (RFC 5280 §4.2.1.2 method 1).
func keyID(spki []byte) ([]byte, error) {
	key, err := publicKeyBits(spki)
	if err != nil {
		return nil, err
	}
	sum := sha1.Sum(key) //nolint:gosec // see the import
	return sum[:], nil
}

// publicKeyBits is the BIT STRING of a public key, without its algorithm.
func publicKeyBits(spki []byte) ([]byte, error) {
	s := cryptobyte.String(spki)
	var seq, algorithm cryptobyte.String
	var key asn1.BitString
	if !s.ReadASN1(&seq, cbasn1.SEQUENCE) || !seq.ReadASN1(&algorithm, cbasn1.SEQUENCE) || !seq.ReadASN1BitString(&key) {
		return nil, refuse(BadCSR, "the public key is malformed")
	}
	return key.Bytes, nil
}

// encode lists the extensions other than alternative names, structured ones first.
func (e *Extensions) encode() ([]pkix.Extension, error) {
	var list []pkix.Extension
	add := func(x pkix.Extension, err error) error {
		if err != nil {
			return err
		}
		for _, have := range list {
			if have.Id.Equal(x.Id) {
				return refuse(BadArgument, "extension %s is there twice", x.Id)
			}
		}
		list = append(list, x)
		return nil
	}
	if e.KeyUsage != 0 {
		if err := add(keyUsage(e.KeyUsage)); err != nil {
			return nil, err
		}
	}
	if len(e.ExtendedKeyUsage) > maxListed || len(e.Custom) > maxExtensions {
		return nil, refuse(BadArgument, "at most %d extended key usages and %d custom extensions", maxListed, maxExtensions)
	}
	if len(e.ExtendedKeyUsage) > 0 {
		oids := make([]asn1.ObjectIdentifier, len(e.ExtendedKeyUsage))
		for i, text := range e.ExtendedKeyUsage {
			oid, err := parseOID(text)
			if err != nil {
				return nil, err
			}
			oids[i] = oid
		}
		if err := add(extendedUsage(oids, false)); err != nil {
			return nil, err
		}
	}
	if len(e.Policies) > 0 {
		if err := add(policies(e.Policies)); err != nil {
			return nil, err
		}
	}
	for _, c := range e.Custom {
		oid, err := parseOID(c.OID)
		if err != nil {
			return nil, err
		}
		if oid.Equal(oidAlternativeName()) && len(e.AlternativeNames) > 0 {
			return nil, refuse(BadArgument, "extension %s is there twice", oid)
		}
		if !wellFormed(c.Value) {
			return nil, refuse(BadArgument, "the value of extension %s is not one DER element", oid)
		}
		if err := add(pkix.Extension{Id: oid, Critical: c.Critical, Value: c.Value}, nil); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// wellFormed tells whether der is exactly one element.
func wellFormed(der []byte) bool {
	s := cryptobyte.String(der)
	var inner cryptobyte.String
	var tag cbasn1.Tag
	return s.ReadAnyASN1(&inner, &tag) && s.Empty()
}
