package integration

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// pca makes one call of the private CA's API, without retries, and returns the texts of its answer.
func (n *node) pca(hc *http.Client, operation string, in map[string]any) (map[string]any, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequest(http.MethodPost, n.endpoint+"/", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "ACMPrivateCA."+operation)
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(context.Background(), n.root, r, hex.EncodeToString(sum[:]), "acm-pca", region, time.Now()); err != nil {
		return nil, err
	}
	resp, err := hc.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s %s", operation, resp.Status, text)
	}
	out := map[string]any{}
	if len(text) > 0 {
		err = json.Unmarshal(text, &out)
	}
	return out, err
}

func (n *node) mustPCA(t *testing.T, operation string, in map[string]any) map[string]any {
	t.Helper()
	return must(n.pca(n.client(), operation, in))(t)
}

// rootCA makes a root with a P-256 key.
func (n *node) rootCA(t *testing.T, more map[string]any) string {
	t.Helper()
	in := map[string]any{"CertificateAuthorityType": "ROOT", "CertificateAuthorityConfiguration": map[string]any{
		"KeyAlgorithm": "EC_prime256v1", "SigningAlgorithm": "SHA256WITHECDSA", "Subject": map[string]string{"CommonName": "Custody"}}}
	for k, v := range more {
		in[k] = v
	}
	name := n.mustPCA(t, "CreateCertificateAuthority", in)["CertificateAuthorityArn"].(string)
	ca := map[string]any{"CertificateAuthorityArn": name}
	var csr string
	within(t, 30*time.Second, func() error {
		out, err := n.pca(n.client(), "GetCertificateAuthorityCsr", ca)
		if err == nil {
			csr = out["Csr"].(string)
		}
		return err
	})
	cert := n.mustPCA(t, "IssueCertificate", map[string]any{"CertificateAuthorityArn": name, "Csr": []byte(csr), "SigningAlgorithm": "SHA256WITHECDSA",
		"TemplateArn": "arn:aws:acm-pca:::template/RootCACertificate/V1", "Validity": map[string]any{"Value": 10, "Type": "YEARS"}})["CertificateArn"]
	text := n.mustPCA(t, "GetCertificate", map[string]any{"CertificateAuthorityArn": name, "CertificateArn": cert})["Certificate"].(string)
	n.mustPCA(t, "ImportCertificateAuthorityCertificate", map[string]any{"CertificateAuthorityArn": name, "Certificate": []byte(text)})
	return name
}

func hostCSR(t *testing.T) []byte {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	der := must(x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "host"}}, key))(t)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}

func issueRequest(ca string, csr []byte) map[string]any {
	return map[string]any{"CertificateAuthorityArn": ca, "Csr": csr, "SigningAlgorithm": "SHA256WITHECDSA", "Validity": map[string]any{"Value": 1, "Type": "DAYS"}}
}

// TestIssuedSurvivesKill kills the server under clients that issue: every certificate that was acknowledged is there
// afterwards, and its audit event exactly once.
func TestIssuedSurvivesKill(t *testing.T) {
	n := serve(t, nodeConfig{dir: t.TempDir()})
	dir, root, ca, csr := n.dir, n.root, n.rootCA(t, nil), hostCSR(t)
	var mu sync.Mutex
	var acknowledged []string
	for range 4 {
		ctx, dead := context.WithCancel(t.Context())
		var workers sync.WaitGroup
		for range 8 {
			workers.Go(func() {
				for hc := n.client(); ; {
					out, err := n.pca(hc, "IssueCertificate", issueRequest(ca, csr))
					if err != nil {
						time.Sleep(50 * time.Millisecond)
						if ctx.Err() == nil {
							t.Errorf("before the kill: %v", err)
						}
						return
					}
					mu.Lock()
					acknowledged = append(acknowledged, out["CertificateArn"].(string))
					mu.Unlock()
				}
			})
		}
		time.Sleep(time.Duration(50+mathrand.IntN(150)) * time.Millisecond)
		dead()
		n.kill()
		workers.Wait()
		n = serve(t, nodeConfig{dir: dir})
		n.root = root
	}
	t.Logf("%d certificates acknowledged", len(acknowledged))
	if len(acknowledged) < 100 {
		t.Error("there was hardly any load: this test proves nothing")
	}
	hc := n.client()
	for _, name := range acknowledged {
		if _, err := n.pca(hc, "GetCertificate", map[string]any{"CertificateAuthorityArn": ca, "CertificateArn": name}); err != nil {
			t.Errorf("an acknowledged certificate is lost: %v", err)
		}
	}
	found := eventsByRequest(t, n.as(t, root), "IssueCertificate")
	if len(found) < len(acknowledged) {
		t.Errorf("%d events for %d certificates", len(found), len(acknowledged))
	}
	n.stop(t)
}

