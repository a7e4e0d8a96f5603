package authority

import (
	"crypto/x509/pkix"
	"encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Access is one description of the subject information access extension (RFC 5280 §4.2.2.2).
type Access struct {
	Method   string // object identifier
	Location GeneralName
}

// authorityInfoAccess is where to ask about a certificate and where its issuer's is (RFC 5280 §4.2.2.1); "" for nowhere.
func authorityInfoAccess(ocsp, issuers string) (pkix.Extension, error) {
	for _, uri := range []string{ocsp, issuers} {
		if uri != "" && !validURI(uri) {
			return pkix.Extension{}, refuse(BadArgument, "%q is not a URI", clip(uri))
		}
	}
	return build(oidAuthorityInfoAccess(), false, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			for method, uri := range []string{ocsp, issuers} {
				if uri == "" {
					continue
				}
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1 + method})
					b.AddASN1(cbasn1.Tag(6).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes([]byte(uri)) })
				})
			}
		})
	})
}

func subjectInfoAccess(list []Access) (pkix.Extension, error) {
	var bad error
	e, err := build(oidSubjectInfoAccess(), false, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			for _, a := range list {
				oid, err := parseOID(a.Method)
				if err != nil {
					bad = err
					return
				}
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(oid)
					if err := a.Location.add(b); err != nil {
						bad = err
					}
				})
			}
		})
	})
	if bad != nil {
		return e, bad
	}
	return e, err
}
