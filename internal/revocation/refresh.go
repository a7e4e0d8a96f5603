package revocation

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/rolecall/rolecall/internal/store"
)

// Run keeps the answers about certificates in use fresh until ctx ends, so that requests need not wait for them, and so
// that sessions of a certificate end when its source says that it was revoked. It returns when nothing is under way any more, and the checker asks nobody from then on.
func (c *Checker) Run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			c.mu.Lock()
			c.closed = true
			c.mu.Unlock()
			c.stop()
			c.work.Wait()
			return
		case <-tick.C:
			c.refresh()
		}
	}
}

// refresh asks again what is due, and forgets what nobody uses.
func (c *Checker) refresh() {
	now := c.cfg.Clock()
	c.mu.Lock()
	defer c.mu.Unlock()
	started := 0
	for k, st := range c.statuses {
		life := unusedLife
		if len(st.anchors) > 0 {
			life = sessionLife
		}
		switch {
		case st.running != nil:
		case now.Sub(st.usedAt) > life:
			// What was revoked is remembered where it is let through once its source is silent.
			if st.verdict.state != revoked || now.After(st.cert.NotAfter) {
				delete(c.statuses, k)
			}
		case !now.Before(st.refreshAt) && started < maxRefresh:
			started++
			c.askLocked(st)
		}
	}
}

// tell brings the shared list of learnt revocations in line with what a source said.
func (c *Checker) tell(ctx context.Context, a anchorKey, st *status, v *verdict) error {
	switch v.state {
	case revoked:
		return c.learn(ctx, a, st.cert, st.issuer)
	case good:
		r := learnt(a, st.cert, st.issuer)
		at, found, err := c.cfg.DB.View().Learned(ctx, a.account, a.region, a.id, r.IssuerKey, r.Serial)
		if err != nil || !found || !v.updated.After(at) {
			return err
		}
		// It was on hold. Sessions that ended stay ended for those who dropped them; others may go on.
		return c.cfg.DB.Update(ctx, func(tx *store.Tx) error {
			if err := tx.DeleteLearnedRevocation(r); !errors.Is(err, store.ErrNotFound) {
				return err
			}
			return nil
		})
	}
	return nil
}

// heedOthers puts what another node learnt, or this one before it was restarted, in the place of a verdict that is not newer.
func (c *Checker) heedOthers(ctx context.Context, anchor *store.TrustAnchor, cert, issuer *x509.Certificate, v *verdict) error {
	if v.state == revoked {
		return nil
	}
	at, found, err := c.cfg.DB.View().Learned(ctx, anchor.Account, anchor.Region, anchor.ID, keyID(issuer), serialHex(cert))
	if err != nil || !found || v.state == good && v.updated.After(at) {
		return err
	}
	*v = verdict{state: revoked, detail: fmt.Sprintf("a source of its CA was found to say so of the certificate with serial number %s at %s", serialHex(cert), stamp(at))}
	return nil
}

// learn tells all nodes of a revocation, once.
func (c *Checker) learn(ctx context.Context, a anchorKey, cert, issuer *x509.Certificate) error {
	r := learnt(a, cert, issuer)
	_, found, err := c.cfg.DB.View().Learned(ctx, a.account, a.region, a.id, r.IssuerKey, r.Serial)
	if err != nil || found {
		return err
	}
	r.LearnedAt = c.cfg.Clock()
	return c.cfg.DB.Update(ctx, func(tx *store.Tx) error { return tx.PutLearnedRevocation(r) })
}

func learnt(a anchorKey, cert, issuer *x509.Certificate) *store.LearnedRevocation {
	return &store.LearnedRevocation{Account: a.account, Region: a.region, AnchorID: a.id, IssuerKey: keyID(issuer), Serial: serialHex(cert)}
}
