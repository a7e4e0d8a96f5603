package gate

import (
	"context"
	"strings"
	"time"

	"github.com/rolecall/rolecall/iampolicy"
	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/sessiontoken"
	"github.com/rolecall/rolecall/sigv4"
)

// Identify says whom an access key id, with its session token if it is temporary, speaks for now. It proves nothing:
// it is for a peer that has checked, or is about to check, a signature with [Gate.SigningKey]. The error is an
// *awsapi.Error where the key or the token is at fault: InvalidClientTokenId or ExpiredToken.
func (g *Gate) Identify(ctx context.Context, keyID, token string, now time.Time) (*awsapi.Principal, error) {
	p, _, err := g.locate(ctx, keyID, token, now)
	return p, err
}

// SigningKey is the key with which an access key signs for a scope, and whom it speaks for. It fails as
// [Gate.Identify] does. The secret stays here.
func (g *Gate) SigningKey(ctx context.Context, keyID, token string, scope *sigv4.Claims, now time.Time) (*awsapi.Principal, sigv4.Key, error) {
	p, secret, err := g.locate(ctx, keyID, token, now)
	if err != nil {
		return nil, sigv4.Key{}, err
	}
	return p, signingKey(p, secret, scope), nil
}

// locate looks an access key up by what its prefix says it is.
func (g *Gate) locate(ctx context.Context, keyID, token string, now time.Time) (*awsapi.Principal, string, error) {
	switch {
	case strings.HasPrefix(keyID, string(sessiontoken.Temporary)):
		return g.temporary(ctx, keyID, token, now)
	case token != "":
		return nil, "", errToken() // a long-term key has no token: someone mixed two sets of credentials
	default:
		return g.longTerm(ctx, keyID)
	}
}

// PolicyPrincipal is the caller in the policy engine's terms.
func PolicyPrincipal(p *awsapi.Principal) *iampolicy.Principal { return policyPrincipal(p) }
