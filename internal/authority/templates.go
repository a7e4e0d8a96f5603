package authority

import (
	"crypto/x509"
	"encoding/asn1"
	"slices"
	"strings"
	"sync"
)

// DefaultTemplate is what a request that names none gets.
const DefaultTemplate = "EndEntityCertificate"

// templateARNPrefix and templateVersion stand around a template's name in its ARN, which has neither region nor account.
const (
	templateARNPrefix = ":acm-pca:::template/"
	templateVersion   = "/V1"
)

// kind is what a template makes.
type kind int

const (
	endEntity kind = iota
	subordinate
	root
)

// source says where extensions that the template leaves open may come from.
type source int

const (
	fromAPI source = 1 << iota
	fromCSR
)

// cdpSource says where CRL distribution points may come from.
type cdpSource int

const (
	cdpConfig cdpSource = 1 << iota
	cdpAPI
	cdpCSR
)

// noLimit is the path length of a template without one.
const noLimit = -1

const (
	usageTLS  = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
	usageSign = x509.KeyUsageDigitalSignature
	usageCA   = x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign | x509.KeyUsageCRLSign
)

// purposes is a template's extended key usage.
type purposes int

const (
	ekuNone purposes = iota
	ekuTLS
	ekuServer
	ekuClient
	ekuCode
	ekuOCSP
)

// oids lists the purposes and whether the extension is critical.
func (p purposes) oids() (list []asn1.ObjectIdentifier, critical bool) {
	server, client := asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 1}, asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 2}
	switch p {
	case ekuTLS:
		return []asn1.ObjectIdentifier{server, client}, false
	case ekuServer:
		return []asn1.ObjectIdentifier{server}, false
	case ekuClient:
		return []asn1.ObjectIdentifier{client}, false
	case ekuCode:
		return []asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 3}}, true
	case ekuOCSP:
		return []asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 9}}, true
	}
	return nil, false
}

// Template says what a certificate contains before anybody asks for anything. Subject and alternative names come from
// the API where the template takes extensions from there and the request gives them, and from the CSR otherwise.
type Template struct {
	name       string
	kind       kind
	pathLen    int
	criticalBC bool // basic constraints
	open       source
	usage      x509.KeyUsage // critical; 0 leaves it open
	purposes   purposes
	cdp        cdpSource
}

// Name is the template's name without "/V1".
func (t *Template) Name() string { return t.name }

// ARN is the template's full name in the partition.
func (t *Template) ARN(partition string) string {
	return "arn:" + partition + templateARNPrefix + t.name + templateVersion
}

// CA reports that the template makes CA certificates.
func (t *Template) CA() bool { return t.kind != endEntity }

// Root reports that the template makes a CA's own, self-signed certificate.
func (t *Template) Root() bool { return t.kind == root }

// FindTemplate takes a template's ARN in any partition; "" is [DefaultTemplate].
func FindTemplate(text string) (*Template, error) {
	name := DefaultTemplate
	if text != "" {
		rest, isARN := strings.CutPrefix(text, "arn:")
		_, rest, found := strings.Cut(rest, templateARNPrefix)
		short, versioned := strings.CutSuffix(rest, templateVersion)
		if !isARN || !found || !versioned {
			return nil, refuse(BadArgument, "%s does not name a certificate template", clip(text))
		}
		name = short
	}
	all := templates()
	i, ok := slices.BinarySearchFunc(all, name, func(t Template, n string) int { return strings.Compare(t.name, n) })
	if !ok {
		return nil, refuse(BadArgument, "there is no certificate template %s", clip(name))
	}
	return &all[i], nil
}

// templates is what FindTemplate looks into: nobody changes it.
var templates = sync.OnceValue(Templates)

