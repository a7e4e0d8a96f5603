package adtemplate

import (
	"crypto/x509"
	"fmt"
	"strings"

	ad "github.com/rolecall/rolecall/internal/awsapi/model/pcaconnectorad"
)

// RSA key lengths, in bits, of requests that the CA certifies.
const (
	minRSA = 2048
	maxRSA = 8192
)

// curves are the key lengths of the elliptic curves: a template cannot ask for another.
var curves = map[ad.PrivateKeyAlgorithm]int32{
	ad.PrivateKeyAlgorithmEcdhP256: 256,
	ad.PrivateKeyAlgorithmEcdhP384: 384,
	ad.PrivateKeyAlgorithmEcdhP521: 521,
}

// Check looks at what the model's constraints on single values leave open. name is the template's own; "" for none.
func Check(name string, d *ad.TemplateDefinition) error {
	f := flatten(d)
	if f == nil {
		return fmt.Errorf("the definition must hold exactly one of TemplateV2, TemplateV3 and TemplateV4")
	}
	for _, check := range []func() error{f.checkValidity, f.checkKey, f.checkProperty, f.checkUsage, f.checkPolicies, f.checkProviders} {
		if err := check(); err != nil {
			return err
		}
	}
	return f.checkSuperseded(name)
}

func (f *definition) checkValidity() error {
	life, ok := Duration(f.validity.ValidityPeriod)
	if !ok {
		return fmt.Errorf("the validity period is longer than 200 years")
	}
	renewal, ok := Duration(f.validity.RenewalPeriod)
	if !ok || renewal >= life {
		return fmt.Errorf("the renewal period must be shorter than the validity period")
	}
	return nil
}

func (f *definition) checkKey() error {
	if bits, ok := curves[f.algorithm]; ok {
		if f.legacy {
			return fmt.Errorf("a legacy provider has no %s keys", f.algorithm)
		}
		if *f.length != bits {
			return fmt.Errorf("the minimal key length of %s is %d, not %d", f.algorithm, bits, *f.length)
		}
		return nil
	}
	if *f.length < minRSA || *f.length > maxRSA {
		return fmt.Errorf("the minimal key length of RSA keys must be %d to %d, not %d", minRSA, maxRSA, *f.length)
	}
	if f.legacy && f.alternate {
		return fmt.Errorf("a legacy provider makes no alternate signatures")
	}
	return nil
}

func (f *definition) checkProperty() error {
	p := f.property
	if p == nil {
		return nil
	}
	if (p.PropertyFlags == nil) == (p.PropertyType == nil) {
		return fmt.Errorf("a key usage property is either a type or flags")
	}
	if p.PropertyFlags != nil && !isSet(p.PropertyFlags.Decrypt) && !isSet(p.PropertyFlags.KeyAgreement) && !isSet(p.PropertyFlags.Sign) {
		return fmt.Errorf("the flags of the key usage property allow nothing")
	}
	return nil
}

// checkUsage: RFC 5280 §4.2.1.3 wants at least one bit.
func (f *definition) checkUsage() error {
	u := f.keyUsage.UsageFlags
	for _, set := range []*bool{u.DataEncipherment, u.DigitalSignature, u.KeyAgreement, u.KeyEncipherment, u.NonRepudiation} {
		if isSet(set) {
			return nil
		}
	}
	return fmt.Errorf("the key usage allows nothing")
}

func (f *definition) checkPolicies() error {
	if f.policies == nil {
		return nil
	}
	seen := map[string]bool{}
	for _, p := range f.policies.Policies {
		if (p.PolicyType == nil) == (p.PolicyObjectIdentifier == nil) {
			return fmt.Errorf("an application policy is either a type or an object identifier")
		}
		key := ""
		if p.PolicyType != nil {
			key = string(*p.PolicyType)
		} else {
			key = *p.PolicyObjectIdentifier
			if err := CheckOID(key); err != nil {
				return err
			}
		}
		if seen[key] {
			return fmt.Errorf("application policy %s is there twice", key)
		}
		seen[key] = true
	}
	return nil
}

// CheckOID takes object identifiers that every client can read: in their one form, and with arcs below 2^32, as Windows
// drops a policy that holds a larger one.
func CheckOID(text string) error {
	oid, err := x509.ParseOID(text)
	if err != nil || oid.String() != text {
		return fmt.Errorf("%s is not an object identifier", text)
	}
	for arc := range strings.SplitSeq(text, ".") {
		if !below32(arc) {
			return fmt.Errorf("object identifier %s has an arc of more than 32 bits", text)
		}
	}
	return nil
}

func (f *definition) checkProviders() error {
	seen := map[string]bool{}
	for _, p := range f.providers {
		for _, r := range p {
			if r < ' ' || r == 0x7f || r == 0xfffd {
				return fmt.Errorf("the name of a cryptographic provider has a control character")
			}
		}
		if key := strings.ToLower(p); seen[key] {
			return fmt.Errorf("cryptographic provider %s is there twice", p)
		} else {
			seen[key] = true
		}
	}
	return nil
}

// checkSuperseded does not ask whether the templates are there: most are AD CS's own.
func (f *definition) checkSuperseded(name string) error {
	seen := map[string]bool{}
	for _, s := range f.superseded {
		key := strings.ToLower(s)
		if name != "" && key == strings.ToLower(name) {
			return fmt.Errorf("a template cannot supersede itself")
		}
		if seen[key] {
			return fmt.Errorf("superseded template %s is there twice", s)
		}
		seen[key] = true
	}
	return nil
}
