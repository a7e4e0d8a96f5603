package issuance

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/authority"
	pca "github.com/rolecall/rolecall/internal/awsapi/model/acmpca"
	"github.com/rolecall/rolecall/internal/keyring"
	"github.com/rolecall/rolecall/internal/store"
)

// storedRoot is a root CA in force in a memory store, with partitions of two certificates.
func storedRoot(t *testing.T, revocation *pca.RevocationConfiguration) (*Issuer, *store.DB, *store.CertificateAuthority) {
	t.Helper()
	db, err := store.Open(t.Context(), store.Config{Source: "memory"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	keys := authority.SealedKeys{Ring: keyring.Ephemeral()}
	i := New(keys)
	i.partitionSize = 2
	text, err := json.Marshal(revocation)
	if err != nil {
		t.Fatal(err)
	}
	ca := &store.CertificateAuthority{Account: "123456789012", Region: "eu-central-1", ID: "11111111-1111-4111-8111-111111111111", Type: "ROOT", Status: "ACTIVE", Revocation: string(text)}
	if ca.KeyRef, err = keys.Generate(ca.ID, authority.P256, ""); err != nil {
		t.Fatal(err)
	}
	subject, err := (&authority.Subject{CommonName: "root"}).DER()
	if err != nil {
		t.Fatal(err)
	}
	if ca.CSR, err = authority.MakeCSR(keys, ca.ID, ca.KeyRef, subject, "SHA256WITHECDSA", &authority.Extensions{}, nil); err != nil {
		t.Fatal(err)
	}
	err = keys.Use(ca.ID, ca.KeyRef, func(k crypto.Signer) error {
		now := time.Now()
		tmpl := &x509.Certificate{RawSubject: subject, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(5, 0, 0), IsCA: true, BasicConstraintsValid: true, SerialNumber: big.NewInt(5), KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
		ca.Certificate, err = x509.CreateCertificate(rand.Reader, tmpl, tmpl, k.Public(), k)
		ca.NotAfter = tmpl.NotAfter
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(t.Context(), func(tx *store.Tx) error { return tx.CreateAuthority(ca) }); err != nil {
		t.Fatal(err)
	}
	return i, db, ca
}

// TestPartitionsFillUp: the third certificate of partitions of two starts another one, and each is stored with its own.
func TestPartitionsFillUp(t *testing.T) {
	i, db, ca := storedRoot(t, &pca.RevocationConfiguration{CrlConfiguration: &pca.CrlConfiguration{
		Enabled: new(true), ExpirationInDays: new(int32(7)), CustomCname: new("pki.example"), CrlType: new(pca.CrlTypePartitioned)}})
	var points []string
	fresh := 0
	for range 5 {
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			issued, err := i.Issue(tx, ca, leafRequest(t))
			if err != nil {
				return err
			}
			row, err := tx.GetIssuedCertificate(ca.Account, ca.Region, ca.ID, issued.Serial)
			if err != nil {
				return err
			}
			if want := "http://pki.example/crl/" + ca.ID + "/" + row.Partition + ".crl"; issued.Certificate.CRLDistributionPoints[0] != want {
				t.Errorf("distribution point %v, want %s", issued.Certificate.CRLDistributionPoints, want)
			}
			if issued.NewPartition {
				fresh++
			}
			points = append(points, row.Partition)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if points[0] != points[1] || points[1] == points[2] || points[2] != points[3] || points[3] == points[4] || fresh != 3 {
		t.Errorf("partitions %v, %d new", points, fresh)
	}
}

// TestWhatIsSaid: which addresses stand in certificates, by configuration.
func TestWhatIsSaid(t *testing.T) {
	crl := func(c pca.CrlConfiguration) *pca.RevocationConfiguration {
		c.Enabled, c.ExpirationInDays = new(true), new(int32(7))
		return &pca.RevocationConfiguration{CrlConfiguration: &c}
	}
	const id = "11111111-1111-4111-8111-111111111111"
	both := crl(pca.CrlConfiguration{CustomCname: new("lists.example"), S3BucketName: new("lists")})
	both.OcspConfiguration = &pca.OcspConfiguration{Enabled: new(true), OcspCustomCname: new("ocsp.example:81")}
	for what, c := range map[string]struct {
		r    *pca.RevocationConfiguration
		want string
	}{
		"nothing":        {&pca.RevocationConfiguration{}, "  "},
		"a name":         {crl(pca.CrlConfiguration{CustomCname: new("x.example")}), "http://x.example/crl/" + id + ".crl  http://x.example/ca/" + id + ".cer"},
		"a path":         {crl(pca.CrlConfiguration{CustomCname: new("x.example"), CustomPath: new("a/b")}), "http://x.example/a/b/" + id + ".crl  http://x.example/ca/" + id + ".cer"},
		"a bucket":       {crl(pca.CrlConfiguration{S3BucketName: new("lists")}), "http://s3.example/lists/crl/" + id + ".crl  "},
		"no extension":   {crl(pca.CrlConfiguration{CrlDistributionPointExtensionConfiguration: &pca.CrlDistributionPointExtensionConfiguration{OmitExtension: new(true)}}), "  "},
		"all":            {both, "http://lists.example/crl/" + id + ".crl http://ocsp.example:81/ocsp/" + id + " http://ocsp.example:81/ca/" + id + ".cer"},
		"OCSP is turned": {&pca.RevocationConfiguration{OcspConfiguration: &pca.OcspConfiguration{Enabled: new(false), OcspCustomCname: new("x")}}, "  "},
	} {
		i, db, ca := storedRoot(t, c.r)
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			issued, err := i.WithBuckets("http://s3.example").Issue(tx, ca, leafRequest(t))
			if err != nil {
				return err
			}
			x := issued.Certificate
			if got := strings.Join(x.CRLDistributionPoints, ",") + " " + strings.Join(x.OCSPServer, ",") + " " + strings.Join(x.IssuingCertificateURL, ","); got != c.want {
				t.Errorf("%s: %q, want %q", what, got, c.want)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestValidHost(t *testing.T) {
	for text, want := range map[string]bool{"a": true, "a.example": true, "a:80": true, "127.0.0.1:8080": true, "[::1]:80": true, "": false, "a/b": false, "a?b": false, "u@h": false,
		"a:": false, "a:b": false, "a b": false, "http://a": false, "a#b": false, "%41": false} {
		if ValidHost(text) != want {
			t.Errorf("%q: want %v", text, want)
		}
	}
}

func leafRequest(t *testing.T) *authority.Request {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "leaf"}}, key)
	if err != nil {
		t.Fatal(err)
	}
	csr, err := authority.ParseCSR(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
	if err != nil {
		t.Fatal(err)
	}
	tmpl, err := authority.FindTemplate("")
	if err != nil {
		t.Fatal(err)
	}
	return &authority.Request{CSR: csr, Template: tmpl, Algorithm: "SHA256WITHECDSA", Validity: authority.Validity{Type: authority.Days, Value: 30}, Now: time.Now()}
}
