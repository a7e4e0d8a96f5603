package acmpca

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/audit"
	"github.com/rolecall/rolecall/internal/authority"
	"github.com/rolecall/rolecall/internal/issuance"
	"github.com/rolecall/rolecall/internal/keyring"
	"github.com/rolecall/rolecall/internal/store"
)

// BenchmarkList builds, stores and serves a complete list from SQLite, and reports the most heap that was in use meanwhile.
func BenchmarkList(b *testing.B) {
	for name, entries := range map[string]int{"10000": 10_000, "1000000": 1_000_000} {
		b.Run(name, func(b *testing.B) {
			s, ca := listService(b, entries)
			var most atomic.Uint64
			stop := make(chan struct{})
			go func() {
				var m runtime.MemStats
				for {
					select {
					case <-stop:
						return
					case <-time.After(20 * time.Millisecond):
						runtime.ReadMemStats(&m)
						most.Store(max(most.Load(), m.HeapAlloc))
					}
				}
			}()
			runtime.GC()
			size := int64(0)
			var serving time.Duration
			for b.Loop() {
				if err := s.cfg.DB.Update(b.Context(), func(tx *store.Tx) error {
					ca.CRLDueAt = tx.Now
					if err := tx.RenewAuthorityLists(ca.Account, ca.Region, ca.ID); err != nil {
						return err
					}
					return tx.PutAuthority(ca)
				}); err != nil {
					b.Fatal(err)
				}
				if err := s.renewLists(b.Context(), ca); err != nil {
					b.Fatal(err)
				}
				srv := httptest.NewServer(http.HandlerFunc(s.ServeCRL))
				began := time.Now()
				res, err := http.Get(srv.URL + "/crl/" + ca.ID + ".crl")
				if err != nil {
					b.Fatal(err)
				}
				size, err = io.Copy(io.Discard, res.Body)
				if err != nil || size < int64(entries)*30 {
					b.Fatalf("%d bytes served: %v", size, err)
				}
				serving = time.Since(began)
				srv.Close()
			}
			close(stop)
			b.ReportMetric(float64(size)/1e6, "MB/list")
			b.ReportMetric(float64(most.Load())/1e6, "MB-heap")
			b.ReportMetric(serving.Seconds(), "s-served")
		})
	}
}

// listService is a service with a CA that has revoked so many certificates.
func listService(b *testing.B, entries int) (*Service, *store.CertificateAuthority) {
	b.Helper()
	db, err := store.Open(b.Context(), store.Config{Source: "sqlite:" + filepath.Join(b.TempDir(), "x.db")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	log, err := audit.NewMemoryLog(audit.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	keys := authority.SealedKeys{Ring: keyring.Ephemeral()}
	ca := &store.CertificateAuthority{Account: "123456789012", Region: "eu-central-1", ID: "11111111-1111-4111-8111-111111111111", Type: "ROOT", Status: "ACTIVE", IssuerKey: "key",
		Configuration: `{"KeyAlgorithm":"EC_prime256v1","SigningAlgorithm":"SHA256WITHECDSA","Subject":{"CommonName":"x"}}`,
		Revocation:    `{"CrlConfiguration":{"Enabled":true,"ExpirationInDays":7,"CustomCname":"x"}}`}
	if ca.KeyRef, err = keys.Generate(ca.ID, authority.P256, ""); err != nil {
		b.Fatal(err)
	}
	subject, err := (&authority.Subject{CommonName: "x"}).DER()
	if err != nil {
		b.Fatal(err)
	}
	if ca.CSR, err = authority.MakeCSR(keys, ca.ID, ca.KeyRef, subject, "SHA256WITHECDSA", &authority.Extensions{}, nil); err != nil {
		b.Fatal(err)
	}
	ca.NotAfter = time.Now().AddDate(5, 0, 0)
	err = keys.Use(ca.ID, ca.KeyRef, func(k crypto.Signer) error {
		own := &x509.Certificate{RawSubject: subject, NotBefore: time.Now().Add(-time.Hour), NotAfter: ca.NotAfter, IsCA: true, BasicConstraintsValid: true, SerialNumber: big.NewInt(1)}
		ca.Certificate, err = x509.CreateCertificate(rand.Reader, own, own, k.Public(), k)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	now, serial := time.Now(), [16]byte{0x5a}
	for at := 0; at < entries; at += 50_000 {
		err := db.Update(b.Context(), func(tx *store.Tx) error {
			for n := at; n < min(at+50_000, entries); n++ {
				binary.BigEndian.PutUint64(serial[8:], uint64(n))
				r := &store.RevokedCertificate{Account: ca.Account, Region: ca.Region, IssuerKey: ca.IssuerKey, Serial: hex.EncodeToString(serial[:]), RevokedAt: now, Reason: 1, NotAfter: ca.NotAfter}
				if err := tx.CreateRevokedCertificate(r); err != nil {
					return err
				}
			}
			return tx.PutAuthority(ca)
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	return New(Config{DB: db, Issuer: issuance.New(keys), Responders: authority.Responders(keys), Audit: log, TempDir: b.TempDir()}), ca
}
