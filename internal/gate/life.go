package gate

import (
	"context"
	"errors"
	"net/http"

	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/revocation"
	"github.com/rolecall/rolecall/internal/sessiontoken"
)

// lifeFinding is whether a session was over in one state of the view.
type lifeFinding struct {
	state uint64 // see store.View.TrustState
	err   error  // what to answer; nil if it lives
}

// stillLives refuses a session whose certificate was revoked since, where its trust anchor asks for that. While nothing
// that sessions depend on changes, the finding is remembered with the token.
func (g *Gate) stillLives(ctx context.Context, sess *sessiontoken.Session) error {
	if sess.Provenance == nil {
		return nil
	}
	memo := memoOf(sess)
	state := g.view.TrustState() // before the view is read
	if f := memo.life.Load(); f != nil && f.state == state {
		return f.err
	}
	err := revocation.CheckSession(ctx, g.view, sess)
	if ended, ok := errors.AsType[*revocation.Ended](err); ok {
		err = awsapi.Errorf("ExpiredToken", http.StatusForbidden, "The security token included in the request is expired: %s", ended.Reason)
	} else if err != nil {
		return err // nothing was found out
	}
	memo.life.Store(&lifeFinding{state, err})
	return err
}
