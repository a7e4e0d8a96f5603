package template

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// definition is the API's TemplateDefinition. The three versions differ in what they must or may have; what one has, it has
// under the same name.
type definition struct {
	TemplateV2, TemplateV3, TemplateV4 *body
}

type body struct {
	CertificateValidity struct{ RenewalPeriod, ValidityPeriod period }
	EnrollmentFlags     struct {
		EnableKeyReuseOnNtTokenKeysetStorageFull, IncludeSymmetricAlgorithms, NoSecurityExtension,
		RemoveInvalidCertificateFromPersonalStore, UserInteractionRequired bool
	}
	Extensions struct {
		KeyUsage struct {
			Critical   bool
			UsageFlags struct{ DataEncipherment, DigitalSignature, KeyAgreement, KeyEncipherment, NonRepudiation bool }
		}
		ApplicationPolicies *struct {
			Critical bool
			Policies []struct{ PolicyObjectIdentifier, PolicyType string }
		}
	}
	GeneralFlags         struct{ AutoEnrollment, MachineType bool }
	HashAlgorithm        string
	PrivateKeyAttributes struct {
		Algorithm        string
		CryptoProviders  []string
		KeySpec          string
		MinimalKeyLength int
		KeyUsageProperty *struct {
			PropertyFlags *struct{ Decrypt, KeyAgreement, Sign bool }
			PropertyType  string
		}
	}
	PrivateKeyFlags struct {
		ClientVersion                                                         string
		ExportableKey, RequireAlternateSignatureAlgorithm                     bool
		RequireSameKeyRenewal, StrongKeyProtectionRequired, UseLegacyProvider bool
	}
	SubjectNameFlags struct {
		RequireCommonName, RequireDirectoryPath, RequireDnsAsCn, RequireEmail, SanRequireDirectoryGuid, SanRequireDns,
		SanRequireDomainDns, SanRequireEmail, SanRequireSpn, SanRequireUpn bool
	}
	SupersededTemplates []string
}

// period is a length of time as the API has it.
type period struct {
	Period     int64
	PeriodType string
}

// duration takes months for 30 days and years for 365, as Windows does.
func (p period) duration() (time.Duration, error) {
	units := map[string]time.Duration{"HOURS": time.Hour, "DAYS": day, "WEEKS": 7 * day, "MONTHS": 30 * day, "YEARS": 365 * day}
	unit := units[p.PeriodType]
	if unit == 0 || p.Period < 1 || p.Period > int64(longest/unit) {
		return 0, fmt.Errorf("a period of %d %.16s is not usable", p.Period, p.PeriodType)
	}
	return time.Duration(p.Period) * unit, nil
}

const (
	day     = 24 * time.Hour
	longest = 200 * 365 * day // bounded by what a time.Duration holds
)

// read finds the one version that is there.
func (d *definition) read(text string) (*body, int, error) {
	if err := json.Unmarshal([]byte(text), d); err != nil {
		return nil, 0, errors.New("the definition is not readable")
	}
	var found *body
	schema, count := 0, 0
	for i, b := range []*body{d.TemplateV2, d.TemplateV3, d.TemplateV4} {
		if b != nil {
			found, schema, count = b, i+2, count+1
		}
	}
	if count != 1 {
		return nil, 0, errors.New("the definition must have one version")
	}
	return found, schema, nil
}
