package sts

import (
	"context"
	"errors"
	"time"

	"github.com/rolecall/rolecall/iampolicy"
	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
	model "github.com/rolecall/rolecall/internal/awsapi/model/sts"
	"github.com/rolecall/rolecall/internal/sessiontoken"
	"github.com/rolecall/rolecall/internal/store"
)

const (
	defaultRoleDuration = time.Hour
	maxChainedDuration  = time.Hour // a role session that assumes a role
	maxSessionPolicy    = 2048      // characters of an inline session policy, white space not counted
	maxPolicyARNs       = 10
	maxSessionTags      = 50
)

// assume is one AssumeRole under way.
type assume struct {
	call     *awsapi.Call
	in       *model.AssumeRoleInput
	role     *store.Cached[store.RoleBundle]
	chained  bool
	duration time.Duration
	tags     []sessiontoken.Tag // of the request and inherited
	passed   []string           // keys of the request's own tags
	handOn   []string           // transitive keys
	source   string             // source identity
}

// AssumeRole gives a user or a role session the credentials of a role whose trust policy lets it in.
func (s *Service) AssumeRole(ctx context.Context, call *awsapi.Call, in *model.AssumeRoleInput) (*model.AssumeRoleOutput, error) {
	a := &assume{call: call, in: in, chained: call.Principal.Type == awsapi.AssumedRole}
	if call.Principal.Type == awsapi.Root {
		return nil, awsapi.AccessDenied("Roles may not be assumed by root accounts.")
	}
	if len(in.ProvidedContexts) > 0 {
		return nil, awsapi.Validation("ProvidedContexts are not supported: this server has no context providers")
	}
	if in.SerialNumber != nil || in.TokenCode != nil {
		return nil, awsapi.AccessDenied("MultiFactorAuthentication failed with invalid MFA one time pass code.: MFA devices are not supported")
	}
	if err := a.takeTags(); err != nil {
		return nil, err
	}
	if err := a.takeSourceIdentity(); err != nil {
		return nil, err
	}
	want, name, err := roleOf(*in.RoleArn)
	if err != nil {
		return nil, err
	}
	if err := s.checkSessionPolicies(ctx, want.Account, in.Policy, in.PolicyArns); err != nil {
		return nil, err
	}
	if a.role, err = s.findRole(ctx, want, name); err != nil {
		return nil, err
	}
	if a.role == nil {
		return nil, s.cfg.Gate.NoSuchRole(call, *in.RoleArn, "sts:AssumeRole", a.requestContext)
	}
	if err := s.authorize(ctx, a); err != nil {
		return nil, err
	}
	if err := a.takeDuration(); err != nil {
		return nil, err
	}
	return s.mint(a)
}

// roleOf is the role that an ARN names, and its name without the path.
func roleOf(text string) (arn.ARN, string, error) {
	want, err := arn.Parse(text)
	name, isRole := want.RoleName()
	if err != nil || !isRole {
		return want, "", awsapi.Validation("%s is invalid", text)
	}
	return want, name, nil
}

// findRole finds a role by its exact ARN, or nil. One that is not there is for callers to answer as one that refuses.
func (s *Service) findRole(ctx context.Context, want arn.ARN, name string) (*store.Cached[store.RoleBundle], error) {
	role, err := s.cfg.View.Role(ctx, want.Account, name)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r := &role.Row.Role
	if arn.Role(s.cfg.Gate.Partition(), r.Account, r.Path, r.Name) != want {
		return nil, nil
	}
	return role, nil
}

// authorize asks for every action that the request amounts to.
func (s *Service) authorize(ctx context.Context, a *assume) error {
	actions := []string{"sts:AssumeRole"}
	if len(a.tags) > 0 {
		actions = append(actions, "sts:TagSession")
	}
	if a.source != "" {
		actions = append(actions, "sts:SetSourceIdentity")
	}
	for _, action := range actions {
		if err := s.cfg.Gate.AuthorizeAssume(ctx, a.call, a.role, action, a.context); err != nil {
			return err
		}
	}
	return nil
}

// context adds the keys of the request itself and of the role.
func (a *assume) context(c *iampolicy.Context) {
	a.requestContext(c)
	setRoleTags(c, a.role)
}

