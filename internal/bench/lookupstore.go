package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/sys/unix"

	"github.com/rolecall/rolecall/internal/store"
)

const (
	fillBatch    = 10_000  // rows of a transaction
	fillTold     = 500_000 // rows between two lines of progress
	revokedEvery = 100     // one row of so many is revoked
	sampled      = 2000    // serials that are kept to ask about
)

// growIssued brings the CA to n certificates: rows as IssueCertificate makes them, all with the same certificate but for
// its serial number. Serial numbers come in order, which fills a tree the fastest.
func (t *target) growIssued(ctx context.Context, ca *lookupCA, n int, say func(string, ...any)) error {
	count := n - ca.rows
	if count <= 0 {
		return errors.New("-rows is not a growing list of numbers")
	}
	err := t.whileStopped(ctx, func(db *store.DB) error {
		ca.sample = ca.sample[:0]
		var row *store.CertificateAuthority
		err := db.Read(ctx, func(tx *store.Tx) (err error) {
			row, err = tx.GetAuthority(account, region, ca.id)
			return err
		})
		if err != nil {
			return err
		}
		for at := 0; at < count; at += fillBatch {
			if at > 0 && at%fillTold == 0 {
				say("%d of %d", at, count)
			}
			err := db.Update(ctx, func(tx *store.Tx) error {
				for i := at; i < min(at+fillBatch, count); i++ {
					if err := t.addIssued(tx, ca, row, i, count); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		ca.rows = n
		shuffle(ca.sample)
		return nil
	})
	if err != nil {
		return err
	}
	return t.cacheStore()
}

// cacheStore reads the store's file once. A lookup is measured with the file in the system's page cache, whatever its size:
// what is not there costs a read of the disk, and with it the disk's read-ahead.
func (t *target) cacheStore() error {
	f, err := os.Open(filepath.Join(t.dataDir, "rolecall.db"))
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, f)
	return errors.Join(err, f.Close())
}

// addIssued adds the certificate i of count.
func (t *target) addIssued(tx *store.Tx, ca *lookupCA, row *store.CertificateAuthority, i, count int) error {
	var serial [16]byte
	rand.Read(serial[:])
	const least, most = 0x0100_0000_0000_0000, 0x7f00_0000_0000_0000
	step := uint64(most-least) / uint64(count)
	binary.BigEndian.PutUint64(serial[:8], least+uint64(i)*step+binary.BigEndian.Uint64(serial[:8])%step)
	text := hex.EncodeToString(serial[:])
	der := bytes.Clone(ca.der)
	copy(der[ca.serial:], serial[:])
	tx.QueueIssuedCertificate(store.IssuedCertificate{Account: account, Region: region, Authority: ca.id, Serial: text,
		Template: "EndEntityCertificate/V1", DER: der, IssuedAt: tx.Now, NotAfter: tx.Now.AddDate(0, 0, 300)})
	if i%revokedEvery == 0 {
		return tx.CreateRevokedCertificate(&store.RevokedCertificate{Account: account, Region: region, IssuerKey: row.IssuerKey, Serial: text,
			RevokedAt: tx.Now, Reason: 4, NotAfter: tx.Now.AddDate(0, 0, 300)})
	}
	if every := max(1, count/sampled); i%every == every/2 || count <= sampled {
		ca.sample = append(ca.sample, text)
	}
	return nil
}

// shuffle puts the serials, which are random at their ends, into no order.
func shuffle(serials []string) {
	slices.SortFunc(serials, func(a, b string) int { return bytes.Compare([]byte(a[16:]), []byte(b[16:])) })
}

// directLookups measures what has no request of its own: a page of an audit report, whether a certificate was issued, and
// what CreateSession asks first of a part of the CA's revocations.
func (t *target) directLookups(ctx context.Context, ca *lookupCA) (costs []lookupCost, err error) {
	serials := ca.sample[:min(len(ca.sample), 200)]
	err = t.whileStopped(ctx, func(db *store.DB) error {
		var issuer string
		err := db.Read(ctx, func(tx *store.Tx) error {
			row, err := tx.GetAuthority(account, region, ca.id)
			if err == nil {
				issuer = row.IssuerKey
			}
			return err
		})
		if err != nil {
			return err
		}
		for _, o := range []struct {
			name string
			run  func(serial string) error
		}{
			{"a page of 100 for an audit report", func(serial string) error {
				return db.Read(ctx, func(tx *store.Tx) error {
					_, _, err := tx.ListIssuedCertificates(account, region, ca.id, 100, serial)
					return err
				})
			}},
			{"issued or not", func(serial string) error {
				found, err := db.View().HasIssuedCertificate(ctx, account, region, ca.id, serial)
				if err == nil && !found {
					err = fmt.Errorf("%s is not found", serial)
				}
				return err
			}},
			{"revoked or not", func(serial string) error {
				_, err := db.View().Revoked(ctx, account, region, issuer, serial)
				return err
			}},
		} {
			before, err := cpuTime(unix.RUSAGE_SELF)
			if err != nil {
				return err
			}
			for _, s := range serials {
				if err := o.run(s); err != nil {
					return fmt.Errorf("%s: %w", o.name, err)
				}
			}
			after, err := cpuTime(unix.RUSAGE_SELF)
			if err != nil {
				return err
			}
			costs = append(costs, lookupCost{name: o.name, cpu: (after - before) / time.Duration(len(serials))})
		}
		return nil
	})
	return costs, err
}

// withNonce adds the extension of RFC 8954 §2.1 to an OCSP request without extensions.
func withNonce(request, nonce []byte) ([]byte, error) {
	var outer, inner cryptobyte.String
	in := cryptobyte.String(request)
	if !in.ReadASN1(&outer, cbasn1.SEQUENCE) || !outer.ReadASN1(&inner, cbasn1.SEQUENCE) {
		return nil, errors.New("not an OCSP request")
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes(inner)
			b.AddASN1(cbasn1.Tag(2).Constructed().ContextSpecific(), func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1ObjectIdentifier([]int{1, 3, 6, 1, 5, 5, 7, 48, 1, 2})
						b.AddASN1(cbasn1.OCTET_STRING, func(b *cryptobyte.Builder) { b.AddASN1OctetString(nonce) })
					})
				})
			})
		})
	})
	return b.Bytes()
}
