package acmpca_test

import (
	"crypto/x509"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/store"
	"github.com/rolecall/rolecall/internal/testserver"
)

// TestListsAreRenewedAtHalfTheirLife: without a revocation a list is signed anew when half of its life is over, and not before.
func TestListsAreRenewedAtHalfTheirLife(t *testing.T) {
	r := newRig(t)
	host := strings.TrimPrefix(r.URL, "http://")
	ca := r.root("renewed", object{"RevocationConfiguration": object{"CrlConfiguration": object{"Enabled": true, "ExpirationInDays": 7, "CustomCname": host}}})
	id := ca[strings.LastIndexByte(ca, '/')+1:]
	const account, region, life = "123456789012", testserver.Region, 7 * 24 * time.Hour
	fetch := func() *x509.RevocationList {
		res, err := http.Get(r.URL + "/crl/" + id + ".crl")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		der, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		list, err := x509.ParseRevocationList(der)
		if res.StatusCode != http.StatusOK || err != nil {
			return nil
		}
		return list
	}
	var first *x509.RevocationList
	r.eventually("the first list", func() bool { first = fetch(); return first != nil })
	if got := first.NextUpdate.Sub(first.ThisUpdate); got < life-2*time.Hour || got > life+2*time.Hour {
		t.Errorf("a life of %s", got)
	}
	near := func(at time.Time) bool { d := time.Until(at) - life/2; return d > -2*time.Hour && d < 2*time.Hour }
	r.eventually("the next one due at half its life", func() bool {
		var due, renew time.Time
		err := r.DB().Read(t.Context(), func(tx *store.Tx) error {
			row, err := tx.GetAuthority(account, region, id)
			if err != nil {
				return err
			}
			list, err := tx.GetAuthorityList(account, region, id, id)
			if err != nil {
				return err
			}
			due, renew = row.CRLDueAt, list.RenewAt
			return nil
		})
		return err == nil && near(due) && near(renew)
	})
	if again := fetch(); again.Number.Cmp(first.Number) != 0 {
		t.Errorf("list %v follows %v at once", again.Number, first.Number)
	}
	err := r.DB().Update(t.Context(), func(tx *store.Tx) error { // half of its life later
		row, err := tx.GetAuthority(account, region, id)
		if err != nil {
			return err
		}
		list, err := tx.GetAuthorityList(account, region, id, id)
		if err != nil {
			return err
		}
		row.CRLDueAt, list.RenewAt = tx.Now.Add(-time.Second), tx.Now.Add(-time.Second)
		if err := tx.PutAuthorityList(list); err != nil {
			return err
		}
		return tx.PutAuthority(row)
	})
	if err != nil {
		t.Fatal(err)
	}
	r.eventually("the next list", func() bool {
		next := fetch()
		return next != nil && next.Number.Cmp(first.Number) > 0 && next.NextUpdate.After(first.NextUpdate.Add(-time.Second))
	})
}
