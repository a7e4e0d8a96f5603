package acmpca

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rolecall/rolecall/internal/authority"
	pca "github.com/rolecall/rolecall/internal/awsapi/model/acmpca"
	"github.com/rolecall/rolecall/internal/store"
)

const (
	busyInterval = 50 * time.Millisecond
	workBatch    = 10
	workLease    = 2 * time.Minute // how long a node has for a CA's lists or report before another may take them up
	retryFirst   = 5 * time.Second // after a failure; doubled with each one, up to retryMost
	retryMost    = 15 * time.Minute
)

// Run makes the keys of new CAs, signs revocation lists and makes OCSP responders when they fall due, writes audit reports,
// and clears away CAs that were deleted for good. It returns when ctx ends. Every node may run it: work is claimed or checked again in the store.
func (s *Service) Run(ctx context.Context) {
	s.worker.Run(ctx, busyInterval, s.Work, func(err error) {
		s.cfg.Log.Warn("work for certificate authorities failed and will be tried again", "error", err)
	})
}

// Work does what there is to do now. One CA's trouble does not keep the others waiting.
func (s *Service) Work(ctx context.Context) error {
	var waiting, due, gone []store.CertificateAuthority
	var responders []store.OCSPResponder
	var reports []store.AuditReport
	err := s.cfg.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if waiting, err = tx.ListCreatingAuthorities(workBatch); err != nil {
			return err
		}
		if due, err = tx.ListCRLsDue(workBatch); err != nil {
			return err
		}
		if responders, err = tx.ListRespondersDue(workBatch); err != nil {
			return err
		}
		if reports, err = tx.ListAuditReportsDue(workBatch); err != nil {
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
		errs = append(errs, s.renewLists(ctx, &due[i]))
	}
	for i := range responders {
		errs = append(errs, s.renewResponder(ctx, &responders[i]))
	}
	for i := range reports {
		errs = append(errs, s.writeReport(ctx, &reports[i]))
	}
	for i := range gone {
		ca := &gone[i]
		if err := s.cfg.Issuer.Keys().Delete(ca.ID, ca.KeyRef); err != nil { // its time is over: nobody can restore it
			errs = append(errs, err)
			continue
		}
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
	err := makeKey(s.cfg.Issuer.Keys(), &made)
	if errors.Is(err, authority.ErrUnavailable) {
		return fmt.Errorf("certificate authority %s: %w", ca.ID, err) // it stays CREATING until the token is back
	}
	if err != nil {
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
