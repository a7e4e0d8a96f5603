package authority

import (
	"crypto/x509/pkix"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Access is one description of the subject information access extension (RFC 5280 §4.2.2.2).
type Access struct {
	Method   string // object identifier
	Location GeneralName
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
