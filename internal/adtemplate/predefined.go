package adtemplate

import (
	"strings"

	ad "github.com/rolecall/rolecall/internal/awsapi/model/pcaconnectorad"
)

// Preset is a definition that AD CS brings along, taken to schema 2, which every client since Windows Server 2003 reads.
type Preset struct {
	Name  string // as AD CS calls it, without spaces
	Title string // for people
	preset
}

// preset is what the presets differ in.
type preset struct {
	years    int64
	machine  bool
	sign     bool // the key is for signatures only; otherwise for key exchange as well
	encipher bool // the key usage is key encipherment only
	smime    bool // list symmetric algorithms
	export   bool
	manual   bool // no auto-enrollment
	subject  ad.SubjectNameFlagsV2
	policies []ad.ApplicationPolicyType
	super    []string
}

var yes = new(true)

// The subject names of AD CS's templates.
var (
	pathUPN     = ad.SubjectNameFlagsV2{RequireDirectoryPath: yes, SanRequireUpn: yes}
	pathMailUPN = ad.SubjectNameFlagsV2{RequireDirectoryPath: yes, RequireEmail: yes, SanRequireUpn: yes, SanRequireEmail: yes}
	dnsName     = ad.SubjectNameFlagsV2{RequireDnsAsCn: yes, SanRequireDns: yes}
	dnsSANOnly  = ad.SubjectNameFlagsV2{SanRequireDns: yes}
)

const (
	clientAuth = ad.ApplicationPolicyTypeClientAuthentication
	serverAuth = ad.ApplicationPolicyTypeServerAuthentication
	smartCard  = ad.ApplicationPolicyTypeSmartCardLogin
)

// Predefined are AD CS's templates, values as in a directory that it has set up. AD CS's own KDC entry, Kerberos
// Authentication, is after MS-CRTD and RFC 4556: domain names, and the KDC purpose beside those of a domain controller.
var Predefined = []Preset{
	{"UserSignature", "User Signature", preset{years: 1, sign: true, subject: pathMailUPN, policies: []ad.ApplicationPolicyType{ad.ApplicationPolicyTypeSecureEmail, clientAuth}}},
	{"Computer", "Computer", preset{years: 1, machine: true, subject: dnsName, policies: []ad.ApplicationPolicyType{clientAuth, serverAuth}}},
	{"Workstation", "Workstation Authentication", preset{years: 1, machine: true, subject: dnsSANOnly, policies: []ad.ApplicationPolicyType{clientAuth}}},
	{"CodeSigning", "Code Signing", preset{years: 1, sign: true, subject: pathUPN, policies: []ad.ApplicationPolicyType{ad.ApplicationPolicyTypeCodeSigning}}},
	{"SmartcardLogon", "Smartcard Logon", preset{years: 1, manual: true, subject: pathUPN, policies: []ad.ApplicationPolicyType{clientAuth, smartCard}}},
	{"EnrollmentAgent", "Enrollment Agent", preset{years: 2, sign: true, subject: pathUPN, policies: []ad.ApplicationPolicyType{ad.ApplicationPolicyTypeCertificateRequestAgent}}},
	{"MachineEnrollmentAgent", "Enrollment Agent (Computer)", preset{years: 2, machine: true, sign: true, subject: dnsName, policies: []ad.ApplicationPolicyType{ad.ApplicationPolicyTypeCertificateRequestAgent}}},
	{"IPSec", "IPSec", preset{years: 2, machine: true, subject: dnsName, policies: []ad.ApplicationPolicyType{ad.ApplicationPolicyTypeIpSecurityIkeIntermediate}}},
	{"TrustListSigning", "Trust List Signing", preset{years: 1, sign: true, subject: pathUPN, policies: []ad.ApplicationPolicyType{ad.ApplicationPolicyTypeMicrosoftTrustListSigning}}},
	{"EFSRecovery", "EFS Recovery Agent", preset{years: 5, encipher: true, smime: true, export: true, subject: pathUPN, policies: []ad.ApplicationPolicyType{ad.ApplicationPolicyTypeFileRecovery}}},
	{"DomainControllerAuthentication", "Domain Controller Authentication", preset{years: 1, machine: true, subject: dnsSANOnly, policies: []ad.ApplicationPolicyType{clientAuth, serverAuth, smartCard}, super: []string{"DomainController"}}},
	{"KerberosAuthentication", "Kerberos Authentication", preset{years: 1, machine: true, subject: ad.SubjectNameFlagsV2{SanRequireDns: yes, SanRequireDomainDns: yes},
		policies: []ad.ApplicationPolicyType{clientAuth, serverAuth, smartCard, ad.ApplicationPolicyTypeKdcAuthentication}}},
	{"RASAndIASServer", "RAS and IAS Server", preset{years: 1, machine: true, subject: ad.SubjectNameFlagsV2{RequireCommonName: yes, SanRequireDns: yes}, policies: []ad.ApplicationPolicyType{clientAuth, serverAuth}}},
}

// FindPredefined takes a preset's name or title, in any case.
func FindPredefined(name string) (*Preset, bool) {
	for i := range Predefined {
		if p := &Predefined[i]; strings.EqualFold(p.Name, name) || strings.EqualFold(p.Title, name) {
			return p, true
		}
	}
	return nil, false
}

// Definition is the preset as the API takes it, with renewal six weeks before the end.
func (p *Preset) Definition() *ad.TemplateDefinition {
	purposes := make([]ad.ApplicationPolicy, len(p.policies))
	for i, policy := range p.policies {
		purposes[i].PolicyType = &policy
	}
	spec, usage := ad.KeySpecKeyExchange, ad.KeyUsageFlags{DigitalSignature: yes, KeyEncipherment: yes}
	switch {
	case p.sign:
		spec, usage = ad.KeySpecSignature, ad.KeyUsageFlags{DigitalSignature: yes}
	case p.encipher:
		usage = ad.KeyUsageFlags{KeyEncipherment: yes}
	}
	subject := p.subject
	return &ad.TemplateDefinition{TemplateV2: &ad.TemplateV2{
		CertificateValidity: &ad.CertificateValidity{
			ValidityPeriod: &ad.ValidityPeriod{Period: new(p.years), PeriodType: new(ad.ValidityPeriodTypeYears)},
			RenewalPeriod:  &ad.ValidityPeriod{Period: new(int64(6)), PeriodType: new(ad.ValidityPeriodTypeWeeks)},
		},
		EnrollmentFlags:      &ad.EnrollmentFlagsV2{IncludeSymmetricAlgorithms: new(p.smime)},
		Extensions:           &ad.ExtensionsV2{KeyUsage: &ad.KeyUsage{Critical: yes, UsageFlags: &usage}, ApplicationPolicies: &ad.ApplicationPolicies{Policies: purposes}},
		GeneralFlags:         &ad.GeneralFlagsV2{AutoEnrollment: new(!p.manual), MachineType: new(p.machine)},
		PrivateKeyAttributes: &ad.PrivateKeyAttributesV2{KeySpec: &spec, MinimalKeyLength: new(int32(minRSA))},
		PrivateKeyFlags:      &ad.PrivateKeyFlagsV2{ClientVersion: new(ad.ClientCompatibilityV2WindowsServer2003), ExportableKey: new(p.export)},
		SubjectNameFlags:     &subject,
		SupersededTemplates:  p.super,
	}}
}
