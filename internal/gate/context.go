package gate

import (
	"strconv"
	"strings"
	"time"

	"github.com/rolecall/rolecall/iampolicy"
	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/store"
)

// Caller is what a request says about itself beside who makes it.
type Caller struct {
	Now       time.Time
	SourceIP  string
	UserAgent string
	Region    string
	TLS       bool
}

// SetRequest adds the global keys that describe the request.
func SetRequest(c *iampolicy.Context, r *Caller) {
	c.Set(iampolicy.KeyCurrentTime, r.Now.UTC().Format(time.RFC3339))
	c.Set(iampolicy.KeyEpochTime, strconv.FormatInt(r.Now.Unix(), 10))
	c.Set(iampolicy.KeySecureTransport, strconv.FormatBool(r.TLS))
	if r.SourceIP != "" {
		c.Set(iampolicy.KeySourceIP, r.SourceIP)
	}
	if r.UserAgent != "" {
		c.Set(iampolicy.KeyUserAgent, r.UserAgent)
	}
	if r.Region != "" {
		c.Set(iampolicy.KeyRequestedRegion, r.Region)
	}
}

// principalType is aws:PrincipalType for each kind of caller.
var principalType = map[awsapi.PrincipalType]string{
	awsapi.Root: "Account", awsapi.User: "User", awsapi.AssumedRole: "AssumedRole", awsapi.FederatedUser: "FederatedUser",
}

// SetPrincipal adds the global keys that describe the caller.
func SetPrincipal(c *iampolicy.Context, p *awsapi.Principal) {
	principal := p.ARN
	if p.RoleARN != "" {
		principal = p.RoleARN // for a role session the key holds the role's ARN
	}
	c.Set(iampolicy.KeyPrincipalArn, principal)
	c.Set(iampolicy.KeyPrincipalAccount, string(p.Account))
	c.Set(iampolicy.KeyPrincipalType, principalType[p.Type])
	c.Set(iampolicy.KeyPrincipalIsAWSService, "false")
	c.Set(iampolicy.KeyUserID, p.UserID)
	if p.Type == awsapi.User {
		c.Set(iampolicy.KeyUsername, p.UserName)
	}
	for _, t := range p.Tags {
		c.Set(iampolicy.KeyPrincipalTagPrefix+t.Key, t.Value)
	}
	if s := p.Session; s != nil {
		c.Set(iampolicy.KeyTokenIssueTime, s.IssuedAt.UTC().Format(time.RFC3339))
		c.Set(iampolicy.KeyMultiFactorAuthPresent, strconv.FormatBool(s.MFA))
		if s.SourceIdentity != "" {
			c.Set(iampolicy.KeySourceIdentity, s.SourceIdentity)
		}
		if s.Provider != "" {
			c.Set(iampolicy.KeyFederatedProvider, s.Provider)
		}
	}
}

// policyPrincipal is the caller in the policy engine's terms.
func policyPrincipal(p *awsapi.Principal) *iampolicy.Principal {
	return &iampolicy.Principal{Account: string(p.Account), ARN: p.ARN, RoleARN: p.RoleARN}
}

func hasTag(tags []awsapi.Tag, key string) bool {
	for _, t := range tags {
		if strings.EqualFold(t.Key, key) {
			return true
		}
	}
	return false
}

// SetTags sets one condition key per tag. Condition keys know no case but tag keys do: tags that differ only in it make
// the key multivalued, which no Allow without a set operator matches.
func SetTags(c *iampolicy.Context, prefix string, tags []store.Tag) {
	for i, t := range tags {
		values := []string{t.Value}
		for j, other := range tags {
			if i != j && strings.EqualFold(other.Key, t.Key) {
				values = append(values, other.Value)
			}
		}
		c.Set(prefix+t.Key, values...)
	}
}
