// Package cmctest builds certificate requests as Windows' clients do, for tests: PKCS #10, CMC and renewals, well-formed
// or with one thing wrong. Start with [Request].
package cmctest

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // key identifiers, and requests that must be refused
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Request is a PKCS #10 to build.
type Request struct {
	Key        crypto.Signer
	Subject    pkix.Name // Windows leaves it empty
	DNSNames   []string
	Extensions []pkix.Extension
	Renews     []byte // DER of the certificate in the renewal attribute
	Pairs      [][2]string
	// Breaks spoils the request's own signature.
	Breaks bool
	// SHA1 signs with SHA-1.
	SHA1 bool
}

// TemplateInfo is the extension that names a template by its identifier.
func TemplateInfo(t testing.TB, oid asn1.ObjectIdentifier, major, minor int) pkix.Extension {
	return pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 21, 7}, Value: must(asn1.Marshal(struct {
		OID          asn1.ObjectIdentifier
		Major, Minor int
	}{oid, major, minor}))(t)}
}

// TemplateName is the extension that names a template as certmonger does.
func TemplateName(t testing.TB, name string) pkix.Extension {
	return pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 20, 2}, Value: bmpString(t, name)}
}

func bmpString(t testing.TB, s string) []byte {
	var units []byte
	for _, r := range s {
		units = append(units, byte(r>>8), byte(r))
	}
	return must(asn1.Marshal(asn1.RawValue{Tag: asn1.TagBMPString, Bytes: units}))(t)
}

// UPN asks for a user principal name, SID and SIDName for a SID: as an extension, and by the alternative name that stands for it
// (KB5014754).
func UPN(t testing.TB, upn string) pkix.Extension {
	return alternatives(t, func(b *cryptobyte.Builder) {
		b.AddASN1(explicit(0), func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 20, 2, 3})
			b.AddASN1(explicit(0), func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.UTF8String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(upn)) })
			})
		})
	})
}

// SIDName is described at [UPN].
func SIDName(t testing.TB, sid string) pkix.Extension {
	return alternatives(t, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.Tag(6).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes([]byte("tag:microsoft.com,2022-09-14:sid:" + sid)) })
	})
}

// SID is described at [UPN].
func SID(t testing.TB, sid string) pkix.Extension {
	return pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 25, 2}, Value: build(t, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(explicit(0), func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 25, 2, 1})
				b.AddASN1(explicit(0), func(b *cryptobyte.Builder) { b.AddASN1OctetString([]byte(sid)) })
			})
		})
	})}
}

func alternatives(t testing.TB, names func(*cryptobyte.Builder)) pkix.Extension {
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: build(t, func(b *cryptobyte.Builder) { b.AddASN1(cbasn1.SEQUENCE, names) })}
}

// DER builds the PKCS #10.
func (r Request) DER(t testing.TB) []byte {
	t.Helper()
	req := &x509.CertificateRequest{Subject: r.Subject, DNSNames: r.DNSNames, ExtraExtensions: r.Extensions}
	// crypto/x509 writes extension requests only: the other attributes are put in afterwards, and all is signed again.
	der := must(x509.CreateCertificateRequest(rand.Reader, req, r.Key))(t)
	parsed := must(x509.ParseCertificateRequest(der))(t)
	in := cryptobyte.String(parsed.RawTBSCertificateRequest)
	var seq, version, name, spki, attributes cryptobyte.String
	var present bool
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) || !seq.ReadASN1Element(&version, cbasn1.INTEGER) || !seq.ReadASN1Element(&name, cbasn1.SEQUENCE) ||
		!seq.ReadASN1Element(&spki, cbasn1.SEQUENCE) || !seq.ReadOptionalASN1(&attributes, &present, explicit(0)) {
		t.Fatal("the CSR that crypto/x509 made cannot be read")
	}
	tbs := build(t, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes(version)
			b.AddBytes(name)
			b.AddBytes(spki)
			b.AddASN1(explicit(0), func(b *cryptobyte.Builder) {
				b.AddBytes(attributes)
				if r.Renews != nil {
					attribute(b, asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 13, 1}, r.Renews)
				}
				for _, p := range r.Pairs {
					pair := build(t, func(b *cryptobyte.Builder) {
						b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
							b.AddBytes(bmpString(t, p[0]))
							b.AddBytes(bmpString(t, p[1]))
						})
					})
					attribute(b, asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 13, 2, 1}, pair)
				}
			})
		})
	})
	hash := crypto.SHA256
	if r.SHA1 {
		hash = crypto.SHA1
	}
	signature := sign(t, r.Key, hash, tbs)
	if r.Breaks {
		signature = bytes.Repeat([]byte{1}, len(signature))
	}
	return build(t, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes(tbs)
			algorithm(b, r.Key, hash)
			b.AddASN1BitString(signature)
		})
	})
}

// PKIData wraps a PKCS #10 for CMC. registration is the text of the RegInfo control, "" for none.
func PKIData(t testing.TB, csr []byte, bodyPartID int64, registration string) []byte {
	return build(t, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				if registration == "" {
					return
				}
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1Int64(2)
					b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 7, 18})
					b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) { b.AddASN1OctetString([]byte(registration)) })
				})
			})
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(explicit(0), func(b *cryptobyte.Builder) {
					b.AddASN1Int64(bodyPartID)
					b.AddBytes(csr)
				})
			})
			b.AddASN1(cbasn1.SEQUENCE, func(*cryptobyte.Builder) {})
			b.AddASN1(cbasn1.SEQUENCE, func(*cryptobyte.Builder) {})
		})
	})
}

