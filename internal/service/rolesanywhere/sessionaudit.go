package rolesanywhere

import (
	"context"
	"errors"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/audit"
	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/certchain/dn"
	"github.com/rolecall/rolecall/internal/store"
)

// now writes when the attempt was made and from where.
func (a *attempt) now(e *audit.Event) {
	e.EventTime, e.RequestID, e.SourceIP, e.UserAgent = a.raw.Now, a.raw.RequestID, a.raw.SourceIP, a.raw.UserAgent
	if a.raw.TLS {
		a.tls.ClientProvidedHostHeader = a.raw.Host
		e.TLS = &a.tls
	}
}

// describe makes e the audit event of an attempt, as far as the attempt came, without what [attempt.now] writes.
func describe(e *audit.Event, a *attempt) {
	*e = audit.Event{
		EventSource: EventSource, EventName: "CreateSession", Region: a.raw.Region,
		UserIdentity: audit.UserIdentity{Type: audit.IdentityUnknown},
		Resources:    make([]audit.Resource, 0, 3),
	}
	if r := a.request; r != nil {
		// The event belongs where its owner looks for it, whatever region a bad signature names.
		e.Account, e.Region = r.trustAnchor.Account, r.trustAnchor.Region
		e.CreateSession = &audit.CreateSessionParams{
			ProfileARN: r.profileARN, RoleARN: r.roleARN, TrustAnchorARN: r.trustAnchorARN,
			SessionName: r.roleSessionName, DurationSeconds: r.durationSeconds, CertDER: a.leafDER,
		}
	}
	if a.leaf != nil && e.CreateSession != nil {
		e.CreateSession.Fingerprint = a.leaf.Fingerprint()
	}
	if a.anchor != nil {
		e.Resources = append(e.Resources, audit.Resource{Type: "AWS::RolesAnywhere::TrustAnchor", Name: a.anchor.Row.ID, ARN: a.request.trustAnchorARN})
	}
	if a.profile != nil {
		e.Resources = append(e.Resources, audit.Resource{Type: "AWS::RolesAnywhere::Profile", Name: a.profile.Row.ID, ARN: a.request.profileARN})
	}
	if a.attrs != nil {
		e.UserIdentity = audit.UserIdentity{Type: audit.IdentityService, InvokedBy: EventSource, PrincipalID: a.attrs.SourceIdentity, Account: a.anchor.Row.Account}
		id := a.subjectID()
		e.Resources = append(e.Resources, audit.Resource{Type: "AWS::RolesAnywhere::Subject", Name: id, ARN: arn.RolesAnywhere(a.anchor.Row.Region, a.anchor.Row.Account, "subject", id).String()})
	}
}

// subjectID is the id of the certificate's subject, once its attributes are there.
func (a *attempt) subjectID() string {
	if a.plan != nil {
		return a.plan.subjectID
	}
	return subjectID(a.anchor.Row.Account, a.anchor.Row.Region, a.attrs.Subject)
}

// refusalLookup bounds the question whether the account of a refused stranger exists.
const refusalLookup = time.Second

// recordRefusal makes a refusal durable. What strangers send is recorded within a rate, and only for accounts that
// exist: otherwise anyone could fill the disk.
func (s *Service) recordRefusal(ctx context.Context, a *attempt, refusal *awsapi.Error) error {
	ctx = context.WithoutCancel(ctx) // the client may be gone; its failed call is recorded all the same
	if !a.trusted {
		if a.request == nil || a.request.trustAnchor.Account == "" || !s.refusals.Allow() {
			return nil
		}
		// A store that hangs must not hold the refusal up.
		lookup, cancel := context.WithTimeout(ctx, refusalLookup)
		defer cancel()
		if _, err := s.view.Account(lookup, a.request.trustAnchor.Account); errors.Is(err, store.ErrNotFound) {
			return nil
		}
		// Where the store cannot say, the rate alone is the bound.
	}
	e := &a.event
	describe(e, a)
	a.now(e)
	e.ErrorCode, e.ErrorMessage = refusal.RESTCode(), refusal.Message
	if refusal.Explain != "" {
		e.AdditionalEventData = map[string]string{"explanation": refusal.Explain}
	}
	var seen *audit.SubjectSeen
	if a.trusted {
		seen = &a.seen
		describeSubject(seen, a)
		seen.SeenAt, seen.Failed = a.raw.Now, true
	}
	return s.cfg.Audit.Append(ctx, e, seen)
}

// describeSubject makes seen say which subject tried; when, and how it went, are left to the caller. Only certificates
// that chain to an anchor make subjects.
func describeSubject(seen *audit.SubjectSeen, a *attempt) {
	anchor := &a.anchor.Row
	*seen = audit.SubjectSeen{Account: anchor.Account, Region: anchor.Region, Serial: a.leaf.SerialHex(), CertDER: a.leafDER}
	if a.attrs != nil {
		seen.DN, seen.Issuer, seen.SubjectID = a.attrs.Subject, a.attrs.Issuer, a.subjectID()
		return
	}
	// Refused before its attributes were mapped (revoked): the names are read from the certificate itself.
	cert := a.leaf.Certificate()
	seen.DN, seen.Issuer = nameText(cert.RawSubject), nameText(cert.RawIssuer)
	seen.SubjectID = subjectID(anchor.Account, anchor.Region, seen.DN)
}

// nameText is a distinguished name as package certattr writes it.
func nameText(der []byte) string {
	name, err := dn.Parse(der)
	if err != nil {
		return "" // cannot be: the certificate's names were parsed to verify its path
	}
	return name.String()
}
