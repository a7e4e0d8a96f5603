package webissuer

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/store"
)

// The life of a key: published, then signing, then published still, because tokens live for an hour and verifiers
// remember key sets for longer.
const (
	publishAhead = 24 * time.Hour      // before a key signs
	signFor      = 30 * 24 * time.Hour // before the next one does
	keepAfter    = 24 * time.Hour      // after the next one does

	runInterval = 30 * time.Second
	rsaBits     = 2048
)

// Run makes, replaces and removes keys until ctx ends.
func (i *Issuer) Run(ctx context.Context) {
	tick := time.NewTicker(runInterval)
	defer tick.Stop()
	for {
		if err := i.rotateAll(ctx, time.Now()); err != nil && ctx.Err() == nil {
			i.cfg.Log.Warn("keys of the accounts' OpenID Connect issuers could not be looked after", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// rotateAll looks after every account that is an issuer or was one.
func (i *Issuer) rotateAll(ctx context.Context, now time.Time) error {
	for after := ""; ; {
		var rows []store.OIDCIssuer
		err := i.cfg.DB.Read(ctx, func(tx *store.Tx) (err error) {
			rows, after, err = tx.ListOIDCIssuers(store.MaxPage, after)
			return err
		})
		if err != nil {
			return err
		}
		for _, r := range rows {
			if err := i.rotate(ctx, r.Account, now); err != nil {
				return err
			}
		}
		if after == "" {
			return nil
		}
	}
}

// rotate makes the keys that an account needs next and removes those that nobody needs any more. Keys are made outside of
// the transaction: RSA takes its time.
func (i *Issuer) rotate(ctx context.Context, account arn.AccountID, now time.Time) error {
	row, err := i.cfg.DB.View().Issuer(ctx, account)
	if err != nil {
		return err
	}
	for _, alg := range Algorithms {
		var keys []store.OIDCIssuerKey
		for _, k := range row.Row.Keys {
			if k.Algorithm == string(alg) {
				keys = append(keys, k)
			}
		}
		plan := next(keys, now)
		var made *store.OIDCIssuerKey
		if plan.make && row.Row.Issuer.Enabled {
			if made, err = i.makeKey(account, alg, plan, now); err != nil {
				return err
			}
		}
		if made == nil && len(plan.remove) == 0 {
			continue
		}
		err := i.cfg.DB.Update(ctx, func(tx *store.Tx) error {
			for _, sequence := range plan.remove {
				if err := tx.DeleteOIDCIssuerKey(account, string(alg), sequence); err != nil && !errors.Is(err, store.ErrNotFound) {
					return err
				}
			}
			if made == nil {
				return nil
			}
			err := tx.CreateOIDCIssuerKey(made)
			if errors.Is(err, store.ErrExists) {
				return nil // another node was first
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// plan is what is to be done about an account's keys of one algorithm.
type plan struct {
	make     bool
	sequence int       // of the key to make
	from     time.Time // when it signs
	remove   []int     // sequences
}

// next decides from the keys, which are in the order of their sequence.
func next(keys []store.OIDCIssuerKey, now time.Time) plan {
	if len(keys) == 0 {
		return plan{make: true, sequence: 1, from: now}
	}
	var p plan
	newest := keys[len(keys)-1]
	if !now.Before(newest.SignsFrom.Add(signFor - publishAhead)) {
		p.make, p.sequence, p.from = true, newest.Sequence+1, now.Add(publishAhead)
	}
	for n := range len(keys) - 1 {
		if !now.Before(keys[n+1].SignsFrom.Add(keepAfter)) {
			p.remove = append(p.remove, keys[n].Sequence)
		}
	}
	return p
}

func (i *Issuer) makeKey(account arn.AccountID, alg jose.SignatureAlgorithm, p plan, now time.Time) (*store.OIDCIssuerKey, error) {
	var key crypto.Signer
	var err error
	switch alg {
	case jose.RS256:
		key, err = rsa.GenerateKey(rand.Reader, rsaBits)
	case jose.ES384:
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	default:
		err = fmt.Errorf("webissuer: no keys are made for %s", alg)
	}
	if err != nil {
		return nil, err
	}
	thumbprint, err := (&jose.JSONWebKey{Key: key.Public()}).Thumbprint(crypto.SHA256) // RFC 7638
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, err
	}
	id := base64.RawURLEncoding.EncodeToString(thumbprint)
	return &store.OIDCIssuerKey{
		Account: account, Algorithm: string(alg), Sequence: p.sequence, ID: id, Public: public,
		Private: i.cfg.Ring.Seal(KeyLabel, SealedFor(account, id), private), SignsFrom: p.from, CreatedAt: now,
	}, nil
}
