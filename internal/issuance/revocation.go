package issuance

import (
	"encoding/json"
	"fmt"
	"time"

	pca "github.com/rolecall/rolecall/internal/awsapi/model/acmpca"
	"github.com/rolecall/rolecall/internal/store"
)

// CRLPath is the path under which revocation lists are served: CRLPath, the CA's id, ".crl".
const CRLPath = "/crl/"

// RevocationOf is how the CA publishes revocations.
func RevocationOf(ca *store.CertificateAuthority) (*pca.RevocationConfiguration, error) {
	r := new(pca.RevocationConfiguration)
	if err := json.Unmarshal([]byte(ca.Revocation), r); err != nil {
		return nil, fmt.Errorf("stored revocation configuration of certificate authority %s: %w", ca.ID, err)
	}
	return r, nil
}

// CRLLife is how long a list of the CA is valid; 0 if the CA publishes none.
func CRLLife(r *pca.RevocationConfiguration) time.Duration {
	c := r.CrlConfiguration
	if c == nil || c.Enabled == nil || !*c.Enabled || c.ExpirationInDays == nil {
		return 0
	}
	return time.Duration(*c.ExpirationInDays) * 24 * time.Hour
}

// OmitsCRLExtension reports that the CA's certificates do not say where its list is.
func OmitsCRLExtension(c *pca.CrlConfiguration) bool {
	e := c.CrlDistributionPointExtensionConfiguration
	return e != nil && e.OmitExtension != nil && *e.OmitExtension
}

// distributionPoint is the address for certificates; "" for none.
func distributionPoint(ca *store.CertificateAuthority, r *pca.RevocationConfiguration) string {
	if CRLLife(r) == 0 || OmitsCRLExtension(r.CrlConfiguration) || r.CrlConfiguration.CustomCname == nil {
		return ""
	}
	return "http://" + *r.CrlConfiguration.CustomCname + CRLPath + ca.ID + ".crl"
}
