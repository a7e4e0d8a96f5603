package acmpca

import (
	"encoding/json"
	"time"

	pca "github.com/rolecall/rolecall/internal/awsapi/model/acmpca"
	"github.com/rolecall/rolecall/internal/issuance"
	"github.com/rolecall/rolecall/internal/store"
)

// revocationText checks how revocations are to be published and returns it as it is stored. What is not there yet is
// refused: a list that nobody writes must not look as if it were written.
func revocationText(r *pca.RevocationConfiguration) (string, error) {
	if r == nil {
		r = &pca.RevocationConfiguration{}
	}
	if r.CrlConfiguration == nil {
		r.CrlConfiguration = &pca.CrlConfiguration{Enabled: new(false)}
	}
	if o := r.OcspConfiguration; o != nil && deref(o.Enabled) {
		return "", pca.InvalidArgsException("OCSP is not supported yet")
	}
	if c := r.CrlConfiguration; deref(c.Enabled) {
		switch {
		case c.ExpirationInDays == nil:
			return "", pca.InvalidArgsException("ExpirationInDays is required when the CRL is enabled")
		case c.S3BucketName != nil:
			return "", pca.InvalidArgsException("Publishing the CRL to S3 is not supported yet: leave out S3BucketName, and give CustomCname, a name that leads to this server")
		case deref(c.CustomCname) == "" && !issuance.OmitsCRLExtension(c):
			return "", pca.InvalidArgsException("CustomCname is required: a host name, with its port if it is not 80, that leads to this server, which serves the CRL under /crl/")
		case c.CrlType != nil && *c.CrlType != pca.CrlTypeComplete:
			return "", pca.InvalidArgsException("CRLs of type %s are not supported yet", *c.CrlType)
		case c.CustomPath != nil:
			return "", pca.InvalidArgsException("CustomPath is not supported yet")
		}
	}
	text, err := json.Marshal(r)
	return string(text), err
}

// scheduleCRL makes the CA's list due now, or never if it publishes none or has no certificate to sign it with.
func scheduleCRL(ca *store.CertificateAuthority, now time.Time) error {
	r, err := issuance.RevocationOf(ca)
	if err != nil {
		return err
	}
	ca.CRLDueAt = time.Time{}
	if st := status(ca.Status); issuance.CRLLife(r) > 0 && (st == active || st == disabled) {
		ca.CRLDueAt = now
	}
	return nil
}
