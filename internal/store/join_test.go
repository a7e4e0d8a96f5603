package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

// succeeded is there, also where a neighbour failed after it had written.
func TestJoin(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src})
		refused := errors.New("refused")
		var callers sync.WaitGroup
		const n = 60
		for i := range n {
			callers.Go(func() {
				c := IssuedCertificate{Account: acct, Region: region, Authority: "ca", Serial: fmt.Sprintf("%032x", i), DER: []byte{1}, IssuedAt: t0, NotAfter: t0}
				err := db.Join(t.Context(), func(tx *Tx) error {
					tx.QueueIssuedCertificate(c)
					switch i % 10 {
					case 3:
						return refused
					case 7:
						return errors.Join(tx.PutServerValue(&ServerValue{Name: fmt.Sprint("left", i)}), refused)
					}
					return nil
				})
				if failed := i%10 == 3 || i%10 == 7; errors.Is(err, refused) != failed || !failed && err != nil {
					t.Errorf("%d: %v", i, err)
				}
			})
		}
		callers.Wait()
		read(t, db, func(tx *Tx) error {
			for i := range n {
				_, err := tx.GetIssuedCertificate(acct, region, "ca", fmt.Sprintf("%032x", i))
				if failed := i%10 == 3 || i%10 == 7; errors.Is(err, ErrNotFound) != failed {
					t.Errorf("%d: %v", i, err)
				}
			}
			values, _, err := tx.ListServerValues(100, "")
			if len(values) > 0 {
				t.Errorf("left behind: %v", values)
			}
			return err
		})
		same := IssuedCertificate{Account: acct, Region: region, Authority: "ca", Serial: fmt.Sprintf("%032x", 0), DER: []byte{2}, IssuedAt: t0, NotAfter: t0}
		wantIs(t, "a serial that is taken", db.Join(t.Context(), func(tx *Tx) error { tx.QueueIssuedCertificate(same); return nil }), ErrExists)
		wantIs(t, "a caller that has left", func() error {
			ctx, leave := context.WithCancel(t.Context())
			leave()
			return db.Join(ctx, func(*Tx) error { t.Error("ran"); return nil })
		}(), context.Canceled)
	})
}

// TestSealed finds, counts and replaces sealed values of each kind by the key that they are under.
func TestSealed(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src})
		old, fresh := []byte{1, 9, 9, 9, 9, 'x'}, []byte{1, 8, 8, 8, 8, 'y'}
		update(t, db, func(tx *Tx) error {
			return errors.Join(
				tx.CreateAccessKey(&AccessKey{ID: "AKIA", Account: acct, Secret: old, CreatedAt: t0}),
				tx.CreateAuthority(&CertificateAuthority{Account: acct, Region: region, ID: "ca", KeyRef: old, CreatedAt: t0, ChangedAt: t0}),
				tx.CreateAuthority(&CertificateAuthority{Account: acct, Region: region, ID: "new", CreatedAt: t0, ChangedAt: t0}),
				tx.PutOCSPResponder(&OCSPResponder{Account: acct, Region: region, Authority: "ca", KeyRef: old, Certificate: []byte{1}, NotAfter: t0.Add(time.Hour)}),
				tx.CreateDirectory(&Directory{Account: acct, Region: region, ID: "d-1", PolicyHost: "h", Keytab: old, BindPassword: old, CreatedAt: t0}),
				tx.CreateDirectory(&Directory{Account: acct, Region: region, ID: "d-2", PolicyHost: "h", CreatedAt: t0}),
				tx.CreateOIDCIssuerKey(&OIDCIssuerKey{Account: acct, Algorithm: "RS256", ID: "k", Private: old, CreatedAt: t0}),
				tx.CreateServerValue(&ServerValue{Name: "key-ring-check", Value: old}), tx.CreateServerValue(&ServerValue{Name: "first-account", Value: []byte("123456789012")}),
			)
		})
		for _, kind := range SealedKinds() {
			update(t, db, func(tx *Tx) error {
				heads, err := tx.SealHeads(kind)
				if err != nil || len(heads) != 1 || heads[[SealHead]byte(old)] != 1 {
					t.Errorf("%s: %v %v", kind, heads, err)
				}
				list, err := tx.ListSealed(kind, [SealHead]byte(old), 10)
				if err != nil || len(list) != 1 || string(list[0].Value) != string(old) {
					t.Fatalf("%s: %v %v", kind, list, err)
				}
				v := list[0]
				if err := tx.ReplaceSealed(kind, &v, fresh); err != nil {
					return err
				}
				wantIs(t, "replaced by somebody else meanwhile", tx.ReplaceSealed(kind, &v, []byte("z")), ErrNotFound)
				heads, err = tx.SealHeads(kind)
				if len(heads) != 1 || heads[[SealHead]byte(fresh)] != 1 {
					t.Errorf("%s: %v", kind, heads)
				}
				return err
			})
		}
	})
}
