package acmpca

import (
	"context"
	"errors"
	"time"

	"github.com/rolecall/rolecall/internal/authority"
	"github.com/rolecall/rolecall/internal/issuance"
	"github.com/rolecall/rolecall/internal/store"
)

// A responder's certificate is short-lived: nobody checks whether it was revoked (RFC 6960 §4.2.2.2.1).
const (
	responderLife  = 72 * time.Hour
	responderRenew = 36 * time.Hour // before its end
)

// scheduleResponder makes the CA's responder due now, or removes it if the CA answers no OCSP.
func scheduleResponder(tx *store.Tx, ca *store.CertificateAuthority, enabled bool) error {
	if st := status(ca.Status); !enabled || st != active && st != disabled {
		err := tx.DeleteOCSPResponder(ca.Account, ca.Region, ca.ID)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	}
	r, err := tx.GetOCSPResponder(ca.Account, ca.Region, ca.ID)
	if errors.Is(err, store.ErrNotFound) {
		r, err = &store.OCSPResponder{Account: ca.Account, Region: ca.Region, Authority: ca.ID}, nil
	}
	if err != nil {
		return err
	}
	r.DueAt = tx.Now
	return tx.PutOCSPResponder(r)
}

// renewResponder gives a CA's responder a new key and certificate.
func (s *Service) renewResponder(ctx context.Context, due *store.OCSPResponder) error {
	var ca *store.CertificateAuthority
	var lease time.Time
	err := s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		ca = nil
		r, err := tx.GetOCSPResponder(due.Account, due.Region, due.Authority)
		if errors.Is(err, store.ErrNotFound) || err == nil && (r.DueAt.IsZero() || r.DueAt.After(tx.Now)) {
			return nil // another node has it
		}
		if err != nil {
			return err
		}
		if ca, err = tx.GetAuthority(due.Account, due.Region, due.Authority); err != nil {
			return err
		}
		lease = tx.Now.Add(workLease)
		r.DueAt = lease
		return tx.PutOCSPResponder(r)
	})
	if err != nil || ca == nil {
		return err
	}
	made, err := s.makeResponder(ca)
	next := time.Now().Add(s.misses.wait("responder " + ca.ID))
	if err == nil {
		s.misses.clear("responder " + ca.ID)
		next = time.Time{}
	}
	return errors.Join(err, s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		now, err := tx.GetOCSPResponder(ca.Account, ca.Region, ca.ID)
		if errors.Is(err, store.ErrNotFound) || err == nil && !now.DueAt.Equal(lease) { // the configuration changed meanwhile
			return nil
		}
		if err != nil {
			return err
		}
		if made != nil {
			return tx.PutOCSPResponder(made)
		}
		now.DueAt = next
		return tx.PutOCSPResponder(now)
	}))
}

// makeResponder is nil, without an error, for a CA that has expired: its next certificate makes one due again.
func (s *Service) makeResponder(ca *store.CertificateAuthority) (*store.OCSPResponder, error) {
	now := time.Now().UTC()
	if st := issuance.StatusOf(ca, now); st != active && st != disabled {
		return nil, nil
	}
	configuration, err := configurationOf(ca)
	if err != nil {
		return nil, err
	}
	issuer, err := s.cfg.Issuer.Load(ca)
	if err != nil {
		return nil, err
	}
	ref, cert, err := s.cfg.Responders.Make(issuer, authority.SigningAlgorithm(*configuration.SigningAlgorithm), now, responderLife)
	if err != nil {
		return nil, err
	}
	due := cert.NotAfter.Add(-responderRenew)
	if !due.After(now) { // the CA itself ends soon
		due = cert.NotAfter
	}
	return &store.OCSPResponder{Account: ca.Account, Region: ca.Region, Authority: ca.ID, KeyRef: ref, Certificate: cert.Raw, NotAfter: cert.NotAfter, DueAt: due}, nil
}
