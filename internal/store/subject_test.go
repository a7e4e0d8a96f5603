package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestUpsertSubjects(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src})
		at := func(s int) time.Time { return t0.Add(time.Duration(s) * time.Second) }
		cred := func(serial, sec int, failed bool) SubjectCredential {
			return SubjectCredential{Serial: fmt.Sprintf("%02d", serial), Issuer: "CN=ca", SeenAt: at(sec), CertPEM: "PEM", Enabled: true, Failed: failed}
		}
		sighting := func(id string, sec int, c ...SubjectCredential) Subject {
			return Subject{Account: acct, Region: region, ID: id, DN: "CN=" + id + "\x00", Enabled: true, CreatedAt: at(sec), UpdatedAt: at(sec), LastSeenAt: at(sec), Credentials: c}
		}
		var batch []Subject
		for i := range 12 { // one subject, twelve certificates: the two oldest go
			batch = append(batch, sighting("a", i, cred(i, i, false)))
		}
		batch = append(batch, sighting("b", 1, cred(1, 1, true)), sighting("a", 20, cred(5, 20, true)))
		for range 2 { // sending a batch again changes nothing
			update(t, db, func(tx *Tx) error { return tx.UpsertSubjects(batch) })
			read(t, db, func(tx *Tx) error {
				a, err := tx.GetSubject(acct, region, "a")
				if err != nil {
					return err
				}
				want := sighting("a", 0, cred(5, 20, true), cred(11, 11, false), cred(10, 10, false), cred(9, 9, false), cred(8, 8, false),
					cred(7, 7, false), cred(6, 6, false), cred(4, 4, false), cred(3, 3, false), cred(2, 2, false))
				want.UpdatedAt, want.LastSeenAt, want.DN = at(20), at(20), "CN=a\uFFFD"
				if d := cmp.Diff(&want, a); d != "" {
					t.Errorf("-want +got\n%s", d)
				}
				b, err := tx.GetSubject(acct, region, "b")
				if err == nil && (len(b.Credentials) != 1 || !b.Credentials[0].Failed) {
					t.Errorf("b: %+v", b.Credentials)
				}
				return err
			})
		}
		// An older sighting that arrives late turns nothing back.
		update(t, db, func(tx *Tx) error { return tx.UpsertSubjects([]Subject{sighting("a", 3, cred(5, 3, false))}) })
		read(t, db, func(tx *Tx) error {
			a, err := tx.GetSubject(acct, region, "a")
			if err == nil && (!a.LastSeenAt.Equal(at(20)) || !a.Credentials[0].Failed) {
				t.Errorf("a late sighting won: %+v", a)
			}
			return err
		})
		// What a user changed stays.
		update(t, db, func(tx *Tx) error {
			a, err := tx.GetSubject(acct, region, "a")
			if err != nil {
				return err
			}
			a.Tags = []Tag{{"k", "v"}}
			return tx.PutSubject(a)
		})
		var many []Subject
		for i := range 450 {
			many = append(many, sighting(fmt.Sprintf("m%d", i), i, cred(i, i, false)))
		}
		update(t, db, func(tx *Tx) error { return tx.UpsertSubjects(append(many, sighting("a", 30, cred(30, 30, false)))) })
		read(t, db, func(tx *Tx) error {
			a, err := tx.GetSubject(acct, region, "a")
			if err == nil && (len(a.Tags) != 1 || a.Credentials[0].Serial != "30") {
				t.Errorf("after another sighting: %+v", a)
			}
			rows, _, err2 := tx.ListSubjects(acct, region, 1000, "")
			if len(rows) != 452 {
				t.Errorf("%d subjects, want 452", len(rows))
			}
			if err != nil {
				return err
			}
			return err2
		})
	})
}
