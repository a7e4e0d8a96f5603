package store

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall/rolecall/internal/arn"
)

// TestCertificatesFromBeforeIssuerNumbers: every row is where it was, under its own tenant and CA, in the same order.
func TestCertificatesFromBeforeIssuerNumbers(t *testing.T) {
	onShared(t, func(t *testing.T, src string) {
		e, err := openEngine(t.Context(), src)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.migrate(t.Context(), embeddedMigrations()[:10]); err != nil {
			t.Fatal(err)
		}
		var issued []IssuedCertificate
		var revoked []RevokedCertificate
		for _, tenant := range []arn.AccountID{other, acct} {
			for _, r := range []arn.Region{region, "us-east-1"} {
				for _, ca := range []string{"b", "a"} {
					for i := range 40 {
						serial := fmt.Sprintf("%032x", i*7919%1000)
						c := IssuedCertificate{tenant, r, ca, serial, "T", []byte(fmt.Sprint(tenant, r, ca, serial)), t0.Add(time.Duration(i) * time.Second), t0, "p" + fmt.Sprint(i%3)}
						issued = append(issued, c)
						if _, err := e.write.Exec(e.text(`INSERT INTO issued_certificates (account, region, authority, serial, template, der, issued_at, not_after, partition_id)
							VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`), c.Account, c.Region, c.Authority, c.Serial, c.Template, c.DER, toMicros(c.IssuedAt), toMicros(c.NotAfter), c.Partition); err != nil {
							t.Fatal(err)
						}
						if i%2 == 0 {
							continue
						}
						v := RevokedCertificate{tenant, r, "key of " + ca, strings.TrimLeft(serial, "0"), t0.Add(time.Hour), i % 5, t0, c.Partition}
						v.Serial = strings.Repeat("0", len(v.Serial)%2) + v.Serial
						revoked = append(revoked, v)
						if _, err := e.write.Exec(e.text(`INSERT INTO revoked_certificates (account, region, issuer_key, serial, revoked_at, reason, not_after, partition_id)
							VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`), v.Account, v.Region, v.IssuerKey, v.Serial, toMicros(v.RevokedAt), v.Reason, toMicros(v.NotAfter), v.Partition); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
		}
		if err := e.close(); err != nil {
			t.Fatal(err)
		}
		db := open(t, Config{Source: src})
		if db.eng.kind == kindSQLite {
			if st, err := os.Stat(db.eng.path + "-wal"); err != nil || st.Size() > 0 {
				t.Errorf("the log keeps what the migration wrote: %+v, %v", st, err)
			}
		}
		check := func() {
			t.Helper()
			read(t, db, func(tx *Tx) error {
				for i := range issued {
					got, err := tx.GetIssuedCertificate(issued[i].Account, issued[i].Region, issued[i].Authority, issued[i].Serial)
					if err != nil {
						return err
					}
					if d := cmp.Diff(&issued[i], got); d != "" {
						t.Error(d)
					}
				}
				for i := range revoked {
					got, err := tx.GetRevokedCertificate(revoked[i].Account, revoked[i].Region, revoked[i].IssuerKey, revoked[i].Serial)
					if err != nil {
						return err
					}
					if d := cmp.Diff(&revoked[i], got); d != "" {
						t.Error(d)
					}
				}
				return nil
			})
		}
		check()
		// What is new does not get into the way of what was there.
		later := issued[0]
		later.Authority, later.DER = "new", []byte{1}
		update(t, db, func(tx *Tx) error { return tx.CreateIssuedCertificate(&later) })
		issued = append(issued, later)
		again := issued[0]
		again.DER = []byte{2}
		wantIs(t, "a serial that was there", db.Update(t.Context(), func(tx *Tx) error { return tx.CreateIssuedCertificate(&again) }), ErrExists)
		check()
		read(t, db, func(tx *Tx) error {
			list, next, err := tx.ListIssuedCertificates(acct, region, "a", 0, "")
			sorted := slices.IsSortedFunc(list, func(a, b IssuedCertificate) int { return strings.Compare(a.Serial, b.Serial) })
			if len(list) != 40 || next != "" || !sorted {
				t.Errorf("%d certificates, then %q, sorted: %v", len(list), next, sorted)
			}
			part, next, err2 := tx.ListPartitionRevocations(acct, region, "key of a", "p1", 0, "")
			if len(part) == 0 || next != "" {
				t.Errorf("%d revocations of a partition, then %q", len(part), next)
			}
			for i := range part {
				if part[i].Partition != "p1" || part[i].Account != acct || part[i].Region != region || part[i].IssuerKey != "key of a" {
					t.Errorf("another's revocation: %+v", part[i])
				}
			}
			return errors.Join(err, err2)
		})
	})
}

// TestTenantsShareNoCertificates: the same CA id, issuer key and serial in two accounts and two regions are four.
func TestTenantsShareNoCertificates(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src})
		const ca, key, serial = "ca", "key", "0a"
		type tenant struct {
			account arn.AccountID
			region  arn.Region
		}
		tenants := []tenant{{acct, region}, {acct, "us-east-1"}, {other, region}}
		for _, holder := range tenants {
			count := 0
			for _, asks := range tenants {
				has, err := db.View().HasIssuedCertificate(t.Context(), asks.account, asks.region, ca, serial)
				revoked, err2 := db.View().Revoked(t.Context(), asks.account, asks.region, key, serial)
				if err := errors.Join(err, err2); err != nil {
					t.Fatal(err)
				}
				if has != revoked {
					t.Errorf("%v has the certificate: %v, revoked: %v", asks, has, revoked)
				}
				if has {
					count++
				}
			}
			if want := slices.Index(tenants, holder); count != want {
				t.Errorf("%d tenants have the certificate, want %d", count, want)
			}
			update(t, db, func(tx *Tx) error {
				return errors.Join(
					tx.CreateIssuedCertificate(&IssuedCertificate{holder.account, holder.region, ca, serial, "T", []byte{1}, t0, t0, ""}),
					tx.CreateRevokedCertificate(&RevokedCertificate{holder.account, holder.region, key, serial, t0, 1, t0, ""}))
			})
		}
	})
}