// companion builds rolecall-pkcs11 and returns its folder.
func companion(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("go", "build", "-o", filepath.Join(dir, "rolecall-pkcs11"), "./cmd/rolecall-pkcs11")
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

// softToken is an initialised token of SoftHSM.
type softToken struct {
	config, pin string // files
}

func newToken(t *testing.T) *softToken {
	t.Helper()
	dir := t.TempDir()
	tokens := filepath.Join(dir, "tokens")
	s := &softToken{filepath.Join(dir, "softhsm2.conf"), filepath.Join(dir, "pin")}
	if err := os.Mkdir(tokens, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, s.config, "directories.tokendir = "+tokens+"\n", 0o600)
	write(t, s.pin, "246813\n", 0o600)
	mustRun(t, "", append(os.Environ(), "SOFTHSM2_CONF="+s.config), tool(t, "softhsm2-util"), "--init-token", "--free", "--label", "ca", "--so-pin", "11111111", "--pin", "246813")
	return s
}

// node is the configuration of a server with the token and the companion in a folder.
func (s *softToken) node(data, companion string) nodeConfig {
	return nodeConfig{dir: data, env: []string{"SOFTHSM2_CONF=" + s.config, "PATH=" + companion + ":" + os.Getenv("PATH")},
		args: []string{"--hsm-module", "/usr/lib/softhsm/libsofthsm2.so", "--hsm-token", "ca", "--hsm-pin-file", s.pin}}
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// TestTokenCA has a CA's key in SoftHSM: it issues, survives a restart, fails with a 503 while the token is out, recovers,
// and what the standard sends elsewhere goes on meanwhile.
func TestTokenCA(t *testing.T) {
	token := newToken(t)
	present, absent := string(must(os.ReadFile(token.config))(t)), "directories.tokendir = "+t.TempDir()+"\n"
	cfg := token.node(filepath.Join(t.TempDir(), "data"), companion(t))
	n := serve(t, cfg)
	csr, root := hostCSR(t), n.root
	inToken, sealed := n.rootCA(t, nil), n.rootCA(t, map[string]any{"KeyStorageSecurityStandard": "FIPS_140_2_LEVEL_2_OR_HIGHER"})
	list := mustRun(t, "", environment(t.TempDir()), program(t, "rolecalld"), "ca", "list", "--data-dir", n.dir).stdout
	for name, where := range map[string]string{inToken: "token", sealed: "sealed"} {
		for line := range strings.Lines(list) {
			if strings.HasPrefix(line, name) && !strings.Contains(line, " "+where+" ") {
				t.Errorf("want the key in a place called %s: %s", where, line)
			}
		}
	}
	n.mustPCA(t, "IssueCertificate", issueRequest(inToken, csr))
	n.stop(t)
	write(t, token.config, absent, 0o600)
	n = serve(t, cfg) // a server starts without its token
	n.root = root
	if _, err := n.pca(n.client(), "IssueCertificate", issueRequest(inToken, csr)); err == nil || !strings.Contains(err.Error(), "503") || !strings.Contains(err.Error(), "RequestFailedException") {
		t.Errorf("without the token: %v", err)
	}
	n.mustPCA(t, "IssueCertificate", issueRequest(sealed, csr))
	write(t, token.config, present, 0o600)
	n.mustPCA(t, "IssueCertificate", issueRequest(inToken, csr))
	n.stop(t)
}

// TestTokenSignsOutsideOfTransactions has the token hang while it is to sign a root's own certificate: others still change the
// store, and the certificate is issued once the token answers.
func TestTokenSignsOutsideOfTransactions(t *testing.T) {
	token, real, dir := newToken(t), companion(t), t.TempDir()
	hold, held := filepath.Join(dir, "hold"), filepath.Join(dir, "held")
	write(t, filepath.Join(dir, "rolecall-pkcs11"), "#!/bin/sh\nfor i in $(seq 600); do [ -e "+hold+" ] || break; touch "+held+"; sleep 0.05; done\nexec "+real+"/rolecall-pkcs11 \"$@\"\n", 0o700)
	cfg := token.node(filepath.Join(t.TempDir(), "data"), dir)
	n := serve(t, cfg)
	root := n.root
	ca := map[string]any{"CertificateAuthorityArn": n.mustPCA(t, "CreateCertificateAuthority", map[string]any{"CertificateAuthorityType": "ROOT",
		"CertificateAuthorityConfiguration": map[string]any{"KeyAlgorithm": "EC_prime256v1", "SigningAlgorithm": "SHA256WITHECDSA", "Subject": map[string]string{"CommonName": "Held"}}})["CertificateAuthorityArn"]}
	var csr string
	within(t, 30*time.Second, func() error {
		out, err := n.pca(n.client(), "GetCertificateAuthorityCsr", ca)
		if err == nil {
			csr = out["Csr"].(string)
		}
		return err
	})
	n.stop(t) // and with it the programs that speak to the token
	write(t, hold, "", 0o600)
	n = serve(t, cfg)
	n.root = root
	in := issueRequest(ca["CertificateAuthorityArn"].(string), []byte(csr))
	in["TemplateArn"] = "arn:aws:acm-pca:::template/RootCACertificate/V1"
	var failed error
	issued := make(chan struct{})
	go func() {
		defer close(issued)
		_, failed = n.pca(n.client(), "IssueCertificate", in)
	}()
	within(t, 30*time.Second, func() error { _, err := os.Stat(held); return err })
	n.mustPCA(t, "TagCertificateAuthority", map[string]any{"CertificateAuthorityArn": ca["CertificateAuthorityArn"], "Tags": []map[string]string{{"Key": "a", "Value": "b"}}})
	select {
	case <-issued:
		t.Error("the certificate did not wait for the token, or the change waited for the certificate")
	default:
	}
	if err := os.Remove(hold); err != nil {
		t.Fatal(err)
	}
	if <-issued; failed != nil {
		t.Error(failed)
	}
	n.stop(t)
}

// TestRotateUnderIssuing rotates the master key and seals everything anew beside a server that issues.
func TestRotateUnderIssuing(t *testing.T) {
	n := serve(t, nodeConfig{dir: t.TempDir()})
	ca, csr := n.rootCA(t, nil), hostCSR(t)
	ctx, stop := context.WithCancel(t.Context())
	var workers sync.WaitGroup
	for range 3 {
		workers.Go(func() {
			for hc := n.client(); ctx.Err() == nil; {
				if _, err := n.pca(hc, "IssueCertificate", issueRequest(ca, csr)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	env := environment(t.TempDir())
	for range 3 {
		out := mustRun(t, "", env, program(t, "rolecalld"), "keys", "rotate", "--data-dir", n.dir)
		if !strings.Contains(out.stdout, "stored secrets sealed anew") {
			t.Errorf("keys rotate printed %q", out.stdout)
		}
	}
	stop()
	workers.Wait()
	list := mustRun(t, "", env, program(t, "rolecalld"), "keys", "list", "--data-dir", n.dir).stdout
	if strings.Count(list, "CA keys") != 1 || strings.Count(list, "nothing stored") != 3 {
		t.Errorf("something is left under an old key:\n%s", list)
	}
	n.stop(t)
	n = serve(t, nodeConfig{dir: n.dir})
	n.mustPCA(t, "IssueCertificate", issueRequest(ca, csr))
}
