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
			row: IssuedCertificate{acct, region, "ca", "01", "EndEntityCertificate", []byte{1}, t0, later, ""}, changed: IssuedCertificate{acct, region, "ca", "01", "Other", nil, later, later, ""},
			create: (*Tx).CreateIssuedCertificate,
			get:    func(tx *Tx) (*IssuedCertificate, error) { return tx.GetIssuedCertificate(acct, region, "ca", "01") },
			list: func(tx *Tx, n int, a string) ([]IssuedCertificate, string, error) {
				return tx.ListIssuedCertificates(acct, region, "ca2", n, a)
			},
			numbered: func(i int) IssuedCertificate {
				return IssuedCertificate{acct, region, "ca2", serialOf(i), "T", []byte{1}, t0, later, ""}
			}}),
		lifecycle("revocation", resource[RevokedCertificate]{
			row: RevokedCertificate{acct, region, "key", "01", t0, 1, later, ""}, changed: RevokedCertificate{acct, region, "key", "01", later, 4, later, ""},
			create: (*Tx).CreateRevokedCertificate,
			get:    func(tx *Tx) (*RevokedCertificate, error) { return tx.GetRevokedCertificate(acct, region, "key", "01") },
			list: func(tx *Tx, n int, a string) ([]RevokedCertificate, string, error) {
				return tx.ListRevokedCertificates(acct, region, "key2", n, a)
			},
			numbered: func(i int) RevokedCertificate {
				return RevokedCertificate{acct, region, "key2", serialOf(i), t0, 0, later, ""}
			}}),
	}
	onEngines(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src})
		for _, f := range tests {
			f(t, db)
		}
	})
}

// serialOf are serials in order, of different lengths and with every kind of first digit.
func serialOf(i int) string { return []string{"00", "0001", "01", "0fff", "10", "a0ff00", "ff"}[i] }

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

// TestAuthorityLists: rows and parts of revocation lists, and what of them is served.
func TestAuthorityLists(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src, Poll: time.Hour})
		row := AuthorityList{acct, region, "ca", "ca", "http://x/y.crl", []string{"a", "b"}, 3, t0, t0, 0, t0, 2, 5, t0}
		put := func(l AuthorityList) { update(t, db, func(tx *Tx) error { return tx.PutAuthorityList(&l) }) }
		put(row)
		_, err := db.View().PublishedList(t.Context(), "ca")
		wantIs(t, "before a list was signed", err, ErrNotFound)
		update(t, db, func(tx *Tx) error {
			return errors.Join(tx.PutListChunk("ca", 6, 0, []byte("old")), tx.PutListChunk("ca", 7, 0, []byte("abc")), tx.PutListChunk("ca", 7, 1, []byte("de")),
				tx.DropListChunks("ca", 7), tx.SoilAuthorityList(acct, region, "ca", "ca"))
		})
		row.Number = 7
		put(row)
		p, err := db.View().PublishedList(t.Context(), "ca")
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(row, p.Row.AuthorityList); d != "" || p.Row.DER != nil {
			t.Error(d, p.Row.DER)
		}
		part, err := db.View().ListChunk(t.Context(), &p.Row.AuthorityList, 1)
		if err != nil || string(part) != "de" {
			t.Errorf("part 1: %q %v", part, err)
		}
		row.Chunks = 1
		put(row)
		if p, err = db.View().PublishedList(t.Context(), "ca"); err != nil || string(p.Row.DER) != "abc" {
			t.Errorf("a list of one part: %v %v", p, err)
		}
		one, two := row, row
		one.ID, two.ID, two.CreatedAt = "p1", "p2", t0.Add(time.Second)
		put(one)
		put(two)
		update(t, db, func(tx *Tx) error { return tx.GrowAuthorityList(&two) })
		read(t, db, func(tx *Tx) error {
			_, gone := tx.GetListChunk("ca", 6, 0)
			wantIs(t, "an old part", gone, ErrNotFound)
			current, err := tx.CurrentPartition(acct, region, "ca")
			if err != nil {
				return err
			}
			all, _, err := tx.ListAuthorityLists(acct, region, "ca", 10, "")
			if got := fmt.Sprintf("%s %d %d", current.ID, current.Size, len(all)); got != "p2 4 3" {
				t.Errorf("got %s", got)
			}
			return err
		})
	})
}

// TestPublishing: responders, policies, permissions and reports of CAs.
func TestPublishing(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src, Poll: time.Hour})
		responder := OCSPResponder{acct, region, "ca", []byte{1}, []byte{2}, t0, t0}
		policy := AuthorityPolicy{acct, region, "ca", "{}", t0}
		permission := AuthorityPermission{acct, region, "ca", "acm.amazonaws.com", "123456789012", []string{"IssueCertificate"}, t0}
		report := AuditReport{acct, region, "ca", "id", "JSON", "bucket", "CREATING", t0, t0, 1}
		_, err := db.View().OCSPResponder(t.Context(), acct, region, "ca")
		wantIs(t, "no responder", err, ErrNotFound)
		update(t, db, func(tx *Tx) error {
			return errors.Join(tx.PutOCSPResponder(&responder), tx.PutAuthorityPolicy(&policy), tx.CreateAuthorityPermission(&permission), tx.PutAuditReport(&report))
		})
		seen, err := db.View().OCSPResponder(t.Context(), acct, region, "ca")
		if err != nil || cmp.Diff(responder, seen.Row) != "" {
			t.Errorf("responder %v %v", seen, err)
		}
		wantIs(t, "second permission", db.Update(t.Context(), func(tx *Tx) error { return tx.CreateAuthorityPermission(&permission) }), ErrExists)
		read(t, db, func(tx *Tx) error {
			p, err := tx.GetAuthorityPolicy(acct, region, "ca")
			r, err2 := tx.GetAuditReport(acct, region, "ca", "id")
			l, _, err3 := tx.ListAuthorityPermissions(acct, region, "ca", 1, "")
			due, err4 := tx.ListRespondersDue(5)
			reports, err5 := tx.ListAuditReportsDue(5)
			n, err6 := tx.CountAuditReportsDue(acct, region, "ca")
			if err := errors.Join(err, err2, err3, err4, err5, err6); err != nil {
				return err
			}
			if d := cmp.Diff(&policy, p) + cmp.Diff(&report, r) + cmp.Diff([]AuthorityPermission{permission}, l) + cmp.Diff([]OCSPResponder{responder}, due) +
				cmp.Diff([]AuditReport{report}, reports); d != "" || n != 1 {
				t.Error(d, n)
			}
			return nil
		})
		update(t, db, func(tx *Tx) error {
			return errors.Join(tx.DeleteOCSPResponder(acct, region, "ca"), tx.DeleteAuthorityPolicy(acct, region, "ca"),
				tx.DeleteAuthorityPermission(acct, region, "ca", "acm.amazonaws.com", "123456789012"))
		})
		_, err = db.View().OCSPResponder(t.Context(), acct, region, "ca")
		wantIs(t, "a removed responder", err, ErrNotFound)
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
		r := &RevokedCertificate{acct, region, key, serial, t0, 1, t0, ""}
		update(t, here, func(tx *Tx) error { return tx.CreateRevokedCertificate(r) })
		if !revoked(here, serial) {
			t.Error("not seen by its own node")
		}
		eventually(t, "seen by the other node", func() bool { return revoked(there, serial) })
		for _, neighbour := range []string{"ab", "ab00", "ab02", "ab0101", "ac01"} {
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
