package store

import (
	"encoding/pem"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// seenAt is a sighting as the Sink hands it over: a certificate in DER, all times the same.
func seenAt(id string, serial int, at time.Time) Subject {
	return Subject{Account: acct, Region: region, ID: id, DN: "CN=" + id, Enabled: true, CreatedAt: at, UpdatedAt: at, LastSeenAt: at,
		Credentials: []SubjectCredential{{Serial: fmt.Sprint(serial), Issuer: "CN=ca", SeenAt: at, CertDER: []byte{0x30, byte(serial)}, Enabled: true}}}
}

func getSubject(t *testing.T, db *DB, id string) (s *Subject) {
	t.Helper()
	read(t, db, func(tx *Tx) (err error) { s, err = tx.GetSubject(acct, region, id); return err })
	return s
}

// What a node remembers of credentials is checked against the store: other nodes replace rows, and transactions fail.
func TestKnownCredentials(t *testing.T) {
	onShared(t, func(t *testing.T, src string) {
		a, b := open(t, Config{Source: src}), open(t, Config{Source: src})
		see := func(db *DB, batch ...Subject) {
			t.Helper()
			update(t, db, func(tx *Tx) error { return tx.UpsertSubjects(batch) })
		}
		at := func(s int) time.Time { return t0.Add(time.Duration(s) * time.Second) }
		failed := errors.New("no")
		err := a.Update(t.Context(), func(tx *Tx) error { return errors.Join(tx.UpsertSubjects([]Subject{seenAt("x", 1, at(1))}), failed) })
		wantIs(t, "rolled back", err, failed)
		see(a, seenAt("x", 1, at(2)))
		see(a, seenAt("x", 1, at(3)), seenAt("x", 1, at(4)), seenAt("y", 1, at(4)))
		see(b, seenAt("x", 1, at(5)))
		see(a, seenAt("x", 1, at(4))) // late
		got := getSubject(t, a, "x")
		wantPEM := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{0x30, 1}}))
		want := seenAt("x", 1, at(5))
		want.CreatedAt, want.Credentials[0].CertDER, want.Credentials[0].CertPEM = at(2), nil, wantPEM
		if d := cmp.Diff(&want, got); d != "" {
			t.Errorf("-want +got\n%s", d)
		}

		// Node b pushes the credential out with ten newer ones; node a still thinks that it is there.
		for i := range MaxCredentials {
			see(b, seenAt("x", 10+i, at(10+i)))
		}
		if got := getSubject(t, a, "x"); len(got.Credentials) != MaxCredentials || got.Credentials[9].Serial != "10" {
			t.Errorf("after ten others: %+v", got.Credentials)
		}
		see(a, seenAt("x", 1, at(30)), seenAt("y", 1, at(30)))
		got = getSubject(t, a, "x")
		if len(got.Credentials) != MaxCredentials || got.Credentials[0].Serial != "1" || got.Credentials[0].CertPEM != wantPEM || !got.LastSeenAt.Equal(at(30)) {
			t.Errorf("the credential did not come back: %+v", got)
		}
		if y := getSubject(t, a, "y"); !y.LastSeenAt.Equal(at(30)) {
			t.Errorf("another subject of the batch: %+v", y)
		}
		// The same serial number on another certificate replaces it.
		other := seenAt("y", 1, at(31))
		other.Credentials[0].CertDER = []byte{0x30, 99}
		see(a, other)
		if y := getSubject(t, b, "y"); len(y.Credentials) != 1 || y.Credentials[0].CertPEM == wantPEM {
			t.Errorf("the certificate was not replaced: %+v", y)
		}
		read(t, b, func(tx *Tx) error {
			credentials, err := tx.count(`SELECT COUNT(*) FROM subject_credentials`)
			sightings, err2 := tx.count(`SELECT COUNT(*) FROM subject_sightings`)
			if credentials != 11 || sightings != 11 {
				t.Errorf("%d credentials and %d sightings, want 11 of each", credentials, sightings)
			}
			return errors.Join(err, err2)
		})
	})
}

func TestKnownCredentialsAreBounded(t *testing.T) {
	var k knownCredentials
	for i := range maxKnown + 10 {
		k.remember([]*credentialRow{{key: subjectKey{acct, region, fmt.Sprint(i)}, number: int64(i)}})
	}
	if len(k.rows) == 0 || len(k.rows) > maxKnown {
		t.Errorf("%d entries", len(k.rows))
	}
}

// Nodes that ship the same subjects at the same time lose nothing.
func TestNodesShipAtOnce(t *testing.T) {
	onShared(t, func(t *testing.T, src string) {
		const nodes, rounds, size = 3, 20, 40
		var wg sync.WaitGroup
		dbs := make([]*DB, nodes)
		for n := range nodes {
			dbs[n] = open(t, Config{Source: src})
		}
		for n, db := range dbs {
			wg.Go(func() {
				for round := range rounds {
					var events []Event
					var subjects []Subject
					for i := range size {
						at := t0.Add(time.Duration(round) * time.Second)
						events = append(events, Event{ID: NewEventID(at), Account: acct, Region: region, Time: at, Username: fmt.Sprint("node-", n)})
						subjects = append(subjects, seenAt(fmt.Sprint("s", i), i, at))
					}
					p := PackEvents(events)
					err := db.Update(t.Context(), func(tx *Tx) error {
						from, to := fmt.Sprint(round), fmt.Sprint(round+1)
						if round == 0 {
							from = ""
						}
						if err := tx.MoveLogPosition(fmt.Sprint("log-", n), []byte(from), []byte(to)); err != nil {
							return err
						}
						return errors.Join(tx.InsertPackedEvents(p), tx.UpsertSubjects(subjects))
					})
					if err != nil {
						t.Errorf("node %d, round %d: %v", n, round, err)
						return
					}
				}
			})
		}
		wg.Wait()
		retries := int64(0)
		for n, db := range dbs {
			retries += db.Retries()
			f := EventFilter{Account: acct, Region: region, Username: fmt.Sprint("node-", n)}
			if got := len(lookupAll(t, dbs[0], &f, 0)); got != rounds*size {
				t.Errorf("node %d: %d events, want %d", n, got, rounds*size)
			}
		}
		s := getSubject(t, dbs[0], "s7")
		if len(s.Credentials) != 1 || !s.LastSeenAt.Equal(t0.Add((rounds-1)*time.Second)) {
			t.Errorf("subject %+v", s)
		}
		t.Logf("%d retries", retries)
	})
}
