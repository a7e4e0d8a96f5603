// Package webissuer makes each account an OpenID Connect issuer: it keeps the account's signing keys in the store, sealed
// under the key ring, replaces them in time, signs tokens with them, and publishes their public halves.
//
// It does not decide who gets a token or what it says beside issuer, id and times (package service/sts does), nor
// whether the account wants to be an issuer (package service/iam does, in the store). Start with [Issuer.Sign];
// rotate.go says how long a key lives, publish.go what strangers may read.
package webissuer

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/keyring"
	"github.com/rolecall/rolecall/internal/store"
)

// KeyLabel is the key ring label of sealed signing keys; the associated data is the account and the key's id.
const KeyLabel = "oidc-issuer-key"

// MaxPayload is the longest set of claims, in bytes. A token of that size is accepted by AssumeRoleWithWebIdentity.
const MaxPayload = 12 << 10

// Algorithms are those of the API (STS, GetWebIdentityToken, SigningAlgorithm).
var Algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.ES384}

var (
	// ErrDisabled means that the account hands out no tokens.
	ErrDisabled = errors.New("outbound web identity federation is disabled")
	// ErrTooLarge means that the claims are longer than [MaxPayload].
	ErrTooLarge = errors.New("the token's payload is too large")
)

// Config is what an issuer works with. All fields are required.
type Config struct {
	DB   *store.DB
	Ring *keyring.Ring
	Log  *slog.Logger
	// Base is the URL that the issuers' URLs begin with, without a slash at the end. It is asked for at every use: a
	// server learns its own address when it listens.
	Base func() string
}

// Issuer signs and publishes for all accounts. It is safe for concurrent use.
type Issuer struct {
	cfg    Config
	making singleflight.Group // of an account's first keys
}

// New makes the issuer.
func New(cfg Config) *Issuer { return &Issuer{cfg: cfg} }

// URL is an account's issuer identifier: iss of its tokens, and where discovery begins.
func (i *Issuer) URL(account arn.AccountID) string {
	return i.cfg.Base() + Path + string(account)
}

// compiled is what a cached issuer yields once.
type compiled struct {
	keys map[jose.SignatureAlgorithm][]signingKey // in the order of their sequence
	jwks []byte
}

type signingKey struct {
	from   time.Time
	signer jose.Signer
}

func (i *Issuer) compile(b *store.IssuerBundle) (any, error) {
	c := &compiled{keys: map[jose.SignatureAlgorithm][]signingKey{}}
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, k := range b.Keys {
		alg := jose.SignatureAlgorithm(k.Algorithm)
		der, err := i.cfg.Ring.Open(KeyLabel, SealedFor(k.Account, k.ID), k.Private)
		if err != nil {
			return nil, fmt.Errorf("issuer key %s: %w", k.ID, err)
		}
		private, err := x509.ParsePKCS8PrivateKey(der)
		if err != nil {
			return nil, fmt.Errorf("issuer key %s: %w", k.ID, err)
		}
		key, ok := private.(crypto.Signer)
		if !ok {
			return nil, fmt.Errorf("issuer key %s cannot sign", k.ID)
		}
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: k.ID}}, (&jose.SignerOptions{}).WithType("JWT"))
		if err != nil {
			return nil, fmt.Errorf("issuer key %s: %w", k.ID, err)
		}
		c.keys[alg] = append(c.keys[alg], signingKey{k.SignsFrom, signer})
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: key.Public(), KeyID: k.ID, Algorithm: k.Algorithm, Use: "sig"})
	}
	var err error
	c.jwks, err = json.Marshal(set)
	return c, err
}

// SealedFor is the associated data of an account's signing key.
func SealedFor(account arn.AccountID, id string) []byte { return []byte(string(account) + "/" + id) }

// load is an account's compiled issuer, whether it is enabled or not.
func (i *Issuer) load(ctx context.Context, account arn.AccountID) (*store.IssuerBundle, *compiled, error) {
	row, err := i.cfg.DB.View().Issuer(ctx, account)
	if err != nil {
		return nil, nil, err
	}
	c, err := row.Compiled(i.compile)
	if err != nil {
		return nil, nil, err
	}
	return &row.Row, c.(*compiled), nil
}

// Sign makes a token of claims, which must hold everything that the token is to say. It fails with [ErrDisabled] or
// [ErrTooLarge]. An account's first token makes its first keys.
func (i *Issuer) Sign(ctx context.Context, now time.Time, account arn.AccountID, alg jose.SignatureAlgorithm, claims map[string]any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	if len(payload) > MaxPayload {
		return "", ErrTooLarge
	}
	signer, err := i.signer(ctx, now, account, alg)
	if err != nil {
		return "", err
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return jws.CompactSerialize()
}

// signer is the key that signs now: the newest one whose time has come.
func (i *Issuer) signer(ctx context.Context, now time.Time, account arn.AccountID, alg jose.SignatureAlgorithm) (jose.Signer, error) {
	for range 2 {
		b, c, err := i.load(ctx, account)
		if errors.Is(err, store.ErrNotFound) || err == nil && !b.Issuer.Enabled {
			return nil, ErrDisabled
		}
		if err != nil {
			return nil, err
		}
		keys := c.keys[alg]
		for n := len(keys) - 1; n >= 0; n-- {
			if !now.Before(keys[n].from) {
				return keys[n].signer, nil
			}
		}
		_, err, _ = i.making.Do(string(account), func() (any, error) { return nil, i.rotate(context.WithoutCancel(ctx), account, now) })
		if err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("webissuer: no %s key of account %s signs yet", alg, account)
}

// Enabled reports whether the account hands out tokens.
func (i *Issuer) Enabled(ctx context.Context, account arn.AccountID) (bool, error) {
	row, err := i.cfg.DB.View().Issuer(ctx, account)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return row.Row.Issuer.Enabled, nil
}
