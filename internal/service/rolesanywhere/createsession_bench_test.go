package rolesanywhere

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/audit"
	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/certattr"
	"github.com/rolecall/rolecall/internal/gate"
	"github.com/rolecall/rolecall/internal/keyring"
	"github.com/rolecall/rolecall/internal/metrics"
	"github.com/rolecall/rolecall/internal/sessiontoken"
	"github.com/rolecall/rolecall/internal/store"
	"github.com/rolecall/rolecall/sigv4"
)

// BenchmarkCreateSession is the handler alone, without HTTP: signature, warm path, attributes, trust policy, token,
// and the audit record in memory. The floor beside it is the signature check.
func BenchmarkCreateSession(b *testing.B) {
	s, r := benchSession(b, newBenchPKI(b, ""))
	b.Run("handler", func(b *testing.B) { benchHandler(b, s, r) })
	benchFloor(b)
}

func benchHandler(b *testing.B, s *Service, r *http.Request) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.CreateSession(b.Context(), &awsapi.Raw{Request: r, Body: []byte(`{"durationSeconds":900}`), RequestID: "id", Region: "eu-central-1", Now: time.Now(), SourceIP: "192.0.2.1"}); err != nil {
			b.Fatal(err)
		}
	}
}

// benchFloor is the signature check that nobody can leave out.
func benchFloor(b *testing.B) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	digest := make([]byte, 32)
	sig, err := ecdsa.SignASN1(rand.Reader, key, digest)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("floor-P-256", func(b *testing.B) {
		for b.Loop() {
			if !ecdsa.VerifyASN1(&key.PublicKey, digest, sig) {
				b.Fatal("bad signature")
			}
		}
	})
}

// benchSession is a service over a memory store with one anchor, profile and role, and a signed request for it. settings are
// the anchor's tags.
func benchSession(b *testing.B, pki *benchPKI, settings ...store.Tag) (*Service, *http.Request) {
	db, err := store.Open(b.Context(), store.Config{Source: "memory"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	log, err := audit.NewMemoryLog(audit.Options{})
	if err != nil {
		b.Fatal(err)
	}
	shipper, err := audit.NewShipper(audit.ShipperConfig{Log: log, Sink: audit.StoreSink{DB: db}})
	if err != nil {
		b.Fatal(err)
	}
	go shipper.Run(b.Context())
	ring := keyring.Ephemeral()
	sealer := sessiontoken.New(ring)
	s := New(Config{DB: db, Gate: gate.New(gate.Config{View: db.View(), Ring: ring, Sealer: sealer}), Sealer: sealer, Audit: log, Metrics: metrics.New(), Revocation: pki.checker(b, db)})

	const account = arn.AccountID("123456789012")
	anchor := store.TrustAnchor{Account: account, Region: "eu-central-1", ID: arn.NewUUID(), Name: "a", Enabled: true, SourceType: sourceCertificateBundle,
		SourceData: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pki.ca.Raw})), Tags: settings}
	roleARN := arn.Role("aws", account, "/", "worker").String()
	profile := store.Profile{Account: account, Region: "eu-central-1", ID: arn.NewUUID(), Name: "p", Enabled: true, RoleARNs: []string{roleARN}, Duration: 3600}
	for _, m := range certattr.Defaults() {
		profile.Mappings = append(profile.Mappings, store.AttributeMapping{CertificateField: m.CertificateField, Specifiers: m.Specifiers})
	}
	anchorARN := arn.RolesAnywhere("eu-central-1", account, "trust-anchor", anchor.ID).String()
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"rolesanywhere.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"],"Condition":{"ArnEquals":{"aws:SourceArn":"` + anchorARN + `"},"StringEquals":{"aws:PrincipalTag/x509Issuer/CN":"Bench CA"}}}]}`
	err = db.Update(b.Context(), func(tx *store.Tx) error {
		for _, put := range []func() error{
			func() error { return tx.PutAccount(&store.Account{ID: account, Name: "bench", CreatedAt: tx.Now}) },
			func() error { return tx.PutTrustAnchor(&anchor) },
			func() error { return tx.PutProfile(&profile) },
			func() error {
				return tx.PutRole(&store.Role{Account: account, Name: "worker", Path: "/", ID: sessiontoken.NewID(sessiontoken.RoleIDPrefix), TrustPolicy: trust, MaxSession: 3600, CreatedAt: tx.Now})
			},
		} {
			if err := put(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	profileARN := arn.RolesAnywhere("eu-central-1", account, "profile", profile.ID).String()
	query := strings.NewReplacer(":", "%3A", "/", "%2F").Replace("profileArn=" + profileARN + "&roleArn=" + roleARN + "&trustAnchorArn=" + anchorARN)
	r := httptest.NewRequest(http.MethodPost, "https://localhost/sessions?"+query, nil)
	r.Header.Set("Content-Type", "application/json")
	if err := sigv4.SignX509(r, &sigv4.SignX509Input{Signer: pki.leafKey, Leaf: pki.leaf, Region: "eu-central-1", Time: time.Now(), Body: []byte(`{"durationSeconds":900}`)}); err != nil {
		b.Fatal(err)
	}
	return s, r
}

// benchPKI is a CA with a certificate.
type benchPKI struct {
	ca, leaf *x509.Certificate
	caKey    *ecdsa.PrivateKey
	leafKey  crypto.Signer
	source   string // what the certificate gives as the address of its CRL and OCSP; "" for neither
}

func newBenchPKI(b *testing.B, source string) *benchPKI {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	return newBenchPKIFor(b, source, key)
}

// newBenchRSA is the same with a certificate for an RSA key.
func newBenchRSA(b *testing.B) *benchPKI {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	return newBenchPKIFor(b, "", key)
}

func newBenchPKIFor(b *testing.B, source string, leafKey crypto.Signer) *benchPKI {
	make509 := func(template, parent *x509.Certificate, key, parentKey crypto.Signer) *x509.Certificate {
		if parent == nil {
			parent, parentKey = template, key
		}
		template.NotBefore, template.NotAfter, template.BasicConstraintsValid = time.Now().Add(-time.Hour), time.Now().Add(time.Hour), true
		der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
		if err != nil {
			b.Fatal(err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			b.Fatal(err)
		}
		return cert
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	p := &benchPKI{source: source, caKey: caKey, leafKey: leafKey}
	p.ca = make509(&x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Bench CA"}, IsCA: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}, nil, caKey, nil)
	leaf := &x509.Certificate{SerialNumber: big.NewInt(4711), Subject: pkix.Name{CommonName: "host1", OrganizationalUnit: []string{"Backup"}}, KeyUsage: x509.KeyUsageDigitalSignature}
	if source != "" {
		leaf.CRLDistributionPoints, leaf.OCSPServer = []string{source + "/ca.crl"}, []string{source + "/ocsp"}
	}
	p.leaf = make509(leaf, p.ca, leafKey, caKey)
	return p
}
