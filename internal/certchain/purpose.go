package certchain

import (
	"crypto/x509"
	"encoding/asn1"
	"slices"
)

// Extended key usages that are looked at (RFC 5280 §4.2.1.12).
const (
	ekuAny          = "2.5.29.37.0"
	ekuCodeSigning  = "1.3.6.1.5.5.7.3.3"
	ekuTimeStamping = "1.3.6.1.5.5.7.3.8"
	ekuOCSPSigning  = "1.3.6.1.5.5.7.3.9"
)

// checkPurposes nests the extended key usages along the path: each one narrows what the
// certificates below may be for. See the package comment for why only keys that sign for
// strangers are refused. path is leaf first.
func checkPurposes(path []*authority) *Error {
	var allowed []string
	limited := false
	for i := len(path) - 1; i >= 0; i-- {
		purposes := purposesOf(path[i].cert)
		if len(purposes) == 0 || slices.Contains(purposes, ekuAny) {
			continue
		}
		if limited {
			purposes = slices.DeleteFunc(purposes, func(p string) bool { return !slices.Contains(allowed, p) })
		}
		allowed, limited = purposes, true
	}
	if !limited || slices.ContainsFunc(allowed, authenticates) {
		return nil
	}
	if len(allowed) == 0 {
		return refuse(Insufficient, msgInsufficient, "the extended key usages of the path have no purpose in common")
	}
	return refuse(Insufficient, msgInsufficient,
		"the extended key usage allows only signing for others (%v), use clientAuth", allowed)
}

// authenticates reports whether a purpose is one of a party that signs on its own behalf.
func authenticates(purpose string) bool {
	switch purpose {
	case ekuCodeSigning, ekuTimeStamping, ekuOCSPSigning:
		return false
	}
	return true
}

func purposesOf(cert *x509.Certificate) []string {
	var purposes []string
	raw, ok := extension(cert, asn1.ObjectIdentifier{2, 5, 29, 37})
	if !ok {
		return nil
	}
	var oids []asn1.ObjectIdentifier
	if rest, err := asn1.Unmarshal(raw, &oids); err != nil || len(rest) > 0 {
		return []string{"unreadable"} // crypto/x509 has parsed it before: cannot happen, and narrows
	}
	for _, oid := range oids {
		purposes = append(purposes, oid.String())
	}
	return purposes
}
