package sts

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rolecall/rolecall/iampolicy"
	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
	model "github.com/rolecall/rolecall/internal/awsapi/model/sts"
	"github.com/rolecall/rolecall/internal/sessiontoken"
	"github.com/rolecall/rolecall/internal/store"
	"github.com/rolecall/rolecall/internal/webidentity"
)

// webPerSecond bounds the tokens that one node checks: nobody has proved anything when the work begins.
const webPerSecond = 500

// maxIssuer is the longest issuer that can be registered, with its scheme.
const maxIssuer = 255

// Forms of what tokens bring and requests would have to (STS API, Tag and SourceIdentity).
var (
	tagForm            = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)
	sourceIdentityForm = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
)

// Lengths of a tag in characters. As counts in a pattern they would take megabytes: each repetition has all of Unicode's letters.
const (
	maxTagKey   = 128
	maxTagValue = 256
)

func isTag(key, value string) bool {
	return key != "" && utf8.RuneCountInString(key) <= maxTagKey && utf8.RuneCountInString(value) <= maxTagValue &&
		tagForm.MatchString(key) && tagForm.MatchString(value)
}

// webAssume is one AssumeRoleWithWebIdentity under way.
type webAssume struct {
	call     *awsapi.Call
	in       *model.AssumeRoleWithWebIdentityInput
	provider string // ARN
	url      string // of the provider, the prefix of its condition keys
	identity *webidentity.Identity
	role     *store.Cached[store.RoleBundle]
	tags     []sessiontoken.Tag
	handOn   []string
	source   string
}

// AssumeRoleWithWebIdentity gives whoever holds a token of a provider that the role's account trusts the credentials of
// the role, if the role's trust policy lets the token in. Nothing but the token proves the caller.
func (s *Service) AssumeRoleWithWebIdentity(ctx context.Context, call *awsapi.Call, in *model.AssumeRoleWithWebIdentityInput) (*model.AssumeRoleWithWebIdentityOutput, error) {
	if !s.web.Allow() {
		return nil, awsapi.Errorf("Throttling", http.StatusBadRequest, "Rate exceeded")
	}
	if err := s.cfg.DB.Fresh(call.Now); err != nil {
		return nil, awsapi.Errorf("ServiceUnavailable", http.StatusServiceUnavailable, "The service is unavailable: this node has lost contact with its store").Because(err)
	}
	if in.ProviderId != nil {
		return nil, awsapi.Validation("ProviderId is for OAuth 2.0 access tokens, which are not supported: leave it out for OpenID Connect ID tokens")
	}
	want, name, err := roleOf(*in.RoleArn)
	if err != nil {
		return nil, err
	}
	a := &webAssume{call: call, in: in}
	if err := s.verify(ctx, a, want.Account); err != nil {
		return nil, err
	}
	call.Identify(a.principal(want.Account))
	if err := a.takeClaims(); err != nil {
		return nil, err
	}
	if err := s.checkSessionPolicies(ctx, want.Account, in.Policy, in.PolicyArns); err != nil {
		return nil, err
	}
	if a.role, err = s.findRole(ctx, want, name); err != nil {
		return nil, err
	}
	if a.role == nil {
		return nil, awsapi.AccessDenied("Not authorized to perform sts:AssumeRoleWithWebIdentity").Explained("no such role")
	}
	if err := s.authorizeWeb(ctx, a); err != nil {
		return nil, err
	}
	return s.mintWeb(a)
}

