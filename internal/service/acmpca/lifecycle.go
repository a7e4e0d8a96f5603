package acmpca

import (
	"context"
	"time"

	"github.com/rolecall/rolecall/internal/awsapi"
	pca "github.com/rolecall/rolecall/internal/awsapi/model/acmpca"
)

// update switches a CA on and off and changes how it publishes revocations.
func (s *Service) update(_ context.Context, call *awsapi.Call, in *pca.UpdateCertificateAuthorityInput) (*pca.UpdateCertificateAuthorityOutput, error) {
	ca, err := findCA(call, *in.CertificateAuthorityArn)
	if err != nil {
		return nil, err
	}
	if err := inState(call, ca, active, disabled); err != nil {
		return nil, err
	}
	if st := in.Status; st != nil {
		if *st != active && *st != disabled {
			return nil, pca.InvalidArgsException("The status can be set to ACTIVE or DISABLED, not to %s", *st)
		}
		if ca.Status != string(*st) {
			ca.Status, ca.ChangedAt = string(*st), call.Now
		}
	}
	if in.RevocationConfiguration != nil {
		if ca.Revocation, err = s.revocationText(in.RevocationConfiguration); err != nil {
			return nil, err
		}
		if err := publishes(call, ca); err != nil {
			return nil, err
		}
		s.worker.Nudge()
	}
	return &pca.UpdateCertificateAuthorityOutput{}, call.Tx.PutAuthority(ca)
}

// defaultRestorable is the days in which a deleted CA can be restored, unless the caller says otherwise (7 to 30).
const defaultRestorable = 30

// remove puts a CA aside. Its trust ends at once; its key and its certificates stay until it can no longer be restored.
func remove(_ context.Context, call *awsapi.Call, in *pca.DeleteCertificateAuthorityInput) (*pca.DeleteCertificateAuthorityOutput, error) {
	ca, err := findCA(call, *in.CertificateAuthorityArn)
	if err != nil {
		return nil, err
	}
	// An active CA has to be disabled first.
	if err := inState(call, ca, creating, pending, disabled, expired, failed); err != nil {
		return nil, err
	}
	days := defaultRestorable
	if in.PermanentDeletionTimeInDays != nil {
		days = int(*in.PermanentDeletionTimeInDays)
	}
	ca.Status, ca.ChangedAt, ca.RestorableUntil, ca.CRLDueAt = string(deleted), call.Now, call.Now.AddDate(0, 0, days), time.Time{}
	if err := scheduleResponder(call.Tx, ca, false); err != nil {
		return nil, err
	}
	return &pca.DeleteCertificateAuthorityOutput{}, call.Tx.PutAuthority(ca)
}

// restore brings a deleted CA back: disabled if it has a certificate, and waiting for one otherwise.
func (s *Service) restore(_ context.Context, call *awsapi.Call, in *pca.RestoreCertificateAuthorityInput) (*pca.RestoreCertificateAuthorityOutput, error) {
	ca, err := findCA(call, *in.CertificateAuthorityArn)
	if err != nil {
		return nil, err
	}
	if err := inState(call, ca, deleted); err != nil {
		return nil, err
	}
	switch {
	case ca.Failure != "":
		ca.Status = string(failed)
	case len(ca.KeyRef) == 0:
		ca.Status = string(creating)
	case len(ca.Certificate) == 0:
		ca.Status = string(pending)
	default:
		ca.Status = string(disabled)
	}
	ca.ChangedAt, ca.RestorableUntil = call.Now, time.Time{}
	if err := publishes(call, ca); err != nil {
		return nil, err
	}
	s.worker.Nudge()
	return &pca.RestoreCertificateAuthorityOutput{}, call.Tx.PutAuthority(ca)
}
