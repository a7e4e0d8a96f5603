package pcaconnectorad

import (
	"strings"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
	ad "github.com/rolecall/rolecall/internal/awsapi/model/pcaconnectorad"
)

const service = "pca-connector-ad"

// kind is a sort of resource that has an ARN of its own.
type kind string

const (
	kindConnector    kind = "connector"
	kindTemplate     kind = "template"
	kindRegistration kind = "directory-registration"
)

// auditType is the kind's name in audit events and in errors.
func (k kind) auditType() string {
	switch k {
	case kindConnector:
		return "AWS::PCAConnectorAD::Connector"
	case kindTemplate:
		return "AWS::PCAConnectorAD::Template"
	}
	return "AWS::PCAConnectorAD::DirectoryRegistration"
}

func (k kind) noun() string {
	switch k {
	case kindConnector:
		return "Connector"
	case kindTemplate:
		return "Template"
	}
	return "Directory registration"
}

// ref names a resource of the call's account and region. A template's id belongs to its connector's.
type ref struct {
	kind      kind
	connector string
	template  string
	directory string
}

// arn is the resource's name.
func (r ref) arn(call *awsapi.Call) string {
	path := "directory-registration/" + r.directory
	switch r.kind {
	case kindConnector:
		path = "connector/" + r.connector
	case kindTemplate:
		path = "connector/" + r.connector + "/template/" + r.template
	}
	return arn.ARN{Partition: call.Partition, Service: service, Region: call.Region, Account: call.Account, Resource: path}.String()
}

func connectorRef(id string) ref    { return ref{kind: kindConnector, connector: id} }
func registrationRef(id string) ref { return ref{kind: kindRegistration, directory: id} }
func templateRef(connector, t string) ref {
	return ref{kind: kindTemplate, connector: connector, template: t}
}

// parse takes an ARN of one of the kinds; none means any. Resources of other accounts and regions are not there, whoever
// asks.
func parse(call *awsapi.Call, text string, kinds ...kind) (ref, error) {
	a, err := arn.Parse(text)
	if err != nil || a.Service != service {
		return ref{}, invalid("Invalid ARN: %s", clip(text))
	}
	var r ref
	switch p := strings.Split(a.Resource, "/"); {
	case len(p) == 2 && p[0] == "connector" && isUUID(p[1]):
		r = connectorRef(p[1])
	case len(p) == 4 && p[0] == "connector" && isUUID(p[1]) && p[2] == "template" && isUUID(p[3]):
		r = templateRef(p[1], p[3])
	case len(p) == 2 && p[0] == "directory-registration" && isDirectory(p[1]):
		r = registrationRef(p[1])
	default:
		return ref{}, invalid("Invalid ARN: %s", clip(text))
	}
	wanted := len(kinds) == 0
	for _, k := range kinds {
		wanted = wanted || k == r.kind
	}
	if !wanted {
		return ref{}, invalid("Invalid ARN: %s names no %s", clip(text), strings.ToLower(kinds[0].noun()))
	}
	if a.Partition != call.Partition || a.Region != call.Region || a.Account != call.Account {
		return ref{}, notFound(r.kind, text)
	}
	return r, nil
}

func notFound(k kind, text string) *awsapi.Error {
	return missing(k.noun(), k.auditType(), text)
}

// missing is the answer for what has no ARN of its own as well.
func missing(noun, auditType, id string) *awsapi.Error {
	e := ad.ResourceNotFoundException("%s %s not found", noun, clip(id))
	return withMessage(e).With("ResourceId", clip(id)).With("ResourceType", auditType)
}

// withMessage adds the message under the model's own name: SDKs fill typed errors from it.
func withMessage(e *awsapi.Error) *awsapi.Error { return e.With("Message", e.Message) }

func conflict(auditType, id, format string, args ...any) *awsapi.Error {
	return withMessage(ad.ConflictException(format, args...)).With("ResourceId", clip(id)).With("ResourceType", auditType)
}

// invalid refuses what the model's constraints let through.
func invalid(format string, args ...any) *awsapi.Error {
	return because(fieldValidationFailed, format, args...)
}

// reason is a value of the model's ValidationExceptionReason.
type reason string

const (
	fieldValidationFailed reason = "FIELD_VALIDATION_FAILED"
	invalidCASubject      reason = "INVALID_CA_SUBJECT"
	invalidPermission     reason = "INVALID_PERMISSION"
	invalidState          reason = "INVALID_STATE"
	mismatchedConnector   reason = "MISMATCHED_CONNECTOR"
)

func because(reason reason, format string, args ...any) *awsapi.Error {
	return withMessage(ad.ValidationException(format, args...)).With("Reason", string(reason))
}

func overQuota(k string, id string, quota int, what string) *awsapi.Error {
	e := withMessage(ad.ServiceQuotaExceededException("Limit exceeded: at most %d %s", quota, what))
	return e.With("ResourceId", clip(id)).With("ResourceType", k).With("ServiceCode", service).With("QuotaCode", "ROLECALL")
}

func isUUID(text string) bool {
	if len(text) != 36 {
		return false
	}
	for i := range len(text) {
		switch i {
		case 8, 13, 18, 23:
			if text[i] != '-' {
				return false
			}
		default:
			if !isHex(text[i]) {
				return false
			}
		}
	}
	return true
}

func isDirectory(text string) bool {
	if len(text) != 12 || text[:2] != "d-" {
		return false
	}
	for i := 2; i < len(text); i++ {
		if !isHex(text[i]) {
			return false
		}
	}
	return true
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' }

func clip(s string) string {
	if len(s) > 200 {
		return s[:200] + "…"
	}
	return s
}

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// optional is nil for an empty text: what is not set is left out of answers.
func optional[T ~string](text string) *T {
	if text == "" {
		return nil
	}
	return new(T(text))
}
