package store

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// crowded revokes so many serials of one part that it is kept in finer ones. They are even.
func crowded(t *testing.T, db *DB, issuer string) (revoked []string) {
	t.Helper()
	update(t, db, func(tx *Tx) error {
		revoked = nil
		for i := range 20 * longPart {
			serial := fmt.Sprintf("abc%05x", i*3276)
			revoked = append(revoked, serial)
			if err := tx.CreateRevokedCertificate(&RevokedCertificate{acct, region, issuer, serial, t0, 1, t0, ""}); err != nil {
				return err
			}
		}
		return nil
	})
	return revoked
}

func isRevoked(t *testing.T, db *DB, issuer, serial string) bool {
	t.Helper()
	r, err := db.View().Revoked(t.Context(), acct, region, issuer, serial)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestFineParts: long parts answer as short ones do, before and after they are kept in finer ones, and remember no more of
// them than they may.
func TestFineParts(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src})
		const issuer = "issuer"
		revoked := crowded(t, db, issuer)
		if _, ok := db.numbers.find(issuerName{acct, region, issuer}); ok {
			t.Error("a number is remembered before it was read from a committed state")
		}
		for round := range 5 {
			db.view.dropAll()
			for i, serial := range revoked {
				if !isRevoked(t, db, issuer, serial) {
					t.Fatalf("round %d: %s is not revoked", round, serial)
				}
				for _, neighbour := range []string{serial[:7] + "1", serial + "00", serial[:6], "abd" + serial[3:]} {
					if neighbour != serial && isRevoked(t, db, issuer, neighbour) {
						t.Fatalf("round %d: %s is revoked, too (%d)", round, neighbour, i)
					}
				}
			}
			e := db.view.cache.get(change{kindRevoked, acct, region, revokedBucket(issuer, revoked[0])})
			if e == nil {
				t.Fatal("the part is not in the view")
			}
			p := &e.row.(*Cached[RevokedPart]).Row
			if round == 0 {
				if p.fine != nil || len(p.entries) != len(revoked) {
					t.Errorf("the first part read has %d entries", len(p.entries))
				}
				continue
			}
			if p.fine == nil || len(p.fine.parts) > maxFineParts || len(p.fine.loads) != 0 {
				t.Fatalf("round %d: %+v", round, p)
			}
			for id, f := range p.fine.parts {
				if len(f.Row.entries) > len(revoked)/4 {
					t.Errorf("round %d: part %s has %d entries", round, id, len(f.Row.entries))
				}
			}
		}
		number, _ := db.numbers.find(issuerName{acct, region, issuer})
		if digits := db.view.depths.of(number); digits <= revokedDigits || digits > finestDigits {
			t.Errorf("read by %d digits", digits)
		}
	})
}

// TestRevocationDropsFineParts: a revocation in a part that is kept in finer ones counts at once on its own node, and with
// the next poll on another, whatever either had looked at.
func TestRevocationDropsFineParts(t *testing.T) {
	onShared(t, func(t *testing.T, src string) {
		here, there := open(t, Config{Source: src}), open(t, Config{Source: src, Poll: 10 * time.Millisecond})
		const issuer = "issuer"
		revoked := crowded(t, here, issuer)
		for _, db := range []*DB{here, there} {
			eventually(t, "the other node knows", func() bool { return isRevoked(t, db, issuer, revoked[0]) })
			db.view.dropAll() // from now on in finer parts
		}
		for i := range 20 {
			serial := fmt.Sprintf("abc%05x", i*3276*5+1)
			if isRevoked(t, here, issuer, serial) || isRevoked(t, there, issuer, serial) {
				t.Fatal("revoked before")
			}
			part, err := here.View().RevokedPart(t.Context(), acct, region, issuer, serial)
			if err != nil {
				t.Fatal(err)
			}
			update(t, here, func(tx *Tx) error {
				return tx.CreateRevokedCertificate(&RevokedCertificate{acct, region, issuer, serial, t0, 1, t0, ""})
			})
			if !isRevoked(t, here, issuer, serial) {
				t.Fatal("not seen by its own node")
			}
			if after, err := here.View().RevokedPart(t.Context(), acct, region, issuer, serial); err != nil || after == part {
				t.Fatalf("what was made from the part would stay: %v", err)
			}
			eventually(t, "seen by the other node", func() bool { return isRevoked(t, there, issuer, serial) })
		}
	})
}

// TestFinePartsUnderLoad: while many ask, an acknowledged revocation is seen by every question that begins after it.
func TestFinePartsUnderLoad(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src})
		const issuer = "issuer"
		crowded(t, db, issuer)
		isRevoked(t, db, issuer, "abc00001")
		db.view.dropAll()
		stop := make(chan struct{})
		var readers sync.WaitGroup
		for n := range 4 {
			readers.Go(func() {
				for i := n; ; i += 7 {
					select {
					case <-stop:
						return
					default:
						isRevoked(t, db, issuer, fmt.Sprintf("abc%05x", i%4000*16|1))
					}
				}
			})
		}
		for i := range 60 {
			serial := fmt.Sprintf("abc%05x", i*16|1)
			if isRevoked(t, db, issuer, serial) {
				t.Errorf("%s is revoked before", serial)
			}
			update(t, db, func(tx *Tx) error {
				return tx.CreateRevokedCertificate(&RevokedCertificate{acct, region, issuer, serial, t0, 1, t0, ""})
			})
			if !isRevoked(t, db, issuer, serial) {
				t.Errorf("%s is not revoked after", serial)
			}
		}
		close(stop)
		readers.Wait()
	})
}
