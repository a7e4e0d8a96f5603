package rolesanywhere

import (
	"time"

	"github.com/rolecall/rolecall/iampolicy"
	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/audit"
	"github.com/rolecall/rolecall/internal/sessiontoken"
	"github.com/rolecall/rolecall/internal/store"
)

// plan is what the sessions of one certificate have in common that ask for the same role under the same name. It decides
// nothing. It is kept with the certificate's attributes and fits only the rows that it was made from: a change gives the view
// another entry, and the next request another plan. It is shared and must not be changed.
type plan struct {
	request *sessionRequest // any of those that it fits
	anchor  *store.Cached[store.TrustAnchor]
	profile *store.Cached[store.Profile]
	role    *store.Cached[store.RoleBundle]

	subjectID  string
	subjectARN string
	keys       *iampolicy.Context        // the condition keys, but the duration's and those of the moment
	session    sessiontoken.Session      // without times and links
	provenance sessiontoken.Provenance   // of session
	event      audit.Event               // without the duration and what describes the moment
	result     audit.CreateSessionResult // likewise
	seen       audit.SubjectSeen         // likewise
}

// findPlan returns the plan for the attempt with this role, or nil.
func findPlan(a *attempt, role *store.Cached[store.RoleBundle]) *plan {
	p, _ := a.attrs.Plan.Load().(*plan)
	if p == nil || p.anchor != a.anchor || p.profile != a.profile || p.role != role ||
		p.session.SessionName != a.sessionName || !p.request.sameBesideDuration(a.request) {
		return nil
	}
	return p
}

// sameBesideDuration reports whether two requests differ in nothing but the duration.
func (r *sessionRequest) sameBesideDuration(other *sessionRequest) bool {
	return r == other || r.trustAnchorARN == other.trustAnchorARN && r.profileARN == other.profileARN &&
		r.roleARN == other.roleARN && r.roleSessionName == other.roleSessionName
}

// makePlan makes the plan of an attempt that has found all it needs, and keeps it.
func makePlan(a *attempt) *plan {
	role, anchor, profile := &a.role.Row.Role, &a.anchor.Row, &a.profile.Row
	p := &plan{request: a.request, anchor: a.anchor, profile: a.profile, role: a.role, subjectID: a.subjectID()}
	p.subjectARN = arn.RolesAnywhere(anchor.Region, anchor.Account, "subject", p.subjectID).String()
	p.keys = iampolicy.NewContext(fixedKeys + 2*len(a.attrs.Tags))
	trustKeys(p.keys, a)
	p.provenance = sessiontoken.Provenance{
		Account: anchor.Account, Region: anchor.Region, TrustAnchorID: anchor.ID, ProfileID: profile.ID,
		CertSerial: a.verified.SerialHex(), CertIssuer: a.attrs.Issuer, CertFingerprint: a.verified.Fingerprint(),
	}
	p.session = sessiontoken.Session{
		Type: sessiontoken.AssumedRole, Account: role.Account, Partition: a.request.role.Partition,
		RoleID: role.ID, RoleName: role.Name, RolePath: role.Path, SessionName: a.sessionName,
		SourceIdentity: a.attrs.SourceIdentity, Tags: make([]sessiontoken.Tag, len(a.attrs.Tags)),
		SessionPolicy: profile.SessionPolicy, PolicyARNs: profile.ManagedPolicyARNs, Provenance: &p.provenance,
	}
	for i, t := range a.attrs.Tags {
		p.session.Tags[i] = sessiontoken.Tag(t)
	}
	describe(&p.event, a)
	describeSubject(&p.seen, a)
	p.result = audit.CreateSessionResult{
		AssumedRoleARN: arn.AssumedRole(p.session.Partition, role.Account, role.Name, a.sessionName).String(),
		AssumedRoleID:  role.ID + ":" + a.sessionName,
		RoleARN:        a.request.roleARN, SourceIdentity: a.attrs.SourceIdentity, SubjectARN: p.subjectARN,
	}
	a.attrs.Plan.Store(p)
	return p
}

// begin is the session that begins now, in room.
func (p *plan) begin(room *sessiontoken.Session, now time.Time, duration time.Duration, links []sessiontoken.Link) {
	*room = p.session
	room.IssuedAt, room.ExpiresAt = now, now.Add(duration)
	if links != nil {
		provenance := p.provenance
		provenance.Links = links
		room.Provenance = &provenance
	}
}
