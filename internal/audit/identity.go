package audit

import (
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

// IdentityType is CloudTrail's userIdentity.type.
type IdentityType string

const (
	IdentityRoot        IdentityType = "Root"
	IdentityUser        IdentityType = "IAMUser"
	IdentityAssumedRole IdentityType = "AssumedRole"
	IdentityFederated   IdentityType = "FederatedUser"
	IdentityAccount     IdentityType = "AWSAccount"
	IdentityService     IdentityType = "AWSService"
	IdentityWebIdentity IdentityType = "WebIdentityUser"
	IdentityUnknown     IdentityType = "Unknown" // the caller could not be authenticated
)

// UserIdentity is who made the request.
type UserIdentity struct {
	Type        IdentityType
	PrincipalID string
	ARN         string
	Account     arn.AccountID
	AccessKeyID string
	UserName    string // of an IAM user
	InvokedBy   string // the service, for AWSService
	// IdentityProvider is the ARN of the provider that vouches for a WebIdentityUser.
	IdentityProvider string
	Session          *SessionContext
}

// SessionContext describes the temporary credentials that signed the request.
type SessionContext struct {
	IssuerType       IssuerType // zero value: Role
	IssuerID         string     // AROA…
	IssuerARN        string
	IssuerAccount    arn.AccountID
	IssuerName       string // the role's name
	SessionName      string
	SourceIdentity   string
	CreatedAt        time.Time
	MFAAuthenticated bool
	// FederatedProvider is the ARN of the provider whose token began the session.
	FederatedProvider string
}

// IssuerType is what issued a session.
type IssuerType string

const (
	IssuerRole IssuerType = "Role"
	IssuerUser IssuerType = "IAMUser"
	IssuerRoot IssuerType = "Root"
)

// username is what LookupEvents matches as Username: the user's name, the session's name, root, or the calling service.
func (u *UserIdentity) username() string {
	switch {
	case u.UserName != "":
		return u.UserName
	case u.Session != nil && u.Session.SessionName != "":
		return u.Session.SessionName
	case u.Type == IdentityRoot:
		return "root"
	}
	return u.InvokedBy
}

func (u *UserIdentity) appendJSON(b []byte) []byte {
	var o object
	o.open(b)
	kind := u.Type
	if kind == "" {
		kind = IdentityUnknown
	}
	o.text("type", string(kind), maxIdentifier)
	o.text("principalId", u.PrincipalID, maxIdentifier)
	o.text("arn", u.ARN, maxIdentifier)
	o.text("accountId", string(u.Account), maxIdentifier)
	o.text("accessKeyId", u.AccessKeyID, maxIdentifier)
	o.text("userName", u.UserName, maxIdentifier)
	o.text("identityProvider", u.IdentityProvider, maxIdentifier)
	if u.Session != nil {
		o.name("sessionContext")
		o.buf = u.Session.appendJSON(o.buf)
	}
	o.text("invokedBy", u.InvokedBy, maxIdentifier)
	return o.close()
}

func (s *SessionContext) appendJSON(b []byte) []byte {
	var o object
	o.open(b)
	if s.IssuerID != "" || s.IssuerARN != "" {
		var issuer object
		kind := s.IssuerType
		if kind == "" {
			kind = IssuerRole
		}
		o.name("sessionIssuer")
		issuer.open(o.buf)
		issuer.text("type", string(kind), maxIdentifier)
		issuer.text("principalId", s.IssuerID, maxIdentifier)
		issuer.text("arn", s.IssuerARN, maxIdentifier)
		issuer.text("accountId", string(s.IssuerAccount), maxIdentifier)
		issuer.text("userName", s.IssuerName, maxIdentifier)
		o.buf = issuer.close()
	}
	if s.FederatedProvider != "" {
		var federation object
		o.name("webIdFederationData")
		federation.open(o.buf)
		federation.text("federatedProvider", s.FederatedProvider, maxIdentifier)
		o.buf = federation.close()
	}
	o.text("sourceIdentity", s.SourceIdentity, maxIdentifier)
	var attributes object
	o.name("attributes")
	attributes.open(o.buf)
	attributes.time("creationDate", s.CreatedAt)
	// CloudTrail writes this flag as a string.
	mfa := "false"
	if s.MFAAuthenticated {
		mfa = "true"
	}
	attributes.text("mfaAuthenticated", mfa, maxText)
	o.buf = attributes.close()
	return o.close()
}
