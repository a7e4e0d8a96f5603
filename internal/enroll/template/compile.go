package template

import (
	"encoding/asn1"
	"fmt"
	"math/bits"
	"slices"
)

// Source is a template as it is stored.
type Source struct {
	ID, Name, ObjectIdentifier string
	Major, Minor               int
	Definition                 string // JSON of the API's TemplateDefinition
	Access                     []Access
}

// Compile reads a template. An error means that it cannot be offered to anybody.
func Compile(s Source) (*Template, error) {
	t, err := compile(s)
	if err != nil {
		return nil, fmt.Errorf("template %s: %w", s.ID, err)
	}
	return t, nil
}

func compile(s Source) (*Template, error) {
	var d definition
	b, schema, err := d.read(s.Definition)
	if err != nil {
		return nil, err
	}
	t := &Template{ID: s.ID, Name: s.Name, Major: s.Major, Minor: s.Minor, Schema: schema, Superseded: b.SupersededTemplates, access: slices.Clone(s.Access)}
	var ok bool
	if t.OID, ok = parseOID(s.ObjectIdentifier); !ok || s.Major < 1 || s.Minor < 0 {
		return nil, fmt.Errorf("the object identifier or revision cannot be used")
	}
	if t.Validity, err = b.CertificateValidity.ValidityPeriod.duration(); err != nil {
		return nil, err
	}
	if t.Renewal, err = b.CertificateValidity.RenewalPeriod.duration(); err != nil {
		return nil, err
	}
	t.flags(b)
	if err := t.key(b, schema); err != nil {
		return nil, err
	}
	return t, t.extensions(b)
}

// word joins the bits whose condition holds.
func word(list ...struct {
	set bool
	bit uint32
}) uint32 {
	var w uint32
	for _, e := range list {
		if e.set {
			w |= e.bit
		}
	}
	return w
}

func (t *Template) flags(b *body) {
	type flag = struct {
		set bool
		bit uint32
	}
	n, e, k := &b.SubjectNameFlags, &b.EnrollmentFlags, &b.PrivateKeyFlags
	t.SubjectFlags = word(flag{n.RequireCommonName, CommonName}, flag{n.RequireDirectoryPath, DirectoryPath}, flag{n.RequireDnsAsCn, DNSAsCN},
		flag{n.RequireEmail, SubjectEmail}, flag{n.SanRequireDirectoryGuid, SANGUID}, flag{n.SanRequireDns, SANDNS}, flag{n.SanRequireDomainDns, SANDomainDNS},
		flag{n.SanRequireEmail, SANEmail}, flag{n.SanRequireSpn, SANSPN}, flag{n.SanRequireUpn, SANUPN})
	t.EnrollmentFlags = word(flag{e.IncludeSymmetricAlgorithms, symmetricAlgorithms}, flag{b.GeneralFlags.AutoEnrollment, AutoEnrollment},
		flag{e.UserInteractionRequired, userInteraction}, flag{e.RemoveInvalidCertificateFromPersonalStore, removeInvalid},
		flag{e.EnableKeyReuseOnNtTokenKeysetStorageFull, keyReuse}, flag{e.NoSecurityExtension, noSecurityExtension})
	t.GeneralFlags = modified | word(flag{b.GeneralFlags.AutoEnrollment, generalAutoEnrollment}, flag{b.GeneralFlags.MachineType, machineType})
	t.KeyFlags = word(flag{k.ExportableKey, exportableKey}, flag{k.StrongKeyProtectionRequired, strongProtection},
		flag{k.RequireAlternateSignatureAlgorithm, alternateSignature}, flag{k.RequireSameKeyRenewal, sameKeyRenewal}, flag{k.UseLegacyProvider, legacyProvider})
}

// Object identifiers of keys and digests that a template can ask for.
const (
	RSA  = "1.2.840.113549.1.1.1"
	P256 = "1.2.840.10045.3.1.7"
	P384 = "1.3.132.0.34"
	P521 = "1.3.132.0.35"

	SHA256 = "2.16.840.1.101.3.4.2.1"
	SHA384 = "2.16.840.1.101.3.4.2.2"
	SHA512 = "2.16.840.1.101.3.4.2.3"
)

