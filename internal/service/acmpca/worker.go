package acmpca

import (
	"context"
	"errors"
	"math/big"
	"time"

	"github.com/rolecall/rolecall/internal/authority"
	pca "github.com/rolecall/rolecall/internal/awsapi/model/acmpca"
	"github.com/rolecall/rolecall/internal/issuance"
	"github.com/rolecall/rolecall/internal/store"
)

const (
	idleInterval = 5 * time.Second // between looks for work that other nodes left or that has fallen due
	busyInterval = 50 * time.Millisecond
	busyTime     = time.Second // how long to look closely after a nudge: its transaction may commit a little later
	workBatch    = 10
	crlLease     = 30 * time.Second // how long a node has for a list before another may take it up
	crlRetry     = time.Minute
)

// Run makes the keys of new CAs, signs revocation lists when they fall due, and clears away CAs that were deleted for
// good. It returns when ctx ends. Every node may run it: work is claimed or checked again in the store.
func (s *Service) Run(ctx context.Context) {
	var busyUntil time.Time
	for {
		if err := s.Work(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("work for certificate authorities failed and will be tried again", "error", err)
		}
		wait := idleInterval
		if time.Now().Before(busyUntil) {
			wait = busyInterval
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-s.wake:
			timer.Stop()
			busyUntil = time.Now().Add(busyTime)
		case <-timer.C:
		}
	}
}

// Work does what there is to do now. One CA's trouble does not keep the others waiting.
func (s *Service) Work(ctx context.Context) error {
	var waiting, due, gone []store.CertificateAuthority
	err := s.cfg.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if waiting, err = tx.ListCreatingAuthorities(workBatch); err != nil {
			return err
		}
		if due, err = tx.ListCRLsDue(workBatch); err != nil {
			return err
		}
		gone, err = tx.ListAuthoritiesGone(workBatch)
		return err
	})
	if err != nil {
		return err
	}
	var errs []error
	for i := range waiting {
		errs = append(errs, s.finishCreation(ctx, &waiting[i]))
	}
	for i := range due {
		errs = append(errs, s.renewCRL(ctx, &due[i]))
	}
	for i := range gone {
		ca := &gone[i]
		errs = append(errs, s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
			now, err := tx.GetAuthority(ca.Account, ca.Region, ca.ID)
			if errors.Is(err, store.ErrNotFound) || err == nil && (now.RestorableUntil.IsZero() || tx.Now.Before(now.RestorableUntil)) {
				return nil
			}
			if err != nil {
				return err
			}
			return tx.DeleteAuthority(ca.Account, ca.Region, ca.ID)
		}))
	}
	return errors.Join(errs...)
}

// finishCreation makes the key outside of any transaction. Of two nodes that do so at once one key is thrown away.
func (s *Service) finishCreation(ctx context.Context, ca *store.CertificateAuthority) error {
	made := *ca
	if err := makeKey(s.cfg.Issuer.Keys(), &made); err != nil {
		s.cfg.Log.Error("the key of a certificate authority could not be made", "authority", ca.ID, "error", err)
		made.Status, made.Failure = string(failed), string(pca.FailureReasonOther)
		made.KeyRef, made.CSR, made.IssuerKey = nil, nil, ""
	}
	return s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		now, err := tx.GetAuthority(ca.Account, ca.Region, ca.ID)
		if errors.Is(err, store.ErrNotFound) || err == nil && now.Status != string(creating) {
			return nil
		}
		if err != nil {
			return err
		}
		now.Status, now.Failure, now.KeyRef, now.CSR, now.IssuerKey, now.ChangedAt = made.Status, made.Failure, made.KeyRef, made.CSR, made.IssuerKey, tx.Now
		return tx.PutAuthority(now)
	})
}

// renewCRL signs a CA's list of all certificates that are revoked and have not expired.
func (s *Service) renewCRL(ctx context.Context, due *store.CertificateAuthority) error {
	var ca *store.CertificateAuthority
	var lease time.Time
	err := s.cfg.DB.Update(ctx, func(tx *store.Tx) (err error) {
		if ca, err = tx.GetAuthority(due.Account, due.Region, due.ID); err != nil {
			return err
		}
		if ca.CRLDueAt.IsZero() || ca.CRLDueAt.After(tx.Now) {
			ca = nil // another node has it
			return nil
		}
		lease = tx.Now.Add(crlLease)
		ca.CRLDueAt = lease
		return tx.PutAuthority(ca)
	})
	if err != nil || ca == nil {
		return err
	}
	list, next, err := s.signCRL(ctx, ca)
	if err != nil {
		next = time.Now().Add(crlRetry)
	}
	return errors.Join(err, s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		if list != nil {
			if err := tx.PutAuthorityCRL(list); err != nil {
				return err
			}
		}
		now, err := tx.GetAuthority(ca.Account, ca.Region, ca.ID)
		if err != nil || !now.CRLDueAt.Equal(lease) { // something was revoked meanwhile: it stays due
			return err
		}
		now.CRLDueAt = next
		return tx.PutAuthority(now)
	}))
}

// signCRL returns the new list and when the one after it is due: at half of its life.
func (s *Service) signCRL(ctx context.Context, ca *store.CertificateAuthority) (*store.AuthorityCRL, time.Time, error) {
	configuration, err := configurationOf(ca)
	if err != nil {
		return nil, time.Time{}, err
	}
	revocation, err := issuance.RevocationOf(ca)
	if err != nil {
		return nil, time.Time{}, err
	}
	life := issuance.CRLLife(revocation)
	if life == 0 || issuance.StatusOf(ca, time.Now()) == expired {
		return nil, time.Time{}, nil // nothing to publish any more
	}
	issuer, err := s.cfg.Issuer.Load(ca)
	if err != nil {
		return nil, time.Time{}, err
	}
	var entries []authority.Revocation
	var now time.Time
	err = s.cfg.DB.Read(ctx, func(tx *store.Tx) error {
		entries, now = nil, tx.Now
		for after := ""; ; {
			rows, next, err := tx.ListRevokedCertificates(ca.Account, ca.Region, ca.IssuerKey, store.MaxPage, after)
			if err != nil {
				return err
			}
			for _, r := range rows {
				// RFC 5280 §3.3: an entry stays until the certificate has expired, and one list longer.
				if !r.NotAfter.IsZero() && r.NotAfter.Add(life).Before(now) {
					continue
				}
				serial, ok := new(big.Int).SetString(r.Serial, 16)
				if !ok {
					return errors.New("a stored revocation has a serial number that is no number: " + r.Serial)
				}
				entries = append(entries, authority.Revocation{Serial: serial, At: r.RevokedAt, Reason: authority.RevocationReason(r.Reason)})
			}
			if after = next; after == "" {
				return nil
			}
		}
	})
	if err != nil {
		return nil, time.Time{}, err
	}
	der, err := issuer.SignCRL(authority.SigningAlgorithm(*configuration.SigningAlgorithm), entries, now, life)
	if err != nil {
		return nil, time.Time{}, err
	}
	list := &store.AuthorityCRL{Account: ca.Account, Region: ca.Region, Authority: ca.ID, Number: now.UnixMilli(), NextUpdate: now.Add(life), DER: der}
	return list, now.Add(life / 2), nil
}