// Templates lists all templates by name.
//
// Order of the columns: name, what it makes, path length, basic constraints critical, where open extensions come from,
// key usage, purposes, where CRL distribution points come from.
func Templates() []Template {
	return []Template{
		{"BlankEndEntityCertificate_APICSRPassthrough", endEntity, noLimit, false, fromAPI | fromCSR, 0, ekuNone, cdpConfig | cdpCSR},
		{"BlankEndEntityCertificate_APIPassthrough", endEntity, noLimit, false, fromAPI, 0, ekuNone, cdpConfig},
		{"BlankEndEntityCertificate_CSRPassthrough", endEntity, noLimit, false, fromCSR, 0, ekuNone, cdpConfig | cdpCSR},
		{"BlankEndEntityCertificate_CriticalBasicConstraints_APICSRPassthrough", endEntity, noLimit, true, fromAPI | fromCSR, 0, ekuNone, cdpConfig | cdpAPI | cdpCSR},
		{"BlankEndEntityCertificate_CriticalBasicConstraints_APIPassthrough", endEntity, noLimit, true, fromAPI, 0, ekuNone, cdpConfig | cdpAPI},
		{"BlankEndEntityCertificate_CriticalBasicConstraints_CSRPassthrough", endEntity, noLimit, true, fromCSR, 0, ekuNone, cdpConfig | cdpCSR},
		{"BlankSubordinateCACertificate_PathLen0_APICSRPassthrough", subordinate, 0, true, fromAPI | fromCSR, 0, ekuNone, cdpConfig | cdpCSR},
		{"BlankSubordinateCACertificate_PathLen0_APIPassthrough", subordinate, 0, true, fromAPI, 0, ekuNone, cdpConfig},
		{"BlankSubordinateCACertificate_PathLen0_CSRPassthrough", subordinate, 0, true, fromCSR, 0, ekuNone, cdpConfig | cdpCSR},
		{"BlankSubordinateCACertificate_PathLen1_APICSRPassthrough", subordinate, 1, true, fromAPI | fromCSR, 0, ekuNone, cdpConfig | cdpCSR},
		{"BlankSubordinateCACertificate_PathLen1_APIPassthrough", subordinate, 1, true, fromAPI, 0, ekuNone, cdpConfig},
		{"BlankSubordinateCACertificate_PathLen1_CSRPassthrough", subordinate, 1, true, fromCSR, 0, ekuNone, cdpConfig | cdpCSR},
		{"BlankSubordinateCACertificate_PathLen2_APICSRPassthrough", subordinate, 2, true, fromAPI | fromCSR, 0, ekuNone, cdpConfig | cdpCSR},
		{"BlankSubordinateCACertificate_PathLen2_APIPassthrough", subordinate, 2, true, fromAPI, 0, ekuNone, cdpConfig},
		{"BlankSubordinateCACertificate_PathLen2_CSRPassthrough", subordinate, 2, true, fromCSR, 0, ekuNone, cdpConfig | cdpCSR},
		{"BlankSubordinateCACertificate_PathLen3_APICSRPassthrough", subordinate, 3, true, fromAPI | fromCSR, 0, ekuNone, cdpConfig | cdpCSR},
		{"BlankSubordinateCACertificate_PathLen3_APIPassthrough", subordinate, 3, true, fromAPI, 0, ekuNone, cdpConfig},
		{"BlankSubordinateCACertificate_PathLen3_CSRPassthrough", subordinate, 3, true, fromCSR, 0, ekuNone, cdpConfig | cdpCSR},
		{"CodeSigningCertificate", endEntity, noLimit, false, 0, usageSign, ekuCode, cdpConfig},
		{"CodeSigningCertificate_APICSRPassthrough", endEntity, noLimit, false, fromAPI | fromCSR, usageSign, ekuCode, cdpConfig | cdpCSR},
		{"CodeSigningCertificate_APIPassthrough", endEntity, noLimit, false, fromAPI, usageSign, ekuCode, cdpConfig},
		{"CodeSigningCertificate_CSRPassthrough", endEntity, noLimit, false, fromCSR, usageSign, ekuCode, cdpConfig | cdpCSR},
		{"EndEntityCertificate", endEntity, noLimit, false, 0, usageTLS, ekuTLS, cdpConfig},
		{"EndEntityCertificate_APICSRPassthrough", endEntity, noLimit, false, fromAPI | fromCSR, usageTLS, ekuTLS, cdpConfig | cdpCSR},
		{"EndEntityCertificate_APIPassthrough", endEntity, noLimit, false, fromAPI, usageTLS, ekuTLS, cdpConfig},
		{"EndEntityCertificate_CSRPassthrough", endEntity, noLimit, false, fromCSR, usageTLS, ekuTLS, cdpConfig | cdpCSR},
		{"EndEntityClientAuthCertificate", endEntity, noLimit, false, 0, usageTLS, ekuClient, cdpConfig | cdpCSR},
		{"EndEntityClientAuthCertificate_APICSRPassthrough", endEntity, noLimit, false, fromAPI | fromCSR, usageTLS, ekuClient, cdpConfig | cdpCSR},
		{"EndEntityClientAuthCertificate_APIPassthrough", endEntity, noLimit, false, fromAPI, usageTLS, ekuClient, cdpConfig},
		{"EndEntityClientAuthCertificate_CSRPassthrough", endEntity, noLimit, false, fromCSR, usageTLS, ekuClient, cdpConfig | cdpCSR},
		{"EndEntityServerAuthCertificate", endEntity, noLimit, false, 0, usageTLS, ekuServer, cdpConfig},
		{"EndEntityServerAuthCertificate_APICSRPassthrough", endEntity, noLimit, false, fromAPI | fromCSR, usageTLS, ekuServer, cdpConfig | cdpCSR},
		{"EndEntityServerAuthCertificate_APIPassthrough", endEntity, noLimit, false, fromAPI, usageTLS, ekuServer, cdpConfig},
		{"EndEntityServerAuthCertificate_CSRPassthrough", endEntity, noLimit, false, fromCSR, usageTLS, ekuServer, cdpConfig | cdpCSR},
		{"OCSPSigningCertificate", endEntity, noLimit, false, 0, usageSign, ekuOCSP, cdpConfig},
		{"OCSPSigningCertificate_APICSRPassthrough", endEntity, noLimit, false, fromAPI | fromCSR, usageSign, ekuOCSP, cdpConfig | cdpCSR},
		{"OCSPSigningCertificate_APIPassthrough", endEntity, noLimit, false, fromAPI, usageSign, ekuOCSP, cdpConfig},
		{"OCSPSigningCertificate_CSRPassthrough", endEntity, noLimit, false, fromCSR, usageSign, ekuOCSP, cdpConfig | cdpCSR},
		{"RootCACertificate", root, noLimit, true, 0, usageCA, ekuNone, 0},
		{"RootCACertificate_APIPassthrough", root, noLimit, true, fromAPI, usageCA, ekuNone, 0},
		{"SubordinateCACertificate_PathLen0", subordinate, 0, true, 0, usageCA, ekuNone, cdpConfig},
		{"SubordinateCACertificate_PathLen0_APICSRPassthrough", subordinate, 0, true, fromAPI | fromCSR, usageCA, ekuNone, cdpConfig | cdpCSR},
		{"SubordinateCACertificate_PathLen0_APIPassthrough", subordinate, 0, true, fromAPI, usageCA, ekuNone, cdpConfig},
		{"SubordinateCACertificate_PathLen0_CSRPassthrough", subordinate, 0, true, fromCSR, usageCA, ekuNone, cdpConfig | cdpCSR},
		{"SubordinateCACertificate_PathLen1", subordinate, 1, true, 0, usageCA, ekuNone, cdpConfig},
		{"SubordinateCACertificate_PathLen1_APICSRPassthrough", subordinate, 1, true, fromAPI | fromCSR, usageCA, ekuNone, cdpConfig | cdpCSR},
		{"SubordinateCACertificate_PathLen1_APIPassthrough", subordinate, 1, true, fromAPI, usageCA, ekuNone, cdpConfig},
		{"SubordinateCACertificate_PathLen1_CSRPassthrough", subordinate, 1, true, fromCSR, usageCA, ekuNone, cdpConfig | cdpCSR},
		{"SubordinateCACertificate_PathLen2", subordinate, 2, true, 0, usageCA, ekuNone, cdpConfig},
		{"SubordinateCACertificate_PathLen2_APICSRPassthrough", subordinate, 2, true, fromAPI | fromCSR, usageCA, ekuNone, cdpConfig | cdpCSR},
		{"SubordinateCACertificate_PathLen2_APIPassthrough", subordinate, 2, true, fromAPI, usageCA, ekuNone, cdpConfig},
		{"SubordinateCACertificate_PathLen2_CSRPassthrough", subordinate, 2, true, fromCSR, usageCA, ekuNone, cdpConfig | cdpCSR},
		{"SubordinateCACertificate_PathLen3", subordinate, 3, true, 0, usageCA, ekuNone, cdpConfig},
		{"SubordinateCACertificate_PathLen3_APICSRPassthrough", subordinate, 3, true, fromAPI | fromCSR, usageCA, ekuNone, cdpConfig | cdpCSR},
		{"SubordinateCACertificate_PathLen3_APIPassthrough", subordinate, 3, true, fromAPI, usageCA, ekuNone, cdpConfig},
		{"SubordinateCACertificate_PathLen3_CSRPassthrough", subordinate, 3, true, fromCSR, usageCA, ekuNone, cdpConfig | cdpCSR},
	}
}
