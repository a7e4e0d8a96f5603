package gate

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/rolecall/rolecall/iampolicy"
	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/sessiontoken"
	"github.com/rolecall/rolecall/internal/store"
	"github.com/rolecall/rolecall/sigv4"
)

// sessionMemo is what the requests of one session share while its token is remembered.
type sessionMemo struct {
	bound atomic.Pointer[boundPrincipal]
	life  atomic.Pointer[lifeFinding]
	key   atomic.Pointer[scopedKey]

	once      sync.Once
	compiled  *iampolicy.Policy
	policyErr error
}

// boundPrincipal is a principal made from one state of its role. A change of the role gives the view another entry, and
// with it another principal.
type boundPrincipal struct {
	role      *store.Cached[store.RoleBundle]
	principal *awsapi.Principal
}

// scopedKey is a signing key with the scope that it is for.
type scopedKey struct {
	date, region, service string
	key                   sigv4.Key
}

// signingKey is the session's key for the claims' scope. secret is always the same for one session.
func (m *sessionMemo) signingKey(secret string, c *sigv4.Claims) sigv4.Key {
	if k := m.key.Load(); k != nil && k.date == c.Date && k.region == c.Region && k.service == c.Service {
		return k.key
	}
	k := &scopedKey{strings.Clone(c.Date), strings.Clone(c.Region), strings.Clone(c.Service), sigv4.DeriveKey(secret, c.Date, c.Region, c.Service)}
	m.key.Store(k)
	return k.key
}

func memoOf(sess *sessiontoken.Session) *sessionMemo {
	return sess.Memo(func() any { return new(sessionMemo) }).(*sessionMemo)
}

// policy is the session's inline policy, compiled once.
func (m *sessionMemo) policy(sess *sessiontoken.Session) (*iampolicy.Policy, error) {
	m.once.Do(func() {
		p, err := iampolicy.Parse(sess.SessionPolicy, iampolicy.Session)
		if err != nil {
			m.policyErr = fmt.Errorf("session policy: %w", err)
			return
		}
		m.compiled = p.Named("session policy")
	})
	return m.compiled, m.policyErr
}
