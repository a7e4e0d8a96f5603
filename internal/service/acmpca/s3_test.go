package acmpca_test

import (
	"bytes"
	"crypto/sha256"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/server"
	"github.com/rolecall/rolecall/internal/testserver"
	"github.com/rolecall/rolecall/sigv4"
)

// verifier is an S3 endpoint that checks signatures, as a real one does, and keeps what it is sent.
type verifier struct {
	t       testing.TB
	mu      sync.Mutex // guards what follows, which requests and the test share
	objects map[string][]byte
	acls    map[string]string
	refuse  bool
}

const s3Key, s3Secret = "AKIABUCKETWRITER0001", "bucket-writer-secret"

func (v *verifier) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		v.t.Error(err)
	}
	claims, err := sigv4.Parse(r)
	if err == nil {
		err = claims.Verify(r, sigv4.DeriveKey(s3Secret, claims.Date, claims.Region, claims.Service), &sigv4.Check{Now: time.Now(), Style: sigv4.S3, BodySHA256: sha256.Sum256(body)})
	}
	switch {
	case err != nil || claims.KeyID != s3Key || claims.Service != "s3" || claims.Region != "eu-west-7":
		v.t.Errorf("signature: %v %+v", err, claims)
		w.WriteHeader(http.StatusForbidden)
	case v.refuse || !strings.HasPrefix(r.URL.Path, "/pki-lists/"):
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, `<?xml version="1.0"?><Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message></Error>`)
	default:
		v.objects[r.URL.Path], v.acls[r.URL.Path] = body, r.Header.Get("X-Amz-Acl")
	}
}

func (v *verifier) object(path string) ([]byte, string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.objects[path], v.acls[path]
}

// bucketRig is a server with an S3 endpoint that has the bucket pki-lists.
func bucketRig(t *testing.T) (*rig, *verifier) {
	v := &verifier{t: t, objects: map[string][]byte{}, acls: map[string]string{}}
	s3 := httptest.NewServer(v)
	t.Cleanup(s3.Close)
	file := filepath.Join(t.TempDir(), "credentials")
	text := "[other]\naws_access_key_id = x\naws_secret_access_key = y\n[writer]\naws_access_key_id = " + s3Key + "\naws_secret_access_key = " + s3Secret + "\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := testserver.StartWith(t, func(c *server.Config) {
		c.S3Endpoint, c.S3Region, c.S3Credentials, c.S3Profile = s3.URL, "eu-west-7", file, "writer"
	})
	return &rig{t, s, s.Root}, v
}

func (r *rig) eventually(what string, ok func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if ok() {
			return
		}
	}
	r.t.Fatalf("%s: it did not come about", what)
}

func listsTo(bucket string, more object) object {
	c := object{"Enabled": true, "ExpirationInDays": 7, "S3BucketName": bucket}
	for k, v := range more {
		c[k] = v
	}
	return object{"RevocationConfiguration": object{"CrlConfiguration": c}}
}

// TestListsInABucket: the test object first, then the list with its ACL at its path, anew after a revocation, and a
// distribution point that leads to the bucket.
func TestListsInABucket(t *testing.T) {
	r, v := bucketRig(t)
	in := listsTo("pki-elsewhere", nil)
	in["CertificateAuthorityType"], in["CertificateAuthorityConfiguration"] = "ROOT", caConfig("x", "EC_prime256v1", "SHA256WITHECDSA")
	if _, code, text := r.call("CreateCertificateAuthority", in); code != "InvalidArgsException" || !strings.Contains(text, "NoSuchBucket") {
		t.Errorf("a bucket that is not there: %s %s", code, text)
	}
	if n := len(r.ok("ListCertificateAuthorities", object{})["CertificateAuthorities"].([]any)); n != 0 {
		t.Errorf("%d CAs came of a refused call", n)
	}
	ca := r.root("bucket", listsTo("pki-lists", object{"S3ObjectAcl": "BUCKET_OWNER_FULL_CONTROL", "CustomPath": "a/b"}))
	if _, acl := v.object("/pki-lists/acm-pca-permission-test-key"); acl != "bucket-owner-full-control" {
		t.Errorf("the test object's ACL is %q", acl)
	}
	id := ca[strings.LastIndexByte(ca, '/')+1:]
	path := "/pki-lists/a/b/" + id + ".crl"
	r.eventually("the first list", func() bool { o, acl := v.object(path); return len(o) > 0 && acl == "bucket-owner-full-control" })
	_, csr := leaf(t, "a")
	_, text, chain := r.issue(ca, csr, nil)
	cert := parse(t, text)
	if len(cert.CRLDistributionPoints) != 1 || !strings.HasSuffix(cert.CRLDistributionPoints[0], path) || len(cert.IssuingCertificateURL) != 0 {
		t.Errorf("distribution points %v, issuers %v", cert.CRLDistributionPoints, cert.IssuingCertificateURL)
	}
	before, _ := v.object(path)
	r.revoke(ca, cert)
	r.eventually("a list with the revocation", func() bool {
		o, _ := v.object(path)
		return !bytes.Equal(o, before) && strings.Contains(verifyWith(t, chain, text, o), "certificate revoked")
	})
	r.refused("InvalidArgsException", "UpdateCertificateAuthority", object{"CertificateAuthorityArn": ca, "RevocationConfiguration": listsTo("pki-elsewhere", nil)["RevocationConfiguration"]})
	if got := r.describe(ca)["RevocationConfiguration"].(object)["CrlConfiguration"].(object)["S3BucketName"]; got != "pki-lists" {
		t.Errorf("a refused update changed the bucket to %v", got)
	}
}