// verify finds the token's provider in the role's account and has the token checked against it.
func (s *Service) verify(ctx context.Context, a *webAssume, account arn.AccountID) error {
	token, err := webidentity.Parse(strings.TrimSpace(*a.in.WebIdentityToken)) // a token from a file ends with a line break
	if err != nil {
		return webError(err)
	}
	url, ok := strings.CutPrefix(token.Issuer(), "https://")
	if !ok || len(token.Issuer()) > maxIssuer {
		return model.InvalidIdentityTokenException("Issuer must be a valid URL")
	}
	row, err := s.cfg.View.OIDCProvider(ctx, account, url)
	if errors.Is(err, store.ErrNotFound) {
		return model.InvalidIdentityTokenException("No OpenIDConnect provider found in your account for %s", token.Issuer())
	}
	if err != nil {
		return err
	}
	p := &row.Row
	a.url, a.provider = p.URL, arn.OIDCProvider(s.cfg.Gate.Partition(), account, p.URL).String()
	a.identity, err = s.cfg.Verifier.Verify(ctx, &webidentity.Provider{URL: p.URL, ClientIDs: p.ClientIDs, Thumbprints: p.Thumbprints}, token)
	return webError(err)
}

// webError gives the verifier's findings AWS's codes and texts.
func webError(err error) error {
	if err == nil {
		return nil
	}
	var public *awsapi.Error
	switch {
	case errors.Is(err, webidentity.ErrExpired):
		public = model.ExpiredTokenException("Token expired: %s", strings.TrimPrefix(err.Error(), webidentity.ErrExpired.Error()+": "))
	case errors.Is(err, webidentity.ErrAudience):
		public = model.InvalidIdentityTokenException("Incorrect token audience: %s", err)
	case errors.Is(err, webidentity.ErrUnreachable):
		public = model.IDPCommunicationErrorException("The identity provider could not be reached to verify the token: %s", err)
	case errors.Is(err, webidentity.ErrKeys):
		public = model.InvalidIdentityTokenException("Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements: %s", err)
	case errors.Is(err, webidentity.ErrToken):
		public = model.InvalidIdentityTokenException("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token): %s", err)
	default:
		return err
	}
	return public.Because(webidentity.Cause(err))
}

// principal is whom the token names, for the audit trail: CloudTrail's WebIdentityUser.
func (a *webAssume) principal(account arn.AccountID) *awsapi.Principal {
	return &awsapi.Principal{
		Type: awsapi.WebIdentity, Account: account, UserName: a.identity.Subject, Provider: a.provider,
		UserID: a.provider + ":" + a.identity.Audience[0] + ":" + a.identity.Subject,
	}
}

// takeClaims reads the session tags and the source identity that the provider put into the token.
func (a *webAssume) takeClaims() (err error) {
	if a.source, err = a.identity.Claims.SourceIdentity(); err != nil {
		return webError(err)
	}
	if a.source != "" && (!sourceIdentityForm.MatchString(a.source) || strings.HasPrefix(strings.ToLower(a.source), "aws:")) {
		return model.InvalidIdentityTokenException("The source identity of the token is not valid: it needs 2 to 64 letters, digits or any of +=,.@-_")
	}
	tags, err := a.identity.Claims.Tags()
	if err != nil {
		return webError(err)
	}
	for key, value := range tags.Principal {
		if !isTag(key, value) {
			return model.InvalidIdentityTokenException("A session tag of the token has a key or value of the wrong form or length")
		}
		a.tags = append(a.tags, sessiontoken.Tag{Key: key, Value: value})
	}
	slices.SortFunc(a.tags, func(x, y sessiontoken.Tag) int { return strings.Compare(x.Key, y.Key) })
	if err := distinct(a.tags); err != nil {
		return err
	}
	for _, k := range tags.Transitive {
		if !slices.ContainsFunc(a.tags, func(t sessiontoken.Tag) bool { return strings.EqualFold(t.Key, k) }) {
			return invalidParameter("The specified transitive tag key must be included in the requested tags: %s", k)
		}
		a.handOn = append(a.handOn, k)
	}
	if len(a.tags) > maxSessionTags || len(a.handOn) > maxSessionTags {
		return invalidParameter("A session has at most %d tags", maxSessionTags)
	}
	return nil
}

