package gate

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/rolecall/rolecall/iampolicy"
	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/sessiontoken"
	"github.com/rolecall/rolecall/internal/store"
)

// sessionMemo is what the requests of one session share while its token is remembered.
type sessionMemo struct {
	bound atomic.Pointer[boundPrincipal]

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
