package integration

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// bucketServer is a server whose private CAs write to the gateway beside it, with the key of a user who may write lists
// with the ACLs given and reports, and nothing else.
func bucketServer(t *testing.T, acls ...string) *s3Gateway {
	t.Helper()
	dir, address, writer := t.TempDir(), freeAddress(t), filepath.Join(t.TempDir(), "writer")
	args := []string{"--account-id", testAccount, "--s3-iam-socket", filepath.Join(dir, "s3", "iam.sock")}
	n := serve(t, nodeConfig{dir: dir, args: args})
	root, c := n.root, n.as(t, n.root)
	user := aws.String("list-writer")
	must(c.iam.CreateUser(t.Context(), &iam.CreateUserInput{UserName: user}))(t)
	policy := document(statement("Allow", "s3:PutObject", "arn:aws:s3:::pki-lists/*", `{"StringEquals":{"s3:x-amz-acl":["`+strings.Join(acls, `","`)+`"]}}`),
		statement("Allow", "s3:PutObject", "arn:aws:s3:::pki-reports/*", ""))
	must(c.iam.PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{UserName: user, PolicyName: user, PolicyDocument: &policy}))(t)
	key := must(c.iam.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: user}))(t).AccessKey
	text := fmt.Sprintf("[lists]\naws_access_key_id = %s\naws_secret_access_key = %s\n", *key.AccessKeyId, *key.SecretAccessKey)
	if err := os.WriteFile(writer, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	n.stop(t)
	n = serve(t, nodeConfig{dir: dir, args: append(args, "--s3-endpoint", "https://"+address, "--s3-credentials", writer, "--s3-profile", "lists", "--s3-ca-bundle", filepath.Join(dir, "tls-ca.pem"))})
	n.root = root
	g := serveGatewayAt(t, n, "s3-gateway.env", address, t.TempDir())
	g.fill(t, "pki-lists")
	g.fill(t, "pki-reports")
	g.fill(t, "elsewhere")
	return g
}

