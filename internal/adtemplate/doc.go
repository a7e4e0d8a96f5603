// Package adtemplate knows what a certificate template definition of Connector for AD may say: [Check] refuses what no
// client could enroll with or the CA would not sign, and [Predefined] holds the definitions that AD CS brings along.
//
// It turns no definition into certificates or enrollment policies: package enroll does. It relies on the API model for
// the form of single values, which is checked before.
//
// Start with [Check].
package adtemplate

import (
	ad "github.com/rolecall/rolecall/internal/awsapi/model/pcaconnectorad"
)

// definition is what the three schemas have in common, with nil for what one lacks.
type definition struct {
	schema     int
	validity   *ad.CertificateValidity
	keyUsage   *ad.KeyUsage
	policies   *ad.ApplicationPolicies
	algorithm  ad.PrivateKeyAlgorithm
	length     *int32
	providers  []string
	property   *ad.KeyUsageProperty
	superseded []string
	hash       bool
	alternate  bool // signatures of RequireAlternateSignatureAlgorithm
	legacy     bool // providers of the old kind
}

// Schema is the policy schema version (2, 3 or 4) of a definition, 0 if it is not exactly one of them.
func Schema(d *ad.TemplateDefinition) int {
	schema, n := 0, 0
	for i, set := range []bool{d.TemplateV2 != nil, d.TemplateV3 != nil, d.TemplateV4 != nil} {
		if set {
			schema = i + 2
			n++
		}
	}
	if n != 1 {
		return 0
	}
	return schema
}

// flatten expects what the model requires to be there.
func flatten(d *ad.TemplateDefinition) *definition {
	switch Schema(d) {
	case 2:
		t := d.TemplateV2
		return &definition{schema: 2, validity: t.CertificateValidity, keyUsage: t.Extensions.KeyUsage, policies: t.Extensions.ApplicationPolicies,
			algorithm: ad.PrivateKeyAlgorithmRsa, length: t.PrivateKeyAttributes.MinimalKeyLength, providers: t.PrivateKeyAttributes.CryptoProviders,
			superseded: t.SupersededTemplates, legacy: true}
	case 3:
		t := d.TemplateV3
		return &definition{schema: 3, validity: t.CertificateValidity, keyUsage: t.Extensions.KeyUsage, policies: t.Extensions.ApplicationPolicies,
			algorithm: algorithm(t.PrivateKeyAttributes.Algorithm), length: t.PrivateKeyAttributes.MinimalKeyLength, providers: t.PrivateKeyAttributes.CryptoProviders,
			property: t.PrivateKeyAttributes.KeyUsageProperty, superseded: t.SupersededTemplates, hash: true,
			alternate: isSet(t.PrivateKeyFlags.RequireAlternateSignatureAlgorithm)}
	case 4:
		t := d.TemplateV4
		return &definition{schema: 4, validity: t.CertificateValidity, keyUsage: t.Extensions.KeyUsage, policies: t.Extensions.ApplicationPolicies,
			algorithm: algorithm(t.PrivateKeyAttributes.Algorithm), length: t.PrivateKeyAttributes.MinimalKeyLength, providers: t.PrivateKeyAttributes.CryptoProviders,
			property: t.PrivateKeyAttributes.KeyUsageProperty, superseded: t.SupersededTemplates, hash: t.HashAlgorithm != nil,
			alternate: isSet(t.PrivateKeyFlags.RequireAlternateSignatureAlgorithm), legacy: isSet(t.PrivateKeyFlags.UseLegacyProvider)}
	}
	return nil
}

// algorithm is the given one, or RSA: what a schema 4 template without one means.
func algorithm(a *ad.PrivateKeyAlgorithm) ad.PrivateKeyAlgorithm {
	if a == nil {
		return ad.PrivateKeyAlgorithmRsa
	}
	return *a
}

func isSet(b *bool) bool { return b != nil && *b }