func (a *assume) requestContext(c *iampolicy.Context) {
	c.Set(iampolicy.KeySTSRoleSessionName, *a.in.RoleSessionName)
	if a.in.ExternalId != nil {
		c.Set(iampolicy.KeySTSExternalID, *a.in.ExternalId)
	}
	if a.source != "" {
		c.Set(iampolicy.KeySTSSourceIdentity, a.source)
	}
	for _, t := range a.tags {
		c.Set(iampolicy.KeyRequestTagPrefix+t.Key, t.Value)
	}
	if len(a.passed) > 0 {
		c.SetMulti(iampolicy.KeyTagKeys, a.passed...)
	}
	if len(a.in.TransitiveTagKeys) > 0 {
		c.SetMulti(iampolicy.KeySTSTransitiveTagKeys, a.in.TransitiveTagKeys...)
	}
}

func setRoleTags(c *iampolicy.Context, role *store.Cached[store.RoleBundle]) {
	for _, t := range role.Row.Role.Tags {
		c.Set(iampolicy.KeyResourceTagPrefix+t.Key, t.Value)
		c.Set("iam:ResourceTag/"+t.Key, t.Value)
	}
}

func (a *assume) takeDuration() error {
	a.duration = roleDuration(a.in.DurationSeconds)
	if a.chained && a.duration > maxChainedDuration {
		return awsapi.Validation("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	}
	return withinRole(a.duration, a.role)
}

// roleDuration is what the request asks for, or AWS's default.
func roleDuration(seconds *int32) time.Duration {
	if seconds == nil {
		return defaultRoleDuration
	}
	return time.Duration(*seconds) * time.Second
}

func withinRole(d time.Duration, role *store.Cached[store.RoleBundle]) error {
	if int(d.Seconds()) > role.Row.Role.MaxSession {
		return awsapi.Validation("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	return nil
}

func (s *Service) mint(a *assume) (*model.AssumeRoleOutput, error) {
	r := &a.role.Row.Role
	sess := &sessiontoken.Session{
		Type: sessiontoken.AssumedRole, Account: r.Account, Partition: s.cfg.Gate.Partition(),
		RoleID: r.ID, RoleName: r.Name, RolePath: r.Path, SessionName: *a.in.RoleSessionName,
		SourceIdentity: a.source, Tags: a.tags, TransitiveKeys: a.handOn,
		IssuedAt: a.call.Now, ExpiresAt: a.call.Now.Add(a.duration), Chained: a.chained,
	}
	if a.chained {
		sess.Provenance = a.call.Principal.Session.Provenance
	}
	creds, packed, err := s.seal(a.call.Now, sess, a.in.Policy, a.in.PolicyArns)
	if err != nil {
		return nil, err
	}
	assumedARN := arn.AssumedRole(sess.Partition, r.Account, r.Name, sess.SessionName).String()
	assumedID := r.ID + ":" + sess.SessionName
	out := &model.AssumeRoleOutput{
		Credentials:     creds,
		AssumedRoleUser: &model.AssumedRoleUser{Arn: &assumedARN, AssumedRoleId: &assumedID}, PackedPolicySize: packed,
	}
	if a.source != "" {
		out.SourceIdentity = &a.source
	}
	return out, nil
}

// seal puts the session policies into sess and mints its credentials. packed is the answer's PackedPolicySize: nil if
// there is nothing that takes space.
func (s *Service) seal(now time.Time, sess *sessiontoken.Session, policy *string, arns []model.PolicyDescriptorType) (creds *model.Credentials, packed *int32, err error) {
	if policy != nil {
		sess.SessionPolicy = *policy
	}
	for _, p := range arns {
		sess.PolicyARNs = append(sess.PolicyARNs, *p.Arn)
	}
	made, percent, err := s.cfg.Sealer.Mint(now, sess)
	if errors.Is(err, sessiontoken.ErrTooLarge) {
		return nil, nil, model.PackedPolicyTooLargeException("Packed policy consumes %d%% of allotted space, please use smaller policy.", percent)
	}
	if err != nil {
		return nil, nil, err
	}
	if len(sess.Tags) > 0 || sess.SessionPolicy != "" || len(sess.PolicyARNs) > 0 {
		packed = new(int32(percent))
	}
	return wireCredentials(&made), packed, nil
}

func assumeRoleResources(in *model.AssumeRoleInput, _ *model.AssumeRoleOutput) []awsapi.Resource {
	if in == nil || in.RoleArn == nil {
		return nil
	}
	return []awsapi.Resource{{Type: "AWS::IAM::Role", Name: *in.RoleArn, ARN: *in.RoleArn}}
}