// TestIssuerNumbersOfFailedTransactions: a number that was given in a transaction that failed may be another's, and is not
// remembered.
func TestIssuerNumbersOfFailedTransactions(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src})
		add := func(ca string, end error) error {
			return db.Update(t.Context(), func(tx *Tx) error {
				if err := tx.CreateIssuedCertificate(&IssuedCertificate{acct, region, ca, "01", ca, nil, t0, t0, ""}); err != nil {
					return err
				}
				if _, err := tx.GetIssuedCertificate(acct, region, ca, "01"); err != nil {
					t.Errorf("in its own transaction: %v", err)
				}
				return end
			})
		}
		failure := errors.New("on purpose")
		wantIs(t, "the failed one", add("first", failure), failure)
		if err := errors.Join(add("second", nil), add("first", nil)); err != nil {
			t.Fatal(err)
		}
		read(t, db, func(tx *Tx) error {
			for _, ca := range []string{"first", "second"} {
				c, err := tx.GetIssuedCertificate(acct, region, ca, "01")
				if err != nil {
					return err
				}
				if c.Template != ca || c.Authority != ca {
					t.Errorf("%s: got %+v", ca, c)
				}
			}
			return nil
		})
	})
}

// TestNodesNumberIssuersTogether: nodes that meet the same new CAs at once give each one number.
func TestNodesNumberIssuersTogether(t *testing.T) {
	onShared(t, func(t *testing.T, src string) {
		nodes := []*DB{open(t, Config{Source: src}), open(t, Config{Source: src}), open(t, Config{Source: src})}
		const each = 8
		var wg sync.WaitGroup
		for n, db := range nodes {
			wg.Go(func() {
				for i := range each {
					c := &IssuedCertificate{acct, region, fmt.Sprint("ca", i), fmt.Sprintf("%02x", n), "T", nil, t0, t0, ""}
					if err := db.Join(t.Context(), func(tx *Tx) error { tx.QueueIssuedCertificate(*c); return nil }); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		for _, db := range nodes {
			read(t, db, func(tx *Tx) error {
				for i := range each {
					list, _, err := tx.ListIssuedCertificates(acct, region, fmt.Sprint("ca", i), 0, "")
					if err != nil {
						return err
					}
					if len(list) != len(nodes) {
						t.Errorf("ca%d has %d certificates", i, len(list))
					}
				}
				n, err := tx.count(`SELECT COUNT(*) FROM issuer_numbers`)
				if n != each {
					t.Errorf("%d numbers", n)
				}
				return err
			})
		}
	})
}

// TestSerialsThatAreNone: what is no serial in its one spelling is neither stored nor answered for.
func TestSerialsThatAreNone(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src})
		update(t, db, func(tx *Tx) error {
			return tx.CreateRevokedCertificate(&RevokedCertificate{acct, region, "key", "ab", t0, 1, t0, ""})
		})
		for _, serial := range []string{"AB", "0", "xy", "AB01", "0g00", strings.Repeat("ff", maxSerial+1)} {
			if err := db.Update(t.Context(), func(tx *Tx) error {
				return tx.CreateRevokedCertificate(&RevokedCertificate{acct, region, "key", serial, t0, 1, t0, ""})
			}); err == nil {
				t.Errorf("revocation of %.10q", serial)
			}
			if err := db.Update(t.Context(), func(tx *Tx) error {
				return tx.CreateIssuedCertificate(&IssuedCertificate{acct, region, "ca", serial, "T", nil, t0, t0, ""})
			}); err == nil {
				t.Errorf("certificate %.10q", serial)
			}
		}
		for _, serial := range []string{"AB", "xy", "AB01"} {
			if revoked, err := db.View().Revoked(t.Context(), acct, region, "key", serial); err == nil {
				t.Errorf("%q is answered for: %v", serial, revoked)
			}
		}
	})
}

