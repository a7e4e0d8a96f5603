package awsapi

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/rolecall/rolecall/iampolicy"
	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/sigv4"
)

// PrincipalType is the kind of an authenticated caller.
type PrincipalType string

// The kinds of callers.
const (
	Root          PrincipalType = "Root"
	User          PrincipalType = "IAMUser"
	AssumedRole   PrincipalType = "AssumedRole"
	FederatedUser PrincipalType = "FederatedUser"
	Service       PrincipalType = "AWSService"
	WebIdentity   PrincipalType = "WebIdentityUser" // whom an identity provider vouches for
	Anonymous     PrincipalType = "Anonymous"       // of an operation bound with [Unsigned], before [Call.Identify]
)

// Tag is a principal's tag.
type Tag struct{ Key, Value string }

// Principal is an authenticated caller. Only a [Gate] makes one.
type Principal struct {
	Type        PrincipalType
	Account     arn.AccountID
	ARN         string // of the session for an assumed role
	UserID      string // AIDA…, AROA…:session, or the account for root
	UserName    string
	AccessKeyID string
	Session     *Session // of a temporary key, nil for a long-term one
	RoleARN     string   // of an assumed role, with its path
	Tags        []Tag
	Provider    string // ARN of the identity provider of a WebIdentity
}

// Need is one permission that a call requires.
type Need struct {
	Action   string                  // "iam:PassRole"; empty is the operation's own action
	Resource string                  // ARN; empty is "*"
	Context  func(*ConditionContext) // adds the request's own condition keys; may be nil
	Message  string                  // overrides the denial's text
	// Policy is the resource's own policy; nil for none. Owner is the account of the resource, if it is not the caller's:
	// both sides must allow then. Without Owner, what the caller's account lacks is denied before the policy is asked.
	Policy *iampolicy.Policy
	Owner  arn.AccountID
}

// Gate authenticates requests and authorizes calls. Both fail with *[Error] when the client is to learn why; any other
// error is answered with InternalFailure.
type Gate interface {
	// Authenticate verifies the request's signature for the service of its scope. It may return the claimed principal
	// beside an error: it then appears in the audit event of the failure and nowhere else.
	// claims is what [sigv4.Parse] made of the request, nil if it could not.
	Authenticate(r *http.Request, claims *sigv4.Claims, body []byte, service string, now time.Time) (*Principal, error)
	// Authorize returns nil only if the principal is allowed what n asks for.
	Authorize(ctx context.Context, p *Principal, c *Call, n Need) error
}

// Call is one authenticated and decoded call. Only this package can construct one, so holding one proves that the
// request was authenticated; a handler that holds one knows that it was authorized as well.
type Call struct {
	Principal *Principal
	Op        *Operation
	RequestID string
	Account   arn.AccountID // of the principal
	Region    arn.Region    // of the credential scope
	Partition string        // of the region
	// HomePartition is that of IAM and STS identities. It must not follow the region, which the caller chooses: a Deny
	// on arn:aws:iam::… would no longer match.
	HomePartition string
	Now           time.Time // UTC; Tx.Now inside a transaction
	SourceIP      string
	UserAgent     string
	Host          string
	TLS           bool
	Tx            *Tx // serializable for mutations, read-only for reads; nil for operations bound with NoTx

	explain  string
	touched  []Resource
	unsigned bool
	ok       marker
}

// Identify says who makes an unsigned call, and in which account it is recorded. Calls that a signature proved keep their
// principal.
func (c *Call) Identify(p *Principal) {
	if c.unsigned {
		c.Principal, c.Account = p, p.Account
	}
}

// marker keeps other packages from making a Call that works.
type marker struct{ made bool }

// Valid reports whether c was made by the request path.
func (c *Call) Valid() bool { return c != nil && c.ok.made }

// Touch names a resource of the call for its audit event, with what only the store knows of it. Once there is one, what
// [Record] says of the request is left out.
func (c *Call) Touch(r Resource) {
	if !slices.Contains(c.touched, r) {
		c.touched = append(c.touched, r)
	}
}

// Explain adds to the audit event why the call was decided as it was; it never reaches the client.
func (c *Call) Explain(text string) {
	if c.explain != "" && text != "" {
		c.explain += "; "
	}
	c.explain += text
}