// key reads what the template asks of private keys.
func (t *Template) key(b *body, schema int) error {
	a := &b.PrivateKeyAttributes
	versions := []string{"WINDOWS_SERVER_2003", "WINDOWS_SERVER_2008", "WINDOWS_SERVER_2008_R2", "WINDOWS_SERVER_2012", "WINDOWS_SERVER_2012_R2", "WINDOWS_SERVER_2016"}
	version := slices.Index(versions, b.PrivateKeyFlags.ClientVersion)
	if version < 0 {
		return fmt.Errorf("client version %.32q is not known", b.PrivateKeyFlags.ClientVersion)
	}
	t.KeyFlags |= uint32(version+1) << clientVersionShift //nolint:gosec // 1 to 6
	switch a.KeySpec {
	case "KEY_EXCHANGE":
		t.KeySpec = 1
	case "SIGNATURE":
		t.KeySpec = 2
	default:
		return fmt.Errorf("key specification %.32q is not known", a.KeySpec)
	}
	algorithms := map[string]string{"": RSA, "RSA": RSA, "ECDH_P256": P256, "ECDH_P384": P384, "ECDH_P521": P521}
	hashes := map[string]string{"": "", "SHA256": SHA256, "SHA384": SHA384, "SHA512": SHA512}
	var known, knownHash bool
	t.Algorithm, known = algorithms[a.Algorithm]
	t.Hash, knownHash = hashes[b.HashAlgorithm]
	if t.MinKeyLength = a.MinimalKeyLength; !known || !knownHash || t.MinKeyLength < 1 {
		return fmt.Errorf("the key's algorithm, digest or length is not known")
	}
	if p := a.KeyUsageProperty; p != nil {
		t.KeyUsage = 0xffffff // NCRYPT_ALLOW_ALL_USAGES
		if f := p.PropertyFlags; f != nil {
			t.KeyUsage = 0
			for i, set := range []bool{f.Decrypt, f.Sign, f.KeyAgreement} { // NCRYPT_ALLOW_…_FLAG
				if set {
					t.KeyUsage |= 1 << i
				}
			}
		}
	}
	if t.Providers = a.CryptoProviders; len(t.Providers) == 0 {
		// Without a list Windows takes a provider that makes 1024-bit keys.
		t.Providers = []string{"Microsoft Software Key Storage Provider"}
		if schema == 2 || t.KeyFlags&legacyProvider != 0 {
			t.Providers = []string{"Microsoft Enhanced RSA and AES Cryptographic Provider", "Microsoft RSA SChannel Cryptographic Provider"}
		}
	}
	return nil
}

// extensions builds what every certificate of the template has, in the order in which AD CS lists them.
func (t *Template) extensions(b *body) error {
	info, err := asn1.Marshal(struct {
		OID          asn1.ObjectIdentifier
		Major, Minor int
	}{t.OID, t.Major, t.Minor})
	if err != nil {
		return err
	}
	t.Extensions = append(t.Extensions, Extension{OID: "1.3.6.1.4.1.311.21.7", Name: "Certificate Template Information", Value: info})
	if p := b.Extensions.ApplicationPolicies; p != nil && len(p.Policies) > 0 {
		types := applicationPolicies()
		var purposes []asn1.ObjectIdentifier
		var policies []struct{ OID asn1.ObjectIdentifier }
		for _, policy := range p.Policies {
			text := policy.PolicyObjectIdentifier
			if text == "" {
				text = types[policy.PolicyType]
			}
			oid, ok := parseOID(text)
			if !ok {
				return fmt.Errorf("application policy %.64q is not known", policy.PolicyType+policy.PolicyObjectIdentifier)
			}
			purposes = append(purposes, oid)
			policies = append(policies, struct{ OID asn1.ObjectIdentifier }{oid})
		}
		usage, err := asn1.Marshal(purposes)
		if err != nil {
			return err
		}
		application, err := asn1.Marshal(policies)
		if err != nil {
			return err
		}
		t.Extensions = append(t.Extensions,
			Extension{OID: "2.5.29.37", Name: "Enhanced Key Usage", Critical: p.Critical, Value: usage},
			Extension{OID: "1.3.6.1.4.1.311.21.10", Name: "Application Policies", Critical: p.Critical, Value: application})
	}
	u := &b.Extensions.KeyUsage.UsageFlags
	var octet byte // RFC 5280 §4.2.1.3, bit 0 first
	for i, set := range []bool{u.DigitalSignature, u.NonRepudiation, u.KeyEncipherment, u.DataEncipherment, u.KeyAgreement} {
		if set {
			octet |= 0x80 >> i
		}
	}
	if octet != 0 {
		value := []byte{asn1.TagBitString, 2, byte(bits.TrailingZeros8(octet)), octet} //nolint:gosec // 3 to 7
		t.Extensions = append(t.Extensions, Extension{OID: "2.5.29.15", Name: "Key Usage", Critical: b.Extensions.KeyUsage.Critical, Value: value})
	}
	return nil
}
