package rolesanywhere

import (
	"fmt"
	"strings"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
	ra "github.com/rolecall/rolecall/internal/awsapi/model/rolesanywhere"
	"github.com/rolecall/rolecall/internal/store"
)

// The source types of a trust anchor that can be stored.
const (
	sourceCertificateBundle store.SourceType = "CERTIFICATE_BUNDLE"
	sourceACMPCA            store.SourceType = "AWS_ACM_PCA" // a private CA of this server
)

// resourceKind is the first part of a resource's name in its ARN.
type resourceKind string

const (
	kindTrustAnchor resourceKind = "trust-anchor"
	kindProfile     resourceKind = "profile"
	kindCRL         resourceKind = "crl"
	kindSubject     resourceKind = "subject"
)

// auditType is the kind's name in audit events.
func (k resourceKind) auditType() string {
	switch k {
	case kindTrustAnchor:
		return "AWS::RolesAnywhere::TrustAnchor"
	case kindProfile:
		return "AWS::RolesAnywhere::Profile"
	case kindCRL:
		return "AWS::RolesAnywhere::CRL"
	}
	return "AWS::RolesAnywhere::Subject"
}

// noun is the kind in the words of error messages.
func (k resourceKind) noun() string {
	switch k {
	case kindTrustAnchor:
		return "Trust anchor"
	case kindProfile:
		return "Profile"
	case kindCRL:
		return "CRL"
	}
	return "Subject"
}

// resourceARN names a resource of the caller's account in the region of the call.
func resourceARN(call *awsapi.Call, k resourceKind, id string) string {
	return arn.RolesAnywhere(call.Region, call.Account, string(k), id).String()
}

func notFound(k resourceKind, id string) *awsapi.Error {
	return ra.ResourceNotFoundException("%s with id %s not found", k.noun(), clip(id))
}

// parseResource takes the ARN of a resource that can carry tags. Resources of other accounts, regions and partitions
// are not there, whoever asks.
func parseResource(call *awsapi.Call, text string) (resourceKind, string, error) {
	a, err := arn.Parse(text)
	if err != nil || a.Service != "rolesanywhere" {
		return "", "", ra.ValidationException("Invalid resource ARN: %s", clip(text))
	}
	kind, id, ok := strings.Cut(a.Resource, "/")
	switch k := resourceKind(kind); k {
	case kindTrustAnchor, kindProfile, kindCRL, kindSubject:
		if !ok || id == "" {
			break
		}
		if a.Account != call.Account || a.Region != call.Region || a.Partition != call.Partition || !isID(id) {
			return "", "", notFound(k, id)
		}
		return k, id, nil
	}
	return "", "", ra.ValidationException("Invalid resource ARN: %s: it names no trust anchor, profile, CRL or subject", clip(text))
}

// isID tells whether text has the form in which ids are made: a UUID in lower case.
func isID(text string) bool {
	if len(text) != 36 {
		return false
	}
	for i := range len(text) {
		c := text[i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
				return false
			}
		}
	}
	return true
}

// overLimit is the answer to a resource beyond a configured quota. The model has no error of its own for it, and
// LimitExceededException would make SDKs try again.
func overLimit(what string, quota int) *awsapi.Error {
	return ra.ValidationException("Limit exceeded: %s", fmt.Sprintf("at most %d %s", quota, what))
}

// storable tells whether text survives every store: PostgreSQL has no NUL characters.
func storable(text string) bool { return !strings.ContainsRune(text, 0) }

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// list keeps an empty list on the wire: clients compare [] with what they sent.
func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}
