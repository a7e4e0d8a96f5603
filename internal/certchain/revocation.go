package certchain

import (
	"crypto/x509"
)

// checkRevocation looks every certificate of the path up in every list of its issuer. It runs on
// every request, remembered path or not; a lookup costs one hash and one comparison of names.
func checkRevocation(v *Verified, in *Input) error {
	for _, crl := range in.CRLs {
		if crl == nil {
			continue
		}
		for i, cert := range v.path {
			if crl.issuerKey != v.issuers[i] {
				continue
			}
			if entry, ok := crl.lookup(v.serials[i]); ok {
				return revoked(cert, entry, i == 0)
			}
			if in.RequireCurrentCRLs && !crl.Current(in.Now) {
				return refuse(Untrusted, msgUntrusted, "the revocation list of %s was to be renewed by %s",
					describeName(crl.issuer), stamp(crl.nextUpdate))
			}
		}
	}
	return nil
}

func revoked(cert *x509.Certificate, entry crlEntry, leaf bool) *Error {
	what := "the certificate"
	if !leaf {
		what = "the CA certificate"
	}
	return refuse(Revoked, msgRevoked, "%s %s with serial number %s was revoked at %s, reason %s",
		what, describe(cert), serialHex(cert.SerialNumber), stamp(entry.date), entry.reason)
}
