package store

import (
	"errors"
	"testing"
	"time"
)

// TestWebIdentityResources is the conformance suite for the rows of web identity.
func TestWebIdentityResources(t *testing.T) {
	later := t0.Add(time.Hour)
	tests := []func(*testing.T, *DB){
		lifecycle("provider", resource[OIDCProvider]{
			row:     OIDCProvider{acct, "~", []string{"a", "b"}, []string{"00"}, []Tag{{"k", "v"}}, t0},
			changed: OIDCProvider{acct, "~", nil, nil, nil, later}, create: (*Tx).CreateOIDCProvider, put: (*Tx).PutOIDCProvider,
			get:    func(tx *Tx) (*OIDCProvider, error) { return tx.GetOIDCProvider(acct, "~") },
			remove: func(tx *Tx) error { return tx.DeleteOIDCProvider(acct, "~") },
			list: func(tx *Tx, n int, a string) ([]OIDCProvider, string, error) {
				return tx.ListOIDCProviders(acct, n, a)
			},
			numbered: func(i int) OIDCProvider { return OIDCProvider{Account: acct, URL: letter(i), CreatedAt: t0} }}),
		testIssuer,
	}
	onEngines(t, func(t *testing.T, src string) {
		for _, test := range tests {
			test(t, open(t, Config{Source: src}))
		}
	})
}

// testIssuer follows an account's issuer through the view: every change of it or of its keys must show.
func testIssuer(t *testing.T, db *DB) {
	ctx := t.Context()
	if _, err := db.View().Issuer(ctx, acct); !errors.Is(err, ErrNotFound) {
		t.Fatalf("an issuer before there is one: %v", err)
	}
	key := OIDCIssuerKey{acct, "ES384", 1, "kid", []byte{1}, []byte{2}, t0, t0}
	update(t, db, func(tx *Tx) error { return tx.PutOIDCIssuer(&OIDCIssuer{acct, true, t0}) })
	update(t, db, func(tx *Tx) error {
		if err := tx.CreateOIDCIssuerKey(&key); err != nil {
			return err
		}
		second := key
		second.ID = "other"
		wantIs(t, "second key of a sequence", tx.CreateOIDCIssuerKey(&second), ErrExists)
		return nil
	})
	got, err := db.View().Issuer(ctx, acct)
	if err != nil || !got.Row.Issuer.Enabled || len(got.Row.Keys) != 1 || got.Row.Keys[0].ID != "kid" || got.Row.Keys[0].Sequence != 1 {
		t.Fatalf("issuer %+v, %v", got, err)
	}
	update(t, db, func(tx *Tx) error {
		if err := tx.PutOIDCIssuer(&OIDCIssuer{acct, false, t0}); err != nil {
			return err
		}
		return tx.DeleteOIDCIssuerKey(acct, "ES384", 1)
	})
	got, err = db.View().Issuer(ctx, acct)
	if err != nil || got.Row.Issuer.Enabled || len(got.Row.Keys) != 0 {
		t.Errorf("issuer after the change %+v, %v", got, err)
	}
	update(t, db, func(tx *Tx) error {
		rows, next, err := tx.ListOIDCIssuers(10, "")
		if err != nil || next != "" || len(rows) != 1 {
			t.Errorf("issuers %v, %v", rows, err)
		}
		wantIs(t, "delete of a missing key", tx.DeleteOIDCIssuerKey(acct, "ES384", 1), ErrNotFound)
		return nil
	})
}