// TestABucketThatFailsLater: the failure is counted and recorded, and the list is served here all the same.
func TestABucketThatFailsLater(t *testing.T) {
	r, v := bucketRig(t)
	ca := r.root("later", listsTo("pki-lists", nil))
	id := ca[strings.LastIndexByte(ca, '/')+1:]
	r.eventually("the first list", func() bool { o, _ := v.object("/pki-lists/crl/" + id + ".crl"); return len(o) > 0 })
	v.mu.Lock()
	v.refuse = true
	v.mu.Unlock()
	_, csr := leaf(t, "a")
	_, text, chain := r.issue(ca, csr, nil)
	r.revoke(ca, parse(t, text))
	r.eventually("a revocation in the list served here", func() bool {
		res, err := http.Get(r.URL + "/crl/" + id + ".crl")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		der, err := io.ReadAll(res.Body)
		return err == nil && strings.Contains(verifyWith(t, chain, text, der), "certificate revoked")
	})
	r.eventually("the event", func() bool {
		body := r.JSON11(t, r.keys, "cloudtrail", "CloudTrail_20131101.LookupEvents",
			object{"LookupAttributes": []object{{"AttributeKey": "EventName", "AttributeValue": "GenerateCRL"}}}).Body
		return bytes.Contains(body, []byte("NoSuchBucket"))
	})
}

// TestAuditReport: both formats, of an issued and a revoked certificate.
func TestAuditReport(t *testing.T) {
	r, v := bucketRig(t)
	ca := r.root("reports", nil)
	_, csr := leaf(t, "x, y")
	_, text, _ := r.issue(ca, csr, nil)
	r.revoke(ca, parse(t, text))
	for format, want := range map[string][]string{
		"JSON": {`"revocationReason":"KEY_COMPROMISE"`, `"serial":"` + colons(parse(t, text)) + `"`, `"subject":"CN=x\\, y"`, `"templateArn":"arn:aws:acm-pca:::template/EndEntityCertificate/V1"`, "+0000"},
		"CSV":  {"awsAccountId,requestedByServicePrincipal,certificateArn,serial,subject", "KEY_COMPROMISE", colons(parse(t, text))},
	} {
		in := object{"CertificateAuthorityArn": ca, "S3BucketName": "pki-lists", "AuditReportResponseFormat": format}
		made := r.ok("CreateCertificateAuthorityAuditReport", in)
		id := object{"CertificateAuthorityArn": ca, "AuditReportId": made["AuditReportId"]}
		r.eventually("a report", func() bool {
			return r.ok("DescribeCertificateAuthorityAuditReport", id)["AuditReportStatus"] == "SUCCESS"
		})
		got, _ := v.object("/pki-lists/" + made["S3Key"].(string))
		for _, w := range want {
			if !bytes.Contains(got, []byte(w)) {
				t.Errorf("%s: no %s in %s", format, w, got)
			}
		}
	}
	r.refused("InvalidArgsException", "CreateCertificateAuthorityAuditReport", object{"CertificateAuthorityArn": ca, "S3BucketName": "not/a/bucket", "AuditReportResponseFormat": "JSON"})
	r.refused("InvalidArgsException", "CreateCertificateAuthorityAuditReport", object{"CertificateAuthorityArn": ca, "S3BucketName": "pki-elsewhere", "AuditReportResponseFormat": "JSON"})
	r.refused("ResourceNotFoundException", "DescribeCertificateAuthorityAuditReport", object{"CertificateAuthorityArn": ca, "AuditReportId": "00000000-0000-4000-8000-000000000000"})
	plain := newRig(t)
	_, code, reason := plain.call("CreateCertificateAuthorityAuditReport", object{"CertificateAuthorityArn": plain.root("plain", nil), "S3BucketName": "pki-lists", "AuditReportResponseFormat": "JSON"})
	if code != "RequestFailedException" || !strings.Contains(reason, "--s3-endpoint") {
		t.Errorf("without an endpoint: %s %s", code, reason)
	}
}
