package store

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestEnrollmentRequests: the rows, their two keys, and ids that no two transactions get.
func TestEnrollmentRequests(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src})
		row := EnrollmentRequest{Account: acct, Region: region, Connector: "c", ID: 1, Authority: "ca", Serial: "01", SID: "S-1-5-21-1", Template: "t", CreatedAt: t0}
		update(t, db, func(tx *Tx) error { return tx.CreateEnrollmentRequest(&row) })
		update(t, db, func(tx *Tx) error {
			again, sameCertificate := row, row
			again.Serial, sameCertificate.ID = "02", 2
			wantIs(t, "the id again", tx.CreateEnrollmentRequest(&again), ErrExists)
			wantIs(t, "the certificate again", tx.CreateEnrollmentRequest(&sameCertificate), ErrExists)
			return nil
		})
		read(t, db, func(tx *Tx) error {
			got, err := tx.GetEnrollmentRequest(acct, region, "c", 1)
			if d := cmp.Diff(&row, got); d != "" || err != nil {
				t.Errorf("by id: %v %s", err, d)
			}
			got, err = tx.FindEnrollmentRequest(acct, region, "ca", "01")
			if d := cmp.Diff(&row, got); d != "" || err != nil {
				t.Errorf("by certificate: %v %s", err, d)
			}
			_, err = tx.GetEnrollmentRequest(acct, region, "other", 1)
			wantIs(t, "another connector's", err, ErrNotFound)
			_, err = tx.FindEnrollmentRequest(acct, region, "ca", "02")
			wantIs(t, "another certificate", err, ErrNotFound)
			return nil
		})
		for i, want := range []int64{1, 11, 21} {
			update(t, db, func(tx *Tx) error {
				first, err := tx.ReserveEnrollmentRequests(acct, region, "c", 10)
				if first != want {
					t.Errorf("reservation %d begins at %d, want %d", i, first, want)
				}
				return err
			})
		}
		update(t, db, func(tx *Tx) error {
			if first, err := tx.ReserveEnrollmentRequests(acct, region, "other", 10); first != 1 || err != nil {
				t.Errorf("another connector's begin at %d, %v", first, err)
			}
			return nil
		})
	})
}
