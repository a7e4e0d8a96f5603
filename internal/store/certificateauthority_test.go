package store

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestAuthorityResources is the conformance suite for the rows of private CAs.
func TestAuthorityResources(t *testing.T) {
	later := t0.Add(time.Hour)
	full := CertificateAuthority{Account: acct, Region: region, ID: "~", Type: "ROOT", UsageMode: "GENERAL_PURPOSE", Status: "ACTIVE", Failure: "OTHER",
		Configuration: "{}", Revocation: "{1}", KeyStorage: "FIPS", KeyRef: []byte{0, 1}, IssuerKey: "ab", CSR: []byte{2}, Certificate: []byte{3}, Chain: "PEM",
		NotBefore: t0, NotAfter: later, Tags: []Tag{{"k", "v"}}, CreatedAt: t0, ChangedAt: later, RestorableUntil: later, CRLDueAt: t0}
	tests := []func(*testing.T, *DB){
		lifecycle("certificate authority", resource[CertificateAuthority]{
			row: full, changed: CertificateAuthority{Account: acct, Region: region, ID: "~", Status: "DISABLED", CreatedAt: later, ChangedAt: later},
			create: (*Tx).CreateAuthority, put: (*Tx).PutAuthority,
			get:    func(tx *Tx) (*CertificateAuthority, error) { return tx.GetAuthority(acct, region, "~") },
			remove: func(tx *Tx) error { return tx.DeleteAuthority(acct, region, "~") },
			list: func(tx *Tx, n int, a string) ([]CertificateAuthority, string, error) {
				return tx.ListAuthorities(acct, region, n, a)
			},
			numbered: func(i int) CertificateAuthority {
				return CertificateAuthority{Account: acct, Region: region, ID: letter(i), CreatedAt: t0, ChangedAt: t0}
			}}),
		lifecycle("issued certificate", resource[IssuedCertificate]{
			row: IssuedCertificate{acct, region, "ca", "01", "EndEntityCertificate", []byte{1}, t0, later}, changed: IssuedCertificate{acct, region, "ca", "01", "Other", nil, later, later},
			create: (*Tx).CreateIssuedCertificate,
			get:    func(tx *Tx) (*IssuedCertificate, error) { return tx.GetIssuedCertificate(acct, region, "ca", "01") },
			list: func(tx *Tx, n int, a string) ([]IssuedCertificate, string, error) {
				return tx.ListIssuedCertificates(acct, region, "ca2", n, a)
			},
			numbered: func(i int) IssuedCertificate {
				return IssuedCertificate{acct, region, "ca2", letter(i), "T", []byte{1}, t0, later}
			}}),
		lifecycle("revocation", resource[RevokedCertificate]{
			row: RevokedCertificate{acct, region, "key", "01", t0, 1, later}, changed: RevokedCertificate{acct, region, "key", "01", later, 4, later},
			create: (*Tx).CreateRevokedCertificate,
			get:    func(tx *Tx) (*RevokedCertificate, error) { return tx.GetRevokedCertificate(acct, region, "key", "01") },
			list: func(tx *Tx, n int, a string) ([]RevokedCertificate, string, error) {
				return tx.ListRevokedCertificates(acct, region, "key2", n, a)
			},
			numbered: func(i int) RevokedCertificate {
				return RevokedCertificate{acct, region, "key2", letter(i), t0, 0, later}
			}}),
	}
	onEngines(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src})
		for _, f := range tests {
			f(t, db)
		}
	})
}

func TestAuthorityQueues(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src})
		update(t, db, func(tx *Tx) error {
			for i, a := range []CertificateAuthority{
				{ID: "a", Status: "CREATING", CreatedAt: t0.Add(time.Second)}, {ID: "b", Status: "CREATING", CreatedAt: t0}, {ID: "c", Status: "ACTIVE", CRLDueAt: tx.Now},
				{ID: "d", Status: "ACTIVE", CRLDueAt: tx.Now.Add(time.Hour)}, {ID: "e", Status: "DELETED", RestorableUntil: t0}, {ID: "f", Status: "DISABLED", CRLDueAt: t0},
			} {
				a.Account, a.Region = acct, region
				if i%2 == 1 {
					a.Account = other
				}
				if err := tx.CreateAuthority(&a); err != nil {
					return err
				}
			}
			return nil
		})
		read(t, db, func(tx *Tx) error {
			creating, err := tx.ListCreatingAuthorities(10)
			if err != nil {
				return err
			}
			due, err := tx.ListCRLsDue(10)
			if err != nil {
				return err
			}
			gone, err := tx.ListAuthoritiesGone(10)
			if err != nil {
				return err
			}
			n, err := tx.CountAuthorities(acct, region)
			got := fmt.Sprint(ids(creating), ids(due), ids(gone), n)
			if want := "[b a] [f c] [e] 3"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			return err
		})
	})
}

