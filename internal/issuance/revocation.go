package issuance

import (
	"encoding/json"
	"fmt"

	pca "github.com/rolecall/rolecall/internal/awsapi/model/acmpca"
	"github.com/rolecall/rolecall/internal/store"
)

// RevocationOf is how the CA publishes revocations.
func RevocationOf(ca *store.CertificateAuthority) (*pca.RevocationConfiguration, error) {
	r := new(pca.RevocationConfiguration)
	if err := json.Unmarshal([]byte(ca.Revocation), r); err != nil {
		return nil, fmt.Errorf("stored revocation configuration of certificate authority %s: %w", ca.ID, err)
	}
	return r, nil
}

// OmitsCRLExtension reports that the CA's certificates do not say where its list is.
func OmitsCRLExtension(c *pca.CrlConfiguration) bool {
	e := c.CrlDistributionPointExtensionConfiguration
	return e != nil && e.OmitExtension != nil && *e.OmitExtension
}