// Content types of [Sign].
var (
	TypeData    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	TypePKIData = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 12, 2}
)

// Signer is one signature of [Sign]: by a certificate, or by a bare key that is named by its SHA-1.
type Signer struct {
	Key         crypto.Signer
	Certificate *x509.Certificate
	Hash        crypto.Hash // default SHA-256
	// Spoil changes the content that is signed, or the signed attributes.
	WrongDigest, WrongType, NoAttributes, KeyKindOnly bool
}

// Sign builds the SignedData. Certificates are those of the signers that have one.
func Sign(t testing.TB, kind asn1.ObjectIdentifier, content []byte, signers ...Signer) []byte {
	t.Helper()
	return build(t, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2})
			b.AddASN1(explicit(0), func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1Int64(3)
					b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) { digest(b, crypto.SHA256) })
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1ObjectIdentifier(kind)
						b.AddASN1(explicit(0), func(b *cryptobyte.Builder) { b.AddASN1OctetString(content) })
					})
					if slices.ContainsFunc(signers, func(s Signer) bool { return s.Certificate != nil }) {
						b.AddASN1(explicit(0), func(b *cryptobyte.Builder) {
							for _, s := range signers {
								if s.Certificate != nil {
									b.AddBytes(s.Certificate.Raw)
								}
							}
						})
					}
					b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) {
						for _, s := range signers {
							s.add(t, b, kind, content)
						}
					})
				})
			})
		})
	})
}

func (s Signer) add(t testing.TB, b *cryptobyte.Builder, kind asn1.ObjectIdentifier, content []byte) {
	if s.Hash == 0 {
		s.Hash = crypto.SHA256
	}
	h := s.Hash.New()
	h.Write(content)
	sum := h.Sum(nil)
	if s.WrongDigest {
		sum[0] ^= 1
	}
	if s.WrongType {
		kind = asn1.ObjectIdentifier{1, 2, 3}
	}
	attributes := build(t, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) {
			attribute(b, asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}, build(t, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(kind) }))
			attribute(b, asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}, build(t, func(b *cryptobyte.Builder) { b.AddASN1OctetString(sum) }))
		})
	})
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		if s.Certificate != nil {
			b.AddASN1Int64(1)
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddBytes(s.Certificate.RawIssuer)
				b.AddASN1BigInt(s.Certificate.SerialNumber)
			})
		} else {
			b.AddASN1Int64(3)
			b.AddASN1(cbasn1.Tag(0).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes(KeyID(t, s.Key.Public())) })
		}
		digest(b, s.Hash)
		if s.NoAttributes {
			algorithm(b, s.Key, s.Hash)
			b.AddASN1OctetString(sign(t, s.Key, s.Hash, content))
			return
		}
		inside := cryptobyte.String(attributes)
		var list cryptobyte.String
		inside.ReadASN1(&list, cbasn1.SET)
		b.AddASN1(explicit(0), func(b *cryptobyte.Builder) { b.AddBytes(list) })
		if s.KeyKindOnly {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1})
			})
		} else {
			algorithm(b, s.Key, s.Hash)
		}
		b.AddASN1OctetString(sign(t, s.Key, s.Hash, attributes))
	})
}

// KeyID is the SHA-1 of a public key's bits.
func KeyID(t testing.TB, pub crypto.PublicKey) []byte {
	var spki struct {
		Algorithm asn1.RawValue
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(must(x509.MarshalPKIXPublicKey(pub))(t), &spki); err != nil {
		t.Fatal(err)
	}
	sum := sha1.Sum(spki.Key.Bytes) //nolint:gosec // see the import
	return sum[:]
}

func explicit(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }

func attribute(b *cryptobyte.Builder, kind asn1.ObjectIdentifier, value []byte) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(kind)
		b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(value) })
	})
}

func digest(b *cryptobyte.Builder, h crypto.Hash) {
	oid := map[crypto.Hash]asn1.ObjectIdentifier{
		crypto.SHA1: {1, 3, 14, 3, 2, 26}, crypto.SHA256: {2, 16, 840, 1, 101, 3, 4, 2, 1}, crypto.SHA384: {2, 16, 840, 1, 101, 3, 4, 2, 2}, crypto.SHA512: {2, 16, 840, 1, 101, 3, 4, 2, 3},
	}[h]
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oid) })
}

func algorithm(b *cryptobyte.Builder, key crypto.Signer, h crypto.Hash) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		if _, ok := key.(*rsa.PrivateKey); ok {
			last := map[crypto.Hash]int{crypto.SHA1: 5, crypto.SHA256: 11, crypto.SHA384: 12, crypto.SHA512: 13}[h]
			b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, last})
			b.AddASN1NULL()
			return
		}
		oid := asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 1}
		if h != crypto.SHA1 {
			oid = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, map[crypto.Hash]int{crypto.SHA256: 2, crypto.SHA384: 3, crypto.SHA512: 4}[h]}
		}
		b.AddASN1ObjectIdentifier(oid)
	})
}

func sign(t testing.TB, key crypto.Signer, hash crypto.Hash, data []byte) []byte {
	h := hash.New()
	h.Write(data)
	if k, ok := key.(*ecdsa.PrivateKey); ok {
		return must(ecdsa.SignASN1(rand.Reader, k, h.Sum(nil)))(t)
	}
	return must(key.Sign(rand.Reader, h.Sum(nil), hash))(t)
}

func build(t testing.TB, fn func(*cryptobyte.Builder)) []byte {
	var b cryptobyte.Builder
	fn(&b)
	return must(b.Bytes())(t)
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
