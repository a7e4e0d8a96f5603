package rolesanywhere

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/rolecall/rolecall/iampolicy"
	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/audit"
	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/certattr"
	"github.com/rolecall/rolecall/internal/certchain"
	"github.com/rolecall/rolecall/internal/revocation"
	"github.com/rolecall/rolecall/internal/sessiontoken"
	"github.com/rolecall/rolecall/internal/store"
	"github.com/rolecall/rolecall/sigv4"
)

// attempt is one CreateSession under way: what each step found, for the next step and for the audit event.
type attempt struct {
	raw      *awsapi.Raw
	request  *sessionRequest // may be shared with other attempts
	known    bool            // request is remembered
	leafDER  []byte
	chain    [][]byte
	leaf     *certchain.Leaf
	anchor   *store.Cached[store.TrustAnchor]
	profile  *store.Cached[store.Profile]
	rules    *certattr.Rules
	verified *certchain.Verified
	trusted  bool // the certificate chains to the anchor, even if it is refused
	attrs    *certattr.Attributes
	role     *store.Cached[store.RoleBundle]
	links    []sessiontoken.Link // what ends the session; nil if its anchor ends none

	sessionName string
	duration    time.Duration
	plan        *plan // from findRole on

	room
}

// room is memory that the steps of an attempt would otherwise take one by one.
type room struct {
	input   certchain.Input
	set     iampolicy.Set
	ask     iampolicy.Request
	session sessiontoken.Session
	event   audit.Event
	params  audit.CreateSessionParams
	tls     audit.TLSDetails
	result  audit.CreateSessionResult
	seen    audit.SubjectSeen
}

var attempts = sync.Pool{New: func() any { return new(attempt) }}

// CreateSession answers POST /sessions: signature, trust anchor, path, attributes, trust policy, credentials. The audit
// event is durable before the answer; a request that cannot be recorded fails.
func (s *Service) CreateSession(ctx context.Context, raw *awsapi.Raw) (*awsapi.Reply, error) {
	a := attempts.Get().(*attempt)
	defer func() {
		*a = attempt{}
		attempts.Put(a)
	}()
	a.raw = raw
	reply, err := s.grant(ctx, a)
	if err == nil {
		return reply, nil
	}
	public := awsapi.AsError(err)
	s.cfg.Metrics.SessionRefused(public.RESTCode())
	if auditErr := s.recordRefusal(ctx, a, public); auditErr != nil {
		return nil, awsapi.Internal(errors.Join(auditErr, err))
	}
	return nil, err
}

// grant runs the steps in order; each refuses by returning an error.
func (s *Service) grant(ctx context.Context, a *attempt) (*awsapi.Reply, error) {
	if err := s.readRequest(a); err != nil {
		return nil, err
	}
	if err := s.checkSignature(a); err != nil {
		return nil, err
	}
	if err := s.cfg.DB.Fresh(a.raw.Now); err != nil {
		return nil, unavailable(err)
	}
	if err := s.lookUp(ctx, a); err != nil {
		return nil, err
	}
	if !s.sessions.allow(a.anchor.Row.Account, a.anchor.Row.Region) {
		return nil, errThrottled()
	}
	if err := s.checkCertificate(ctx, a); err != nil {
		return nil, err
	}
	if err := s.chooseSession(a); err != nil {
		return nil, err
	}
	if err := s.checkTrustPolicy(ctx, a); err != nil {
		return nil, err
	}
	reply, err := s.mint(ctx, a)
	if err == nil && !a.known {
		s.requests.remember(a.raw.Request.URL.RawQuery, a.raw.Body, a.request)
	}
	return reply, err
}

// unavailable refuses while the node may not know of a revocation.
func unavailable(cause error) error {
	return awsapi.Errorf("ServiceUnavailable", http.StatusServiceUnavailable, "The service is unavailable: this node has lost contact with its store").Because(cause)
}

func denied(format string, args ...any) *awsapi.Error {
	return awsapi.AccessDenied(format, args...)
}

