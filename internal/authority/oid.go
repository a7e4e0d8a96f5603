package authority

import (
	"encoding/asn1"
	"math"
	"strconv"
	"strings"
)

// parseOID reads a dotted object identifier of at most 64 characters. Arcs are bounded by what crypto/x509 reads back.
func parseOID(text string) (asn1.ObjectIdentifier, error) {
	parts := strings.Split(text, ".")
	if len(text) > 64 || len(parts) < 2 {
		return nil, refuse(BadArgument, "%q is not an object identifier", clip(text))
	}
	oid := make(asn1.ObjectIdentifier, len(parts))
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, 32)
		if err != nil || n > math.MaxInt32 || len(p) > 1 && p[0] == '0' {
			return nil, refuse(BadArgument, "%q is not an object identifier with arcs below 2^31", clip(text))
		}
		oid[i] = int(n)
	}
	// X.660: the first arc is 0, 1 or 2, and below 0 and 1 there are forty.
	if oid[0] > 2 || oid[0] < 2 && oid[1] > 39 || oid[0] == 2 && oid[1] > math.MaxInt32-80 {
		return nil, refuse(BadArgument, "%q is not an object identifier", clip(text))
	}
	return oid, nil
}

// Object identifiers of extensions (RFC 5280 §4.2).
func oidSubjectKeyID() asn1.ObjectIdentifier       { return asn1.ObjectIdentifier{2, 5, 29, 14} }
func oidKeyUsage() asn1.ObjectIdentifier           { return asn1.ObjectIdentifier{2, 5, 29, 15} }
func oidAlternativeName() asn1.ObjectIdentifier    { return asn1.ObjectIdentifier{2, 5, 29, 17} }
func oidBasicConstraints() asn1.ObjectIdentifier   { return asn1.ObjectIdentifier{2, 5, 29, 19} }
func oidNameConstraints() asn1.ObjectIdentifier    { return asn1.ObjectIdentifier{2, 5, 29, 30} }
func oidDistributionPoints() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 5, 29, 31} }
func oidPolicies() asn1.ObjectIdentifier           { return asn1.ObjectIdentifier{2, 5, 29, 32} }
func oidAuthorityKeyID() asn1.ObjectIdentifier     { return asn1.ObjectIdentifier{2, 5, 29, 35} }
func oidExtendedUsage() asn1.ObjectIdentifier      { return asn1.ObjectIdentifier{2, 5, 29, 37} }
func oidAuthorityInfoAccess() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 1}
}
func oidSubjectInfoAccess() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 11}
}
