package certchain

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"time"
	"unicode"

	"github.com/rolecall/rolecall/internal/certchain/dn"
)

type extensionType = pkix.Extension

// checkLeaf applies the service's constraints on end-entity certificates, which do not depend on
// the path.
func checkLeaf(cert *x509.Certificate, now time.Time) *Error {
	switch {
	case cert.Version != 3:
		return refuse(Insufficient, msgInsufficient, "it is an X.509 version %d certificate, version 3 is required", cert.Version)
	case cert.BasicConstraintsValid && cert.IsCA:
		return refuse(Insufficient, msgInsufficient, "basic constraints say CA:true, an end-entity certificate is required")
	case cert.KeyUsage == 0:
		return refuse(Insufficient, msgInsufficient, "it has no key usage, digitalSignature is required")
	case cert.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return refuse(Insufficient, msgInsufficient, "the key usage lacks digitalSignature")
	case emptySubject(cert):
		return refuse(Insufficient, msgInsufficient, "the subject is empty, the subject identifies the workload")
	}
	if why := weakKey(cert); why != "" {
		return refuse(Weak, msgInsufficient, "%s", why)
	}
	if why := weakSignature(cert.SignatureAlgorithm); why != "" {
		return refuse(Weak, msgInsufficient, "%s", why)
	}
	if oid, ok := unknownCritical(cert); ok {
		return refuse(Insufficient, msgInsufficient, "the critical extension %s is not understood", oid)
	}
	if requiresPolicy(cert) {
		return refuse(Insufficient, msgInsufficient, "policy constraints that require an explicit policy are not supported")
	}
	if why := unreadableNames(cert); why != "" {
		return refuse(Malformed, msgInsufficient, "%s", why)
	}
	return checkDates(cert, now, msgNotYetValid, msgExpired)
}

// unreadableNames refuses what session tags are made of when it has no clear reading.
func unreadableNames(cert *x509.Certificate) string {
	if _, err := dn.Parse(cert.RawSubject); err != nil {
		return "the subject cannot be read"
	}
	if _, err := dn.Parse(cert.RawIssuer); err != nil {
		return "the issuer name cannot be read"
	}
	raw, ok := extension(cert, oidSubjectAltName())
	if !ok {
		return ""
	}
	general, err := dn.ParseGeneralNames(raw)
	if err != nil {
		return "the subject alternative name cannot be read"
	}
	for _, g := range general {
		if g.Kind == dn.DirectoryName {
			if _, err := dn.Parse(g.Bytes); err != nil {
				return "a directory name in the subject alternative name cannot be read"
			}
		}
	}
	return ""
}

// emptySubject reports a subject without any relative distinguished name: SEQUENCE of length 0.
func emptySubject(cert *x509.Certificate) bool { return len(cert.RawSubject) <= 2 }

// printable drops what could break a line or reorder text on a terminal.
func printable(r rune) rune {
	if !unicode.IsPrint(r) {
		return '\uFFFD'
	}
	return r
}
