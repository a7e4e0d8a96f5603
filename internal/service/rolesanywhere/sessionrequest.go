package rolesanywhere

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"unicode/utf8"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi/wire"
)

// sessionRequest is what a caller of CreateSession asks for. The three ARNs come in the query or in the body:
// the official client uses the query, most others the body.
type sessionRequest struct {
	trustAnchor, profile, role          arn.ARN
	trustAnchorARN, profileARN, roleARN string
	durationSeconds                     int    // 0: the profile's
	roleSessionName                     string // "": the certificate's serial number

	hosts []string // awsHosts of the trust anchor's region
}

// sessionBody is what counts of the JSON body. sessionName is the older, ignored spelling of roleSessionName.
type sessionBody struct {
	ProfileArn      *string
	RoleArn         *string
	TrustAnchorArn  *string
	DurationSeconds *string // as written
	RoleSessionName *string
}

const (
	minDuration = 900   // seconds
	maxDuration = 43200 // seconds
)

var sessionNamePattern = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)

// errSerialization marks a body that is not the JSON it should be.
var errSerialization = errors.New("the body is not a JSON object of the expected form")

// parseSessionRequest reads query and body. All failed constraints are reported at once, in AWS's wording. Beside the
// error of a malformed body stands what the query says, for the audit event.
func parseSessionRequest(query url.Values, body []byte) (*sessionRequest, []string, error) {
	var b sessionBody
	var malformed error
	if len(bytes.TrimSpace(body)) > 0 {
		malformed = decodeSessionBody(body, &b)
	}
	req := &sessionRequest{}
	var failed []string
	arns := []struct {
		name, service, prefix string
		body                  *string
		text                  *string
		parsed                *arn.ARN
	}{
		{"trustAnchorArn", "rolesanywhere", "trust-anchor/", b.TrustAnchorArn, &req.trustAnchorARN, &req.trustAnchor},
		{"profileArn", "rolesanywhere", "profile/", b.ProfileArn, &req.profileARN, &req.profile},
		{"roleArn", "iam", "role/", b.RoleArn, &req.roleARN, &req.role},
	}
	for _, a := range arns {
		text, problem := pickARN(a.name, query[a.name], a.body)
		if problem == "" {
			*a.text = text
			*a.parsed, problem = checkARN(a.name, text, a.service, a.prefix)
		}
		if problem != "" {
			failed = append(failed, problem)
		}
	}
	if malformed != nil {
		return req, nil, malformed
	}
	failed = append(failed, req.setOptions(&b)...)
	req.hosts = awsHosts(string(req.trustAnchor.Region))
	return req, failed, nil
}

// decodeSessionBody reads one JSON object. Members are matched exactly and may be there once: what a filter in front of
// this server reads must be what is granted. Unknown members are left aside, and null stands for absence.
func decodeSessionBody(body []byte, b *sessionBody) error {
	fault := wire.ReadObject(body, maxMembers, func(v wire.Value) *wire.Fault {
		var target **string
		kind := wire.StringValue
		switch v.Name {
		case "profileArn":
			target = &b.ProfileArn
		case "roleArn":
			target = &b.RoleArn
		case "trustAnchorArn":
			target = &b.TrustAnchorArn
		case "roleSessionName":
			target = &b.RoleSessionName
		case "durationSeconds":
			target, kind = &b.DurationSeconds, wire.NumberValue
		case "instanceProperties":
			return checkProperties(v)
		default:
			return nil
		}
		switch v.Kind {
		case kind:
			*target = &v.Text
		case wire.NullValue:
		default:
			return errMember
		}
		return nil
	})
	if fault != nil {
		return errSerialization
	}
	return nil
}

// errMember only stops the reader: what the client hears is errSerialization.
var errMember = &wire.Fault{Code: wire.SerializationException}

// checkProperties accepts a map of strings, which plays no part in any decision.
func checkProperties(v wire.Value) *wire.Fault {
	var properties map[string]string
	if v.Kind != wire.NullValue && (v.Kind != wire.OtherValue || json.Unmarshal(v.Raw, &properties) != nil) {
		return errMember
	}
	return nil
}

// maxMembers bounds the members of the body; there are six known ones.
const maxMembers = 64

// pickARN chooses between query and body. Two different answers are refused: a proxy that logs or filters by
// one of them must not be fooled by the other.
func pickARN(name string, query []string, body *string) (text, problem string) {
	switch {
	case len(query) > 1 || len(query) == 1 && body != nil && *body != query[0]:
		return "", fmt.Sprintf("Value at '%s' failed to satisfy constraint: Member must be given once", name)
	case len(query) == 1:
		return query[0], ""
	case body != nil:
		return *body, ""
	}
	return "", fmt.Sprintf("Value at '%s' failed to satisfy constraint: Member must not be null", name)
}

func checkARN(name, text, service, prefix string) (arn.ARN, string) {
	a, err := arn.Parse(text)
	if err == nil && a.Service == service && a.Account != "" && len(a.Resource) > len(prefix) && a.Resource[:len(prefix)] == prefix {
		return a, ""
	}
	return arn.ARN{}, fmt.Sprintf("Value '%s' at '%s' failed to satisfy constraint: Member must be the ARN of a %s", clip(text), name, prefix[:len(prefix)-1])
}

// setOptions takes the optional members over, and says which of them fail.
func (r *sessionRequest) setOptions(b *sessionBody) (failed []string) {
	if b.DurationSeconds != nil {
		n, err := strconv.Atoi(*b.DurationSeconds)
		switch {
		case err != nil:
			failed = append(failed, fmt.Sprintf("Value '%s' at 'durationSeconds' failed to satisfy constraint: Member must be an integer", clip(*b.DurationSeconds)))
		case n < minDuration:
			failed = append(failed, fmt.Sprintf("Value '%d' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to %d", n, minDuration))
		case n > maxDuration:
			failed = append(failed, fmt.Sprintf("Value '%d' at 'durationSeconds' failed to satisfy constraint: Member must have value less than or equal to %d", n, maxDuration))
		default:
			r.durationSeconds = n
		}
	}
	if b.RoleSessionName != nil && *b.RoleSessionName != "" {
		if sessionNamePattern.MatchString(*b.RoleSessionName) {
			r.roleSessionName = *b.RoleSessionName
		} else {
			failed = append(failed, fmt.Sprintf("Value '%s' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]{2,64}", clip(*b.RoleSessionName)))
		}
	}
	return failed
}

// clip bounds what a caller can make us echo.
func clip(s string) string {
	const most = 256
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
