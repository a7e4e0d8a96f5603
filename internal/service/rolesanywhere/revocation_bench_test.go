package rolesanywhere

import (
	"crypto/rand"
	"crypto/x509"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/rolecall/rolecall/internal/revocation"
	"github.com/rolecall/rolecall/internal/store"
)

// checker may ask the certificate's source.
func (p *benchPKI) checker(b *testing.B, db *store.DB) *revocation.Checker {
	allow, err := revocation.ParseAllow([]string{"none"})
	if p.source != "" {
		allow, err = revocation.ParseAllow([]string{strings.TrimPrefix(p.source, "http://")})
	}
	if err != nil {
		b.Fatal(err)
	}
	return revocation.NewChecker(revocation.Config{DB: db, Allow: allow})
}

// answer is the CA's source: a list of 1,000 others, and good of every certificate.
func (p *benchPKI) answer(b *testing.B, w http.ResponseWriter, r *http.Request) {
	now := time.Now()
	var der []byte
	var err error
	if r.Method == http.MethodGet {
		list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: now.Add(-time.Minute), NextUpdate: now.Add(time.Hour)}
		for i := range 1000 {
			list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: big.NewInt(int64(100_000 + i)), RevocationTime: now})
		}
		der, err = x509.CreateRevocationList(rand.Reader, list, p.ca, p.caKey)
	} else {
		var body []byte
		if body, err = io.ReadAll(r.Body); err == nil {
			var q *ocsp.Request
			if q, err = ocsp.ParseRequest(body); err == nil {
				der, err = ocsp.CreateResponse(p.ca, p.ca, ocsp.Response{Status: ocsp.Good, SerialNumber: q.SerialNumber, ThisUpdate: now.Add(-time.Minute), NextUpdate: now.Add(time.Hour)}, p.caKey)
			}
		}
	}
	if err != nil {
		b.Error(err)
	}
	w.Write(der)
}

// BenchmarkCreateSessionWithSettings is [BenchmarkCreateSession] for trust anchors that ask for more than AWS does, once the
// sources have answered. "none" and the floor are beside it.
func BenchmarkCreateSessionWithSettings(b *testing.B) {
	check := func(v string) store.Tag { return store.Tag{Key: revocation.TagCheck, Value: v} }
	end := store.Tag{Key: revocation.TagEndSessions, Value: "true"}
	for _, c := range []struct {
		name string
		tags []store.Tag
	}{
		{"none", nil}, {"crl", []store.Tag{check("crl")}}, {"ocsp", []store.Tag{check("ocsp")}}, {"end-sessions", []store.Tag{end}}, {"all", []store.Tag{check("ocsp crl"), end}},
	} {
		b.Run(c.name, func(b *testing.B) {
			var pki *benchPKI
			source := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { pki.answer(b, w, r) }))
			defer source.Close()
			pki = newBenchPKI(b, source.URL)
			s, r := benchSession(b, pki, c.tags...)
			benchHandler(b, s, r)
		})
	}
	benchFloor(b)
}