// TestLookupsUseIndexes: no lookup of a certificate or a revocation walks over others.
func TestLookupsUseIndexes(t *testing.T) {
	db := open(t, Config{Source: source(t, "sqlite")})
	for q, want := range map[string]string{
		`SELECT ` + issuedRead + ` FROM issued_certificates WHERE issuer = 1 AND serial = x'01'`:                                                                         "(issuer=? AND serial=?)",
		`SELECT COUNT(*) FROM issued_certificates WHERE issuer = 1 AND serial = x'01'`:                                                                                   "USING COVERING INDEX",
		`SELECT ` + issuedRead + ` FROM issued_certificates WHERE issuer = 1 AND serial > x'01' ORDER BY serial LIMIT 1`:                                                 "(issuer=? AND serial>?)",
		`SELECT serial, revoked_at, reason FROM revoked_certificates WHERE issuer = 1 AND serial >= x'' AND serial < x'02' ORDER BY serial`:                              "USING PRIMARY KEY (issuer=? AND serial>? AND serial<?)",
		`SELECT ` + revokedRead + ` FROM revoked_certificates WHERE issuer = 1 AND serial > x'01' AND partition_id = 'p' AND partition_id <> '' ORDER BY serial LIMIT 1`: "USING COVERING INDEX revoked_certificates_partition (issuer=? AND partition_id=? AND serial>?)",
	} {
		rows, err := db.eng.write.Query("EXPLAIN QUERY PLAN " + q)
		if err != nil {
			t.Fatal(err)
		}
		var plan []string
		for rows.Next() {
			var a, b, c int
			var detail string
			if err := rows.Scan(&a, &b, &c, &detail); err != nil {
				t.Fatal(err)
			}
			plan = append(plan, detail)
		}
		rows.Close()
		if len(plan) != 1 || !strings.Contains(plan[0], want) {
			t.Errorf("%s\nis run as %q", q, plan)
		}
	}
}
