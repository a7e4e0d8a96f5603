package s3iam

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// The protocol is that of github.com/versity/versitygw v1.8.0, package iamapi/private.
const (
	protocolHeader  = "X-Vgw-Private-Protocol"
	protocolVersion = 1
	protocolService = "iam" // of the credential scope that the gateway signs for
)

// Codes that the gateway tells apart: to its client, the first is InvalidAccessKeyId, the second InvalidToken, and
// everything else InternalError.
const (
	codeNoSuchIdentity = "NoSuchIdentity"
	codeInvalidToken   = "InvalidToken"
	codeBadRequest     = "BadRequest"
	codeProtocol       = "ProtocolMismatch"
	codeNotTheGateway  = "SignatureDoesNotMatch"
	codeInternal       = "InternalError"
)

// Limits of a request. A batch delete asks about 1,000 keys of up to 1,024 bytes, each of which JSON may write as six.
const (
	maxBody       = 8 << 20
	maxResources  = 1000
	maxActions    = 32
	maxResource   = 2048 // bytes
	maxKeys       = 64   // condition keys
	maxValues     = 16   // of one condition key
	maxPrincipals = 1000
	maxToken      = 64 << 10
)

type signingKeyRequest struct {
	AccessKeyID  string `json:"accessKeyId"`
	SessionToken string `json:"sessionToken"`
	Date         string `json:"date"`
	Region       string `json:"region"`
	Service      string `json:"service"`
}

type signingKeyResponse struct {
	DerivedKey   []byte `json:"derivedKey"`
	PrincipalARN string `json:"principalArn,omitempty"`
	RoleARN      string `json:"roleArn,omitempty"`
}

type evaluateRequest struct {
	AccessKeyID  string              `json:"accessKeyId"`
	SessionToken string              `json:"sessionToken"`
	Actions      []string            `json:"actions"`
	Resources    []string            `json:"resources"`
	Condition    map[string][]string `json:"condition"`
	Region       string              `json:"region"`
}

// The values of a decision.
const (
	allow   = "allow"
	deny    = "deny"
	noMatch = "no_match"
)

// evaluateResponse has a row per resource with a decision per action.
type evaluateResponse struct {
	Decisions        [][]string `json:"decisions"`
	SessionDecisions [][]string `json:"sessionDecisions,omitempty"`
	HasSessionPolicy bool       `json:"hasSessionPolicy,omitempty"`
	PrincipalARN     string     `json:"principalArn,omitempty"`
}

type identitiesRequest struct {
	AccessKeyIDs []string `json:"accessKeyIds"`
}

type identitiesResponse struct {
	Identities []foundIdentity `json:"identities"`
}

type foundIdentity struct {
	Found        bool   `json:"found"`
	Kind         string `json:"kind,omitempty"`
	PrincipalARN string `json:"principalArn,omitempty"`
}

const kindUser = "user"

type principalsRequest struct {
	Principals []string `json:"principals"`
}

type principalsResponse struct {
	Invalid []string `json:"invalid"`
}

type versionResponse struct {
	Protocol      int    `json:"protocol"`
	MinClient     int    `json:"minClient"`
	ServerVersion string `json:"serverVersion"`
	AccountID     string `json:"accountId"`
}

// refusal is an answer other than 200.
type refusal struct {
	status int
	code   string
	text   string
	cause  error // for the log
}

func (r *refusal) Error() string { return r.code + ": " + r.text }
func (r *refusal) Unwrap() error { return r.cause }

func badRequest(format string, args ...any) error {
	return &refusal{status: http.StatusBadRequest, code: codeBadRequest, text: fmt.Sprintf(format, args...)}
}

// checkProtocol refuses a gateway that speaks another version: it may rely on an answer that this package does not give.
func checkProtocol(r *http.Request) error {
	v, err := strconv.Atoi(r.Header.Get(protocolHeader))
	if err != nil || v != protocolVersion {
		return &refusal{status: http.StatusBadRequest, code: codeProtocol, text: fmt.Sprintf("this server speaks version %d of the gateway's private protocol", protocolVersion)}
	}
	return nil
}

func decode(body []byte, into any) error {
	if err := json.Unmarshal(body, into); err != nil {
		return badRequest("the body is not the JSON of this request")
	}
	return nil
}

func (q *evaluateRequest) check() error {
	switch {
	case len(q.Actions) == 0 || len(q.Actions) > maxActions:
		return badRequest("%d actions, want 1 to %d", len(q.Actions), maxActions)
	case len(q.Resources) == 0 || len(q.Resources) > maxResources:
		return badRequest("%d resources, want 1 to %d", len(q.Resources), maxResources)
	case len(q.Condition) > maxKeys:
		return badRequest("%d condition keys, at most %d", len(q.Condition), maxKeys)
	case len(q.SessionToken) > maxToken:
		return badRequest("a session token of %d bytes", len(q.SessionToken))
	}
	for _, r := range q.Resources {
		if len(r) > maxResource {
			return badRequest("a resource of %d bytes, at most %d", len(r), maxResource)
		}
	}
	for key, values := range q.Condition {
		if len(values) > maxValues {
			return badRequest("condition key %.64q has %d values, at most %d", key, len(values), maxValues)
		}
	}
	return nil
}

func (q *signingKeyRequest) check() error {
	if len(q.SessionToken) > maxToken {
		return badRequest("a session token of %d bytes", len(q.SessionToken))
	}
	// A key of another service would let whoever holds the gateway speak to rolecalld itself in the caller's name.
	if q.Service != "s3" {
		return badRequest("signing keys are given out for s3 only")
	}
	return nil
}