// distinct refuses what [requestTags] refuses.
func distinct(tags []sessiontoken.Tag) error {
	given := make([]model.Tag, len(tags))
	for i := range tags {
		given[i] = model.Tag{Key: &tags[i].Key, Value: &tags[i].Value}
	}
	_, err := requestTags(given)
	return err
}

func (s *Service) authorizeWeb(ctx context.Context, a *webAssume) error {
	actions := []string{"sts:AssumeRoleWithWebIdentity"}
	if len(a.tags) > 0 {
		actions = append(actions, "sts:TagSession")
	}
	if a.source != "" {
		actions = append(actions, "sts:SetSourceIdentity")
	}
	for _, action := range actions {
		if err := s.cfg.Gate.AuthorizeWebIdentity(ctx, a.call, a.role, a.provider, action, a.context); err != nil {
			return err
		}
	}
	return nil
}

// context adds the token's claims, under the provider's URL as AWS names them, and the keys of the request.
func (a *webAssume) context(c *iampolicy.Context) {
	set := func(name string, values []string) {
		switch len(values) {
		case 0:
		case 1:
			c.Set(a.url+":"+name, values[0])
		default:
			c.SetMulti(a.url+":"+name, values...)
		}
	}
	set("sub", []string{a.identity.Subject})
	set("aud", a.identity.Audience)
	claims := a.identity.Claims
	if _, ok := claims["azp"]; ok {
		original, _ := claims.Strings("aud")
		set("oaud", original)
	}
	if amr, ok := claims.Strings("amr"); ok {
		c.SetMulti(a.url+":amr", amr...)
	}
	if email, ok := claims["email"].(string); ok {
		set("email", []string{email})
	}
	c.Set(iampolicy.KeySTSRoleSessionName, *a.in.RoleSessionName)
	if a.source != "" {
		c.Set(iampolicy.KeySTSSourceIdentity, a.source)
	}
	setRequestTags(c, a.tags)
	if len(a.handOn) > 0 {
		c.SetMulti(iampolicy.KeySTSTransitiveTagKeys, a.handOn...)
	}
	setRoleTags(c, a.role)
}

func (s *Service) mintWeb(a *webAssume) (*model.AssumeRoleWithWebIdentityOutput, error) {
	duration := roleDuration(a.in.DurationSeconds)
	if err := withinRole(duration, a.role); err != nil {
		return nil, err
	}
	r := &a.role.Row.Role
	sess := &sessiontoken.Session{
		Type: sessiontoken.AssumedRole, Account: r.Account, Partition: s.cfg.Gate.Partition(),
		RoleID: r.ID, RoleName: r.Name, RolePath: r.Path, SessionName: *a.in.RoleSessionName, Provider: a.provider,
		SourceIdentity: a.source, Tags: a.tags, TransitiveKeys: a.handOn, IssuedAt: a.call.Now, ExpiresAt: a.call.Now.Add(duration),
	}
	creds, packed, err := s.seal(a.call.Now, sess, a.in.Policy, a.in.PolicyArns)
	if err != nil {
		return nil, err
	}
	out := &model.AssumeRoleWithWebIdentityOutput{
		Credentials: creds, PackedPolicySize: packed, Provider: &a.provider, Audience: new(strings.Join(a.identity.Audience, ",")),
		SubjectFromWebIdentityToken: &a.identity.Subject,
		AssumedRoleUser: &model.AssumedRoleUser{
			Arn: new(arn.AssumedRole(sess.Partition, r.Account, r.Name, sess.SessionName).String()), AssumedRoleId: new(r.ID + ":" + sess.SessionName),
		},
	}
	if a.source != "" {
		out.SourceIdentity = &a.source
	}
	return out, nil
}

func webResources(in *model.AssumeRoleWithWebIdentityInput, _ *model.AssumeRoleWithWebIdentityOutput) []awsapi.Resource {
	if in == nil || in.RoleArn == nil {
		return nil
	}
	return []awsapi.Resource{{Type: "AWS::IAM::Role", Name: *in.RoleArn, ARN: *in.RoleArn}}
}