// readRequest decodes parameters and headers; it looks nothing up.
func (s *Service) readRequest(a *attempt) error {
	// The parameters are read first, but refused last: every refusal is recorded in the account that they name.
	failed, paramErr := s.readParameters(a)
	if e := awsapi.CheckHead(a.raw.Request); e != nil {
		return e
	}
	h := a.raw.Request.Header
	if len(h["X-Amz-X509"]) > 1 || len(h["X-Amz-X509-Chain"]) > 1 {
		return denied("Invalid signature: a certificate header is there more than once")
	}
	if h.Get("X-Amz-X509") == "" {
		return awsapi.Errorf("MissingAuthenticationToken", http.StatusForbidden, "Request is missing Authentication Token: CreateSession is signed with a certificate, sent in X-Amz-X509")
	}
	var err error
	if a.leafDER, a.chain, a.leaf, err = s.verifier.DecodeHeaders(h.Get("X-Amz-X509"), h.Get("X-Amz-X509-Chain")); err != nil {
		return certificateError(err)
	}
	if paramErr != nil {
		return paramErr
	}
	if len(failed) > 0 {
		return validationErrors(failed)
	}
	return nil
}

// readParameters reads query and body; failed are the constraints that do not hold.
func (s *Service) readParameters(a *attempt) (failed []string, err error) {
	if a.request = s.requests.find(a.raw.Request.URL.RawQuery, a.raw.Body); a.request != nil {
		a.known = true
		return nil, nil
	}
	query, err := parseQuery(a.raw.Request.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	a.request, failed, err = parseSessionRequest(query, a.raw.Body)
	if err != nil {
		return nil, awsapi.Errorf("SerializationException", http.StatusBadRequest, "%v", err)
	}
	return failed, nil
}

// checkSignature proves that the sender holds the key of the certificate it shows.
func (s *Service) checkSignature(a *attempt) error {
	claims, err := a.raw.Claims, error(nil)
	if claims == nil {
		if claims, err = sigv4.Parse(a.raw.Request); err != nil {
			return signatureError(err)
		}
	}
	if !claims.X509() {
		return denied("Invalid signature: CreateSession is signed with a certificate's key (AWS4-X509-…), not with an access key")
	}
	if a.leaf == nil {
		if a.leaf, err = s.verifier.Leaf(a.leafDER); err != nil {
			return certificateError(err)
		}
	}
	if claims.KeyID != a.leaf.SerialDecimal() {
		return denied("Invalid signature: the credential is not the certificate's serial number in decimal")
	}
	if claims.Service != "rolesanywhere" {
		return denied("Invalid signature: the credential scope's service is not rolesanywhere")
	}
	hosts := a.request.hosts
	if string(a.request.trustAnchor.Region) != claims.Region {
		hosts = awsHosts(claims.Region)
	}
	check := sigv4.Check{
		Now: a.raw.Now, BodySHA256: sha256.Sum256(a.raw.Body), Path: "/sessions",
		AlternateHosts: hosts, PublicKeys: a.leaf,
	}
	if err := claims.VerifyX509(a.raw.Request, a.leaf.PublicKey(), &check); err != nil {
		return signatureError(err)
	}
	if string(a.request.trustAnchor.Region) != claims.Region {
		return denied("Invalid signature: the credential scope is for region %s and the trust anchor is in %s", claims.Region, a.request.trustAnchor.Region)
	}
	return nil
}

// awsHosts are the names that clients sign which know only the AWS endpoint.
func awsHosts(region string) []string {
	suffix := ".amazonaws.com"
	if arn.Partition(arn.Region(region)) == "aws-cn" {
		suffix = ".amazonaws.com.cn"
	}
	return []string{"rolesanywhere." + region + suffix}
}

// lookUp finds the anchor and the profile, which must be enabled, live in one account and region, and list the role.
func (s *Service) lookUp(ctx context.Context, a *attempt) error {
	req := a.request
	var err error
	a.anchor, err = s.view.TrustAnchor(ctx, req.trustAnchor.Account, req.trustAnchor.Region, resourceID(req.trustAnchor))
	if errors.Is(err, store.ErrNotFound) || err == nil && req.trustAnchor.Partition != arn.Partition(req.trustAnchor.Region) {
		return denied("Specified Trust Anchor wasn't found.")
	}
	if err != nil {
		return err
	}
	if !a.anchor.Row.Enabled {
		return denied("Specified Trust Anchor is disabled.")
	}
	if req.profile.Account != req.trustAnchor.Account || req.profile.Region != req.trustAnchor.Region || req.profile.Partition != req.trustAnchor.Partition {
		return denied("Invalid or empty profile provided.: it is not in the trust anchor's account and region")
	}
	a.profile, err = s.view.Profile(ctx, req.profile.Account, req.profile.Region, resourceID(req.profile))
	if errors.Is(err, store.ErrNotFound) {
		return denied("Invalid or empty profile provided.")
	}
	if err != nil {
		return err
	}
	if !a.profile.Row.Enabled {
		return denied("Invalid or empty profile provided.: the profile is disabled")
	}
	for _, r := range a.profile.Row.RoleARNs {
		if r == req.roleARN {
			return nil
		}
	}
	return denied("Requested Role isn't one of those listed in the Profile.")
}

// checkCertificate validates the path to the anchor and maps the certificate's attributes.
func (s *Service) checkCertificate(ctx context.Context, a *attempt) error {
	anchors, ca, err := s.anchorsOf(ctx, a.anchor)
	if err != nil {
		return err
	}
	options, err := revocation.OptionsOf(a.anchor.Row.Tags)
	if err != nil {
		return denied("Untrusted signing certificate: the trust anchor's tags cannot be read: %v", err)
	}
	crls, err := revocation.EnabledCRLs(ctx, s.view, &a.anchor.Row)
	if err != nil {
		return err
	}
	rules, err := compiledRules(a.profile)
	if err != nil {
		return err
	}
	a.rules = rules
	a.input = certchain.Input{Leaf: a.leafDER, Parsed: a.leaf, Chain: a.chain, Anchors: anchors, CRLs: crls, Now: a.raw.Now}
	a.verified, err = s.verifier.Verify(&a.input)
	if err != nil {
		var ce *certchain.Error
		a.trusted = errors.As(err, &ce) && ce.Reason == certchain.Revoked
		return certificateError(err)
	}
	a.trusted = true
	if err := s.checkRevocations(ctx, &a.anchor.Row, ca, a.verified); err != nil {
		return certificateError(err)
	}
	if err := s.askSources(ctx, a, &options, ca); err != nil {
		return err
	}
	a.attrs = rules.Apply(a.verified)
	return nil
}

// chooseSession settles the session's name and duration.
func (s *Service) chooseSession(a *attempt) error {
	a.sessionName = a.attrs.SessionName
	if name := a.request.roleSessionName; name != "" {
		if !a.profile.Row.AcceptRoleSessionName {
			return denied("Not authorized to set roleSessionName")
		}
		a.sessionName = name
	}
	seconds := a.profile.Row.Duration
	if d := a.request.durationSeconds; d != 0 && d < seconds {
		seconds = d
	}
	a.duration = time.Duration(seconds) * time.Second
	return nil
}

// mint makes the credentials, records the event and only then builds the answer.
func (s *Service) mint(ctx context.Context, a *attempt) (*awsapi.Reply, error) {
	p := a.plan
	p.begin(&a.session, a.raw.Now, a.duration, a.links)
	creds, packed, err := s.cfg.Sealer.Mint(a.raw.Now, &a.session)
	if errors.Is(err, sessiontoken.ErrTooLarge) {
		return nil, denied("Unable to assume role for %s.: session policies and tags need %d%% of the packed size allowed", a.request.roleARN, packed)
	}
	if err != nil {
		return nil, err
	}
	a.event, a.params, a.result, a.seen = p.event, *p.event.CreateSession, p.result, p.seen
	a.params.DurationSeconds = a.request.durationSeconds
	a.event.CreateSession = &a.params
	a.now(&a.event)
	a.result.AccessKeyID, a.result.Expiration, a.result.PackedPolicySize = creds.AccessKeyID, creds.Expiration, packed
	a.event.Session = &a.result
	a.seen.SeenAt = a.raw.Now
	if err := s.cfg.Audit.Append(ctx, &a.event, &a.seen); err != nil {
		return nil, awsapi.Internal(err)
	}
	s.cfg.Metrics.SessionCreated(a.request.trustAnchorARN)
	answer := sessionResponse{SubjectArn: p.subjectARN, CredentialSet: []credentialSet{{
		AssumedRoleUser: assumedRoleUser{Arn: p.result.AssumedRoleARN, AssumedRoleID: p.result.AssumedRoleID},
		Credentials: credentials{
			AccessKeyID: creds.AccessKeyID, SecretAccessKey: creds.SecretAccessKey, SessionToken: creds.SessionToken,
			Expiration: creds.Expiration,
		},
		PackedPolicySize: packed, RoleArn: a.request.roleARN, SourceIdentity: a.attrs.SourceIdentity,
	}}}
	return &awsapi.Reply{Status: http.StatusCreated, Body: answer.append(a.raw.Buffer)}, nil
}