// open lets everybody read the bucket's objects, as distribution points are read.
func (g *s3Gateway) open(t testing.TB, bucket string) {
	t.Helper()
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::` + bucket + `/*"}]}`
	must(g.s3(t, g.admin).PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: &bucket, Policy: &policy}))(t)
}

// front is nginx as it stands before a bucket under the name that certificates give: plain HTTP, without credentials.
func (g *s3Gateway) front(t *testing.T, bucket string) (address string) {
	t.Helper()
	dir := t.TempDir()
	address = freeAddress(t)
	config := `worker_processes 1;
daemon off;
master_process off;
pid nginx.pid;
error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  server {
    listen ` + address + `;
    location / { proxy_pass ` + g.endpoint + "/" + bucket + `/; }
  }
}
`
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd, out := exec.Command(tool(t, "nginx"), "-p", dir, "-c", "nginx.conf"), &output{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
		if t.Failed() {
			t.Logf("nginx\n%s", out)
		}
	})
	within(t, startTimeout, func() error {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
		}
		return err
	})
	return address
}

func listsTo(bucket string, more map[string]any) map[string]any {
	c := map[string]any{"Enabled": true, "ExpirationInDays": 7, "S3BucketName": bucket}
	for k, v := range more {
		c[k] = v
	}
	return map[string]any{"RevocationConfiguration": map[string]any{"CrlConfiguration": c}}
}

// issued is a certificate of a CA with its chain, in files for OpenSSL.
type issued struct {
	*workload
	leaf, top string // paths
	arn       string
}

func (n *node) issueFrom(t *testing.T, ca string) *issued {
	t.Helper()
	key := newKey(t)
	csr := pemBlock("CERTIFICATE REQUEST", must(x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "host"}}, key))(t))
	out := n.mustPCA(t, "IssueCertificate", issueRequest(ca, csr))
	var got map[string]any
	within(t, 10*time.Second, func() (err error) {
		got, err = n.pca(n.client(), "GetCertificate", map[string]any{"CertificateAuthorityArn": ca, "CertificateArn": out["CertificateArn"]})
		return err
	})
	dir := t.TempDir()
	i := &issued{leaf: filepath.Join(dir, "leaf.pem"), top: filepath.Join(dir, "ca.pem"), arn: ca}
	for path, text := range map[string]any{i.leaf: got["Certificate"], i.top: got["CertificateChain"]} {
		if err := os.WriteFile(path, []byte(text.(string)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	block, _ := pem.Decode([]byte(got["Certificate"].(string)))
	i.workload = &workload{must(x509.ParseCertificate(block.Bytes))(t), key}
	return i
}

func (n *node) revoke(t *testing.T, i *issued) {
	t.Helper()
	n.mustPCA(t, "RevokeCertificate", map[string]any{"CertificateAuthorityArn": i.arn, "CertificateSerial": i.cert.SerialNumber.Text(16), "RevocationReason": "KEY_COMPROMISE"})
}

// verify has OpenSSL check the certificate with a list: it fetches the one the certificate names if der is nil. The error is
// what it says against it.
func (i *issued) verify(t *testing.T, der []byte) error {
	t.Helper()
	args := []string{"verify", "-x509_strict", "-crl_check", "-CAfile", i.top}
	if der == nil {
		args = append(args, "-crl_download")
	} else {
		file := filepath.Join(t.TempDir(), "list.pem")
		if err := os.WriteFile(file, pemBlock("X509 CRL", der), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "-CRLfile", file)
	}
	got := run(t, "", environment(t.TempDir()), tool(t, "openssl"), append(args, i.leaf)...)
	if got.code != 0 {
		return errors.New(got.stdout + got.stderr)
	}
	return nil
}

func (i *issued) revokedIn(t *testing.T, der []byte) func() error {
	return func() error {
		if err := i.verify(t, der); err == nil || !strings.Contains(err.Error(), "certificate revoked") {
			return fmt.Errorf("OpenSSL does not say that it is revoked: %w", err)
		}
		return nil
	}
}

// Lists in a bucket of the Versity gateway: written by a user who may do nothing else, under the custom path, with the
// object's ACL, fetched by OpenSSL from where the certificates say, and there again at once after a revocation.
func TestListsInAGatewayBucket(t *testing.T) {
	t.Parallel()
	g := bucketServer(t, "bucket-owner-full-control")
	g.open(t, "pki-lists")
	front := g.front(t, "pki-lists")
	create := func(bucket string, more map[string]any) error {
		in := listsTo(bucket, more)
		in["CertificateAuthorityType"] = "ROOT"
		in["CertificateAuthorityConfiguration"] = map[string]any{"KeyAlgorithm": "EC_prime256v1", "SigningAlgorithm": "SHA256WITHECDSA", "Subject": map[string]string{"CommonName": "No"}}
		_, err := g.pca(g.client(), "CreateCertificateAuthority", in)
		return err
	}
	owner := map[string]any{"S3ObjectAcl": "BUCKET_OWNER_FULL_CONTROL"}
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"a bucket that is not there": {create("pki-absent", owner), "NoSuchBucket"},
		"a bucket of others":         {create("elsewhere", owner), "AccessDenied"},
		"an ACL that is not allowed": {create("pki-lists", nil), "AccessDenied"}, // PUBLIC_READ is the default
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), "InvalidArgsException") || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, c.err, c.want)
		}
	}

	ca := g.rootCA(t, listsTo("pki-lists", map[string]any{"S3ObjectAcl": "BUCKET_OWNER_FULL_CONTROL", "CustomCname": front, "CustomPath": "lists/a"}))
	key := "lists/a/" + ca[strings.LastIndexByte(ca, '/')+1:] + ".crl"
	one := g.issueFrom(t, ca)
	if want := "http://" + front + "/" + key; len(one.cert.CRLDistributionPoints) != 1 || one.cert.CRLDistributionPoints[0] != want {
		t.Errorf("distribution points %v, want %s", one.cert.CRLDistributionPoints, want)
	}
	within(t, 10*time.Second, func() error { return one.verify(t, nil) })
	admin := g.s3(t, g.admin)
	first := must(read(t.Context(), admin, "pki-lists", key))(t)
	if err := one.verify(t, []byte(first)); err != nil {
		t.Errorf("the object: %v", err)
	}
	head := must(admin.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("pki-lists"), Key: &key}))(t)
	if got := aws.ToString(head.ContentType); got != "application/pkix-crl" {
		t.Errorf("content type %s", got)
	}
	other := g.issueFrom(t, ca)
	g.revoke(t, one)
	t.Logf("OpenSSL finds the revocation at the distribution point after %s", within(t, 10*time.Second, one.revokedIn(t, nil)))
	if err := other.verify(t, nil); err != nil {
		t.Errorf("another certificate: %v", err)
	}
	second := must(read(t.Context(), admin, "pki-lists", key))(t)
	if a, b := must(x509.ParseRevocationList([]byte(first)))(t), must(x509.ParseRevocationList([]byte(second)))(t); b.Number.Cmp(a.Number) <= 0 || len(b.RevokedCertificateEntries) != 1 {
		t.Errorf("list %v with %d entries after list %v", b.Number, len(b.RevokedCertificateEntries), a.Number)
	}

	report := map[string]any{"CertificateAuthorityArn": ca, "S3BucketName": "elsewhere", "AuditReportResponseFormat": "JSON"}
	if _, err := g.pca(g.client(), "CreateCertificateAuthorityAuditReport", report); err == nil || !strings.Contains(err.Error(), "AccessDenied") {
		t.Errorf("a report to a bucket of others: %v", err)
	}
	report["S3BucketName"] = "pki-reports"
	made := g.mustPCA(t, "CreateCertificateAuthorityAuditReport", report)
	var text string
	within(t, 10*time.Second, func() (err error) {
		text, err = read(t.Context(), admin, "pki-reports", made["S3Key"].(string))
		return err
	})
	if !strings.Contains(text, `"revocationReason":"KEY_COMPROMISE"`) {
		t.Errorf("the report: %s", text)
	}
}

// Lists in parts, in a bucket without a name of its own: the addresses lead to the gateway. While it is down the list is
// here, and goes to the bucket when it is back.
func TestListsWhileTheGatewayIsDown(t *testing.T) {
	t.Parallel()
	g := bucketServer(t, "public-read")
	g.open(t, "pki-lists")
	ca := g.rootCA(t, listsTo("pki-lists", map[string]any{"CrlType": "PARTITIONED"}))
	one := g.issueFrom(t, ca)
	if len(one.cert.CRLDistributionPoints) != 1 || !strings.HasPrefix(one.cert.CRLDistributionPoints[0], g.endpoint+"/pki-lists/crl/") {
		t.Fatalf("distribution points %v", one.cert.CRLDistributionPoints)
	}
	fetch := func(url string) func() ([]byte, error) {
		return func() ([]byte, error) {
			resp, err := g.client().Get(url)
			if err != nil {
				return nil, err
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				return nil, errors.New(resp.Status)
			}
			return io.ReadAll(resp.Body)
		}
	}
	inBucket, here := fetch(one.cert.CRLDistributionPoints[0]), fetch(g.node.endpoint+strings.TrimPrefix(one.cert.CRLDistributionPoints[0], g.endpoint+"/pki-lists"))
	good := func(get func() ([]byte, error)) func() error {
		return func() error {
			der, err := get()
			if err != nil {
				return err
			}
			return one.verify(t, der)
		}
	}
	bad := func(get func() ([]byte, error)) func() error {
		return func() error {
			der, err := get()
			if err != nil {
				return err
			}
			return one.revokedIn(t, der)()
		}
	}
	within(t, 10*time.Second, good(inBucket))
	g.process.Kill()
	<-g.ended
	g.revoke(t, one)
	within(t, 10*time.Second, bad(here))
	if _, err := inBucket(); err == nil {
		t.Error("the gateway answers")
	}
	again := serveGatewayAt(t, g.node, "s3-gateway.env", strings.TrimPrefix(g.endpoint, "https://"), g.home)
	t.Logf("in the bucket %s after the gateway is back", within(t, 30*time.Second, bad(inBucket)))
	if log := again.output.String(); strings.Contains(log, "panic") {
		t.Errorf("versitygw\n%s", log)
	}
}