func ids(list []CertificateAuthority) (out []string) {
	for _, a := range list {
		out = append(out, a.ID)
	}
	return out
}

func TestAuthorityCRLs(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src})
		newer := AuthorityCRL{acct, region, "ca", 7, t0, []byte{7}}
		for _, c := range []AuthorityCRL{{acct, region, "ca", 5, t0, []byte{5}}, newer, {acct, region, "ca", 6, t0, []byte{6}}} {
			update(t, db, func(tx *Tx) error { return tx.PutAuthorityCRL(&c) })
		}
		read(t, db, func(tx *Tx) error {
			got, err := tx.GetAuthorityCRL(acct, region, "ca")
			if err != nil {
				return err
			}
			found, err := tx.FindAuthorityCRL("ca")
			if d := cmp.Diff(&newer, got) + cmp.Diff(got, found); d != "" {
				t.Error(d)
			}
			_, missing := tx.FindAuthorityCRL("other")
			wantIs(t, "another CA's list", missing, ErrNotFound)
			return err
		})
	})
}

func TestIdempotencyTokens(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		clock := t0
		db := open(t, Config{Source: src, Clock: func() time.Time { return clock }})
		row := IdempotencyToken{acct, region, "Op", "token", []byte{1}, "arn", t0.Add(time.Minute)}
		get := func(operation string) (*IdempotencyToken, error) {
			var got *IdempotencyToken
			err := db.Read(t.Context(), func(tx *Tx) (err error) {
				got, err = tx.GetIdempotencyToken(acct, region, operation, "token")
				return err
			})
			return got, err
		}
		update(t, db, func(tx *Tx) error { return tx.PutIdempotencyToken(&row) })
		got, err := get("Op")
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(&row, got); d != "" {
			t.Error(d)
		}
		_, err = get("Other")
		wantIs(t, "another operation", err, ErrNotFound)
		clock = t0.Add(time.Minute)
		_, err = get("Op")
		wantIs(t, "expired", err, ErrNotFound)
	})
}

// TestRevocationReachesOtherNodes: a revocation is seen by the node that made it at once, and by others with the next
// poll, whether or not they had looked before.
func TestRevocationReachesOtherNodes(t *testing.T) {
	onShared(t, func(t *testing.T, src string) {
		here, there := open(t, Config{Source: src}), open(t, Config{Source: src, Poll: 10 * time.Millisecond})
		const key, serial = "issuer", "ab01"
		revoked := func(db *DB, serial string) bool {
			t.Helper()
			r, err := db.View().Revoked(t.Context(), acct, region, key, serial)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		if revoked(here, serial) || revoked(there, serial) {
			t.Fatal("revoked before")
		}
		r := &RevokedCertificate{acct, region, key, serial, t0, 1, t0}
		update(t, here, func(tx *Tx) error { return tx.CreateRevokedCertificate(r) })
		if !revoked(here, serial) {
			t.Error("not seen by its own node")
		}
		eventually(t, "seen by the other node", func() bool { return revoked(there, serial) })
		for _, neighbour := range []string{"ab", "ab00", "ab0101", "ac01"} {
			if revoked(here, neighbour) {
				t.Errorf("%s is revoked, too", neighbour)
			}
		}
		err := here.Update(t.Context(), func(tx *Tx) error { return tx.CreateRevokedCertificate(r) })
		if !errors.Is(err, ErrExists) {
			t.Errorf("second revocation: %v", err)
		}
	})
}

func TestViewFollowsAuthorities(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src, Poll: time.Hour})
		a := &CertificateAuthority{Account: acct, Region: region, ID: "ca", Status: "ACTIVE"}
		_, err := db.View().Authority(t.Context(), acct, region, "ca")
		wantIs(t, "before", err, ErrNotFound)
		update(t, db, func(tx *Tx) error { return tx.CreateAuthority(a) })
		a.Status = "DISABLED"
		for _, want := range []string{"ACTIVE", "DISABLED"} {
			c, err := db.View().Authority(t.Context(), acct, region, "ca")
			if err != nil || c.Row.Status != want {
				t.Fatalf("got %v %v, want %s", c, err, want)
			}
			update(t, db, func(tx *Tx) error { return tx.PutAuthority(a) })
		}
	})
}
