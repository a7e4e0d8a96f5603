package acmpca

import (
	"crypto/x509"
	"encoding/base64"

	"github.com/rolecall/rolecall/internal/authority"
	pca "github.com/rolecall/rolecall/internal/awsapi/model/acmpca"
)

// What follows takes the API's structures to those of package authority.

func toSubject(s *pca.ASN1Subject) *authority.Subject {
	if s == nil {
		return nil
	}
	out := &authority.Subject{
		Country: deref(s.Country), Organization: deref(s.Organization), OrganizationalUnit: deref(s.OrganizationalUnit),
		DistinguishedNameQualifier: deref(s.DistinguishedNameQualifier), State: deref(s.State), CommonName: deref(s.CommonName),
		SerialNumber: deref(s.SerialNumber), Locality: deref(s.Locality), Title: deref(s.Title), Surname: deref(s.Surname),
		GivenName: deref(s.GivenName), Initials: deref(s.Initials), Pseudonym: deref(s.Pseudonym), GenerationQualifier: deref(s.GenerationQualifier),
	}
	for _, a := range s.CustomAttributes {
		out.Custom = append(out.Custom, authority.Attribute{OID: deref(a.ObjectIdentifier), Value: deref(a.Value)})
	}
	return out
}

func toUsage(u *pca.KeyUsage) (usage x509.KeyUsage) {
	if u == nil {
		return 0
	}
	for i, set := range []*bool{u.DigitalSignature, u.NonRepudiation, u.KeyEncipherment, u.DataEncipherment, u.KeyAgreement, u.KeyCertSign, u.CRLSign, u.EncipherOnly, u.DecipherOnly} {
		if deref(set) {
			usage |= 1 << i
		}
	}
	return usage
}

func toName(n *pca.GeneralName) authority.GeneralName {
	out := authority.GeneralName{RFC822: n.Rfc822Name, DNS: n.DnsName, Directory: toSubject(n.DirectoryName), URI: n.UniformResourceIdentifier, IP: n.IpAddress, RegisteredID: n.RegisteredId}
	if o := n.OtherName; o != nil {
		out.OtherName = &authority.OtherName{TypeID: deref(o.TypeId), Value: deref(o.Value)}
	}
	if e := n.EdiPartyName; e != nil {
		out.EDIParty = &authority.EDIPartyName{Assigner: deref(e.NameAssigner), Party: deref(e.PartyName)}
	}
	return out
}

// usageOID is the object identifier of a named extended key usage; "" for an unknown one.
func usageOID(t pca.ExtendedKeyUsageType) string {
	return map[pca.ExtendedKeyUsageType]string{
		pca.ExtendedKeyUsageTypeServerAuth: "1.3.6.1.5.5.7.3.1", pca.ExtendedKeyUsageTypeClientAuth: "1.3.6.1.5.5.7.3.2",
		pca.ExtendedKeyUsageTypeCodeSigning: "1.3.6.1.5.5.7.3.3", pca.ExtendedKeyUsageTypeEmailProtection: "1.3.6.1.5.5.7.3.4",
		pca.ExtendedKeyUsageTypeTimeStamping: "1.3.6.1.5.5.7.3.8", pca.ExtendedKeyUsageTypeOcspSigning: "1.3.6.1.5.5.7.3.9",
		pca.ExtendedKeyUsageTypeSmartCardLogin: "1.3.6.1.4.1.311.20.2.2", pca.ExtendedKeyUsageTypeDocumentSigning: "1.3.6.1.4.1.311.10.3.12",
		pca.ExtendedKeyUsageTypeCertificateTransparency: "1.3.6.1.4.1.11129.2.4.4",
	}[t]
}

func toPassthrough(p *pca.ApiPassthrough) (*authority.Passthrough, error) {
	if p == nil {
		return nil, nil
	}
	out := &authority.Passthrough{Subject: toSubject(p.Subject)}
	e := p.Extensions
	if e == nil {
		return out, nil
	}
	out.Extensions.KeyUsage = toUsage(e.KeyUsage)
	for _, u := range e.ExtendedKeyUsage {
		if (u.ExtendedKeyUsageType == nil) == (u.ExtendedKeyUsageObjectIdentifier == nil) {
			return nil, pca.InvalidArgsException("An extended key usage is given either by its type or by its object identifier")
		}
		oid := deref(u.ExtendedKeyUsageObjectIdentifier)
		if u.ExtendedKeyUsageType != nil {
			oid = usageOID(*u.ExtendedKeyUsageType)
		}
		out.Extensions.ExtendedKeyUsage = append(out.Extensions.ExtendedKeyUsage, oid)
	}
	for _, c := range e.CertificatePolicies {
		policy := authority.Policy{OID: deref(c.CertPolicyId)}
		for _, q := range c.PolicyQualifiers {
			policy.CPS = append(policy.CPS, deref(q.Qualifier.CpsUri)) // CPS is the only kind
		}
		out.Extensions.Policies = append(out.Extensions.Policies, policy)
	}
	for i := range e.SubjectAlternativeNames {
		out.Extensions.AlternativeNames = append(out.Extensions.AlternativeNames, toName(&e.SubjectAlternativeNames[i]))
	}
	for _, c := range e.CustomExtensions {
		value, err := base64.StdEncoding.DecodeString(deref(c.Value))
		if err != nil {
			return nil, pca.InvalidArgsException("The value of extension %s is not Base64", deref(c.ObjectIdentifier))
		}
		out.Extensions.Custom = append(out.Extensions.Custom, authority.CustomExtension{OID: deref(c.ObjectIdentifier), Value: value, Critical: deref(c.Critical)})
	}
	return out, nil
}

func toValidity(v *pca.Validity) *authority.Validity {
	if v == nil {
		return nil
	}
	return &authority.Validity{Type: authority.ValidityType(deref(v.Type)), Value: deref(v.Value)}
}

// accessOID is the object identifier of a named access method.
func accessOID(m *pca.AccessMethod) string {
	if m.CustomObjectIdentifier != nil {
		return *m.CustomObjectIdentifier
	}
	return map[pca.AccessMethodType]string{
		pca.AccessMethodTypeCaRepository: "1.3.6.1.5.5.7.48.5", pca.AccessMethodTypeResourcePkiManifest: "1.3.6.1.5.5.7.48.10",
		pca.AccessMethodTypeResourcePkiNotify: "1.3.6.1.5.5.7.48.13",
	}[deref(m.AccessMethodType)]
}
