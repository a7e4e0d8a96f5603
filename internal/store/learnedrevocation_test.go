package store

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

// A revocation that one node learnt is known to the other, and what was found out there before is void.
func TestLearnedRevocationOnNodes(t *testing.T) {
	onShared(t, func(t *testing.T, src string) {
		a, b := open(t, Config{Source: src}), open(t, Config{Source: src})
		r := &LearnedRevocation{acct, "eu-central-1", arn.NewUUID(), "ab12", "00ff", t0}
		known := func(db *DB) bool {
			at, found, err := db.View().Learned(t.Context(), acct, r.Region, r.AnchorID, r.IssuerKey, r.Serial)
			if err != nil || found && !at.Equal(t0) {
				t.Fatalf("%v %v", at, err)
			}
			return found
		}
		if known(a) || known(b) {
			t.Fatal("known before it was put")
		}
		before := b.View().TrustState()
		for range 2 {
			update(t, a, func(tx *Tx) error { return tx.PutLearnedRevocation(r) })
		}
		if !known(a) {
			t.Error("the node that wrote it does not know")
		}
		eventually(t, "the other node knows", func() bool { return known(b) && b.View().TrustState() != before })
		other := *r
		other.IssuerKey = "cd"
		if _, found, err := b.View().Learned(t.Context(), acct, r.Region, r.AnchorID, other.IssuerKey, r.Serial); err != nil || found {
			t.Errorf("another issuer's serial: %t %v", found, err)
		}
		update(t, b, func(tx *Tx) error { return tx.DeleteLearnedRevocation(r) })
		eventually(t, "both nodes forgot", func() bool { return !known(a) && !known(b) })
		err := a.Update(t.Context(), func(tx *Tx) error { return tx.DeleteLearnedRevocation(r) })
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("got %v", err)
		}
		update(t, a, func(tx *Tx) error { return tx.PutLearnedRevocation(r) })
		update(t, a, func(tx *Tx) error { return tx.DeleteLearnedRevocationsBefore(t0.Add(time.Second)) })
		read(t, a, func(tx *Tx) error {
			if n, err := tx.count(`SELECT COUNT(*) FROM learned_revocations`); err != nil || n != 0 {
				t.Errorf("%d rows, %v", n, err)
			}
			return nil
		})
	})
}

func TestListAllTrustAnchors(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src})
		want := map[string]bool{}
		update(t, db, func(tx *Tx) error {
			for _, account := range []arn.AccountID{acct, other} {
				for _, region := range []arn.Region{"eu-central-1", "eu-central-10", "us-east-1"} {
					for range 2 {
						a := &TrustAnchor{Account: account, Region: region, ID: arn.NewUUID(), Name: "a", SourceType: "CERTIFICATE_BUNDLE", CreatedAt: t0, UpdatedAt: t0}
						want[fmt.Sprint(account, region, a.ID)] = true
						if err := tx.CreateTrustAnchor(a); err != nil {
							return err
						}
					}
				}
			}
			return nil
		})
		for after, pages := "", 0; ; pages++ {
			if pages > 3 {
				t.Fatal("the pages do not end")
			}
			var next string
			read(t, db, func(tx *Tx) error {
				page, n, err := tx.ListAllTrustAnchors(5, after)
				next = n
				for _, a := range page {
					key := fmt.Sprint(a.Account, a.Region, a.ID)
					if !want[key] {
						t.Errorf("%s twice, or never made", key)
					}
					delete(want, key)
				}
				return err
			})
			if after = next; after == "" {
				break
			}
		}
		if len(want) > 0 {
			t.Errorf("not listed: %v", want)
		}
	})
}
