package certchain

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/certchain/dn"
)

// authority is a CA certificate with what path validation needs of it.
type authority struct {
	cert        *x509.Certificate
	subjectKey  dn.Key
	issuerKey   dn.Key
	constraints *nameConstraints // nil if it has none
}

// newAuthority compiles a CA certificate. With an error, which says what makes the certificate
// unusable as a CA whatever the path (critical extensions and name constraints that are not
// understood), the result still has its names.
func newAuthority(cert *x509.Certificate) (*authority, error) {
	ca := &authority{cert: cert, subjectKey: dn.KeyOf(cert.RawSubject), issuerKey: dn.KeyOf(cert.RawIssuer)}
	if oid, ok := unknownCritical(cert); ok {
		return ca, fmt.Errorf("the critical extension %s is not understood", oid)
	}
	if requiresPolicy(cert) {
		return ca, errors.New("policy constraints that require an explicit policy are not supported")
	}
	if raw, ok := extension(cert, oidNameConstraints()); ok {
		nc, err := parseNameConstraints(raw)
		if err != nil {
			return ca, err
		}
		ca.constraints = nc
	}
	return ca, nil
}

func oidNameConstraints() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 5, 29, 30} }
func oidSubjectAltName() asn1.ObjectIdentifier  { return asn1.ObjectIdentifier{2, 5, 29, 17} }

// extension returns the value of the extension with the given id. crypto/x509 refuses
// certificates that have an extension twice.
func extension(cert *x509.Certificate, oid asn1.ObjectIdentifier) ([]byte, bool) {
	i := slices.IndexFunc(cert.Extensions, func(e extensionType) bool { return e.Id.Equal(oid) })
	if i < 0 {
		return nil, false
	}
	return cert.Extensions[i].Value, true
}

// unknownCritical returns a critical extension that neither crypto/x509 nor this package
// understands (RFC 5280 §6.1.4 (o), §6.1.5 (f)). Name constraints and alternative names count as
// understood: this package reads every form of theirs, or refuses the certificate.
func unknownCritical(cert *x509.Certificate) (string, bool) {
	for _, oid := range cert.UnhandledCriticalExtensions {
		if !oid.Equal(oidNameConstraints()) && !oid.Equal(oidSubjectAltName()) {
			return clip(oid.String(), 64), true
		}
	}
	return "", false
}

// requiresPolicy reports policy constraints with requireExplicitPolicy. This verifier accepts any
// policy, so certificate policies can only matter below such a CA; the policy tree of RFC 5280
// §6.1.2 is not built, and these paths are refused instead. Without that demand, policy mappings
// and inhibitAnyPolicy cannot change the result.
func requiresPolicy(cert *x509.Certificate) bool {
	return cert.RequireExplicitPolicyZero || cert.RequireExplicitPolicy > 0
}

// checkIssuing applies what RFC 5280 §6.1.4 (k), (l), (m) and (n) ask of a CA that has the given number
// of non-self-issued intermediate CAs between itself and the leaf.
func (ca *authority) checkIssuing(intermediates int, now time.Time) *Error {
	cert := ca.cert
	switch { // describe reads the name again: only when it is needed
	case cert.Version != 3:
		return refuse(Untrusted, msgUntrusted, "%s is an X.509 version %d certificate, version 3 is required", describe(cert), cert.Version)
	case !cert.BasicConstraintsValid || !cert.IsCA:
		return refuse(Untrusted, msgUntrusted, "%s is not a CA certificate (basic constraints)", describe(cert))
	case !maySign(cert, x509.KeyUsageCertSign):
		return refuse(Untrusted, msgUntrusted, "the key usage of %s lacks keyCertSign", describe(cert))
	case hasPathLen(cert) && intermediates > cert.MaxPathLen:
		return refuse(Untrusted, msgUntrusted, "%s allows %d CA certificates below it, the path has %d", describe(cert), cert.MaxPathLen, intermediates)
	}
	if why := weakKey(cert); why != "" {
		return refuse(Weak, msgUntrusted, "%s: %s", describe(cert), why)
	}
	return checkDates(cert, now, msgUntrusted, msgUntrusted)
}

// maySign reports whether the key usage extension, if there is one, allows the usage
// (RFC 5280 §6.1.4 (n): an intermediate without the extension may do anything).
func maySign(cert *x509.Certificate, usage x509.KeyUsage) bool {
	_, present := extension(cert, asn1.ObjectIdentifier{2, 5, 29, 15})
	return !present || cert.KeyUsage&usage != 0
}

func hasPathLen(cert *x509.Certificate) bool {
	return cert.MaxPathLen > 0 || (cert.MaxPathLen == 0 && cert.MaxPathLenZero)
}

// checkDates compares with both dates included, as RFC 5280 §4.1.2.5 says.
func checkDates(cert *x509.Certificate, now time.Time, early, late string) *Error {
	if now.Before(cert.NotBefore) {
		return refuse(NotYetValid, early, "%s is not valid before %s, it is %s", describe(cert), stamp(cert.NotBefore), stamp(now))
	}
	if now.After(cert.NotAfter) {
		return refuse(Expired, late, "%s expired at %s, it is %s", describe(cert), stamp(cert.NotAfter), stamp(now))
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// selfIssued reports whether subject and issuer are the same name (RFC 5280 §6.1).
func (ca *authority) selfIssued() bool { return ca.subjectKey == ca.issuerKey }

// describe names a certificate in a refusal.
func describe(cert *x509.Certificate) string {
	return describeName(cert.RawSubject)
}

func describeName(raw []byte) string {
	name, err := dn.Parse(raw)
	if err != nil || len(name) == 0 {
		return "a certificate without subject"
	}
	// A name may hold anything that UTF-8 can: no line breaks or direction marks into messages.
	return "\"" + strings.Map(printable, clip(name.String(), 160)) + "\""
}
