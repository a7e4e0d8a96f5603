package store

import (
	"context"
	"errors"

	"github.com/rolecall/rolecall/internal/arn"
)

// IssuingAuthority is a private CA with everything in the store that decides what it issues, and to whom.
type IssuingAuthority struct {
	CertificateAuthority
	Policy string // the CA's resource policy; "" for none
}

// GetIssuingAuthority reads one CA.
func (tx *Tx) GetIssuingAuthority(account arn.AccountID, region arn.Region, id string) (*IssuingAuthority, error) {
	ca, err := tx.GetAuthority(account, region, id)
	if err != nil {
		return nil, err
	}
	a := &IssuingAuthority{CertificateAuthority: *ca}
	p, err := tx.GetAuthorityPolicy(account, region, id)
	if errors.Is(err, ErrNotFound) {
		return a, nil
	}
	if err != nil {
		return nil, err
	}
	a.Policy = p.Document
	return a, nil
}

// IssuingAuthority returns a private CA for issuing.
func (v *View) IssuingAuthority(ctx context.Context, account arn.AccountID, region arn.Region, id string) (*Cached[IssuingAuthority], error) {
	return lookup(v, ctx, change{kindIssuing, account, region, id}, func(tx *Tx, k change) (*IssuingAuthority, error) {
		return tx.GetIssuingAuthority(k.account, k.region, k.id)
	})
}
