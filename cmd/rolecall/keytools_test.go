package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// toolRun runs a program that other people made; without it the test fails.
func toolRun(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%v\nhint: run `make deps`", err)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// Files as the tools make them that people have: OpenSSL 3, GnuTLS, and what Windows writes (a provider's name and the mark
// of a machine's key on the key, a GUID for a name; 3DES and SHA-1, RC2, or AES-256 and SHA-256).
func TestPKCS12Tools(t *testing.T) {
	bin, dir := filepath.Join(buildProgram(t), ownName), t.TempDir()
	if err := copyFixtures(dir); err != nil {
		t.Fatal(err)
	}
	windows := []string{"-CSP", "Microsoft Software Key Storage Provider", "-LMK", "-name", "{4F1A3B5C-0D2E-4C6F-9A8B-7C6D5E4F3A2B}", "-iter", "2000"}
	openssl := func(more ...string) []string {
		return append([]string{"openssl", "pkcs12", "-export", "-in", "rsa.pem", "-inkey", "rsa.pkcs8.key", "-certfile", "ca.pem", "-passout", "pass:sesame", "-out", "made.p12"}, more...)
	}
	gnutls := func(cipher string, more ...string) []string {
		return append([]string{"certtool", "--to-p12", "--load-certificate", "rsa.pem", "--load-privkey", "rsa.pkcs8.key", "--p12-name", "host",
			"--password", "sesame", "--pkcs-cipher", cipher, "--outder", "--outfile", "made.p12"}, more...)
	}
	requests := filepath.Join(dir, "requests")
	s := startStub(requests)
	t.Cleanup(s.Close)
	session := func(name string) (string, string) {
		cmd := exec.Command(bin, "credential-process", "--no-cache", "--role-arn", roleARN, "--profile-arn", profileARN, "--trust-anchor-arn", anchorARN,
			"--endpoint", s.plain.URL, "--certificate", name, "--pkcs8-password", "sesame")
		cmd.Dir = dir
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, _ := cmd.Output() // what it printed says it
		return string(out), stderr.String()
	}
	for what, line := range map[string][]string{
		"OpenSSL 3": openssl(), "OpenSSL 3, SHA-512": openssl("-macalg", "sha512"), "OpenSSL 3, AES-128": openssl("-keypbe", "AES-128-CBC", "-certpbe", "AES-128-CBC"),
		"OpenSSL 3, certificates in the clear": openssl("-certpbe", "NONE"), "OpenSSL 1": openssl("-legacy"),
		"Windows TripleDES_SHA1": openssl(append(windows, "-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1")...),
		"Windows AES256_SHA256":  openssl(append(windows, "-keypbe", "AES-256-CBC", "-certpbe", "AES-256-CBC", "-macalg", "sha256")...),
		"Windows before 10":      openssl(append(windows, "-legacy", "-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-RC2-40", "-macalg", "sha1")...),
		"GnuTLS, AES":            gnutls("aes-256"), "GnuTLS, 3DES": gnutls("3des-pkcs12"),
	} {
		os.Remove(filepath.Join(dir, "made.p12")) // GnuTLS does not replace files
		toolRun(t, dir, line[0], line[1:]...)
		os.Remove(requests)
		out, stderr := session("made.p12")
		if sent := readOrEmpty(requests); !strings.Contains(out, "ASIATESTKEY") || !strings.HasPrefix(sent, "verified ") || line[0] == "openssl" && !strings.Contains(sent, " chain=Test CA ") {
			t.Errorf("%s: %s\n%s", what, stderr, sent)
		}
	}
	// What is refused says what to do. The three parts are a known gap: the library reads two, and GnuTLS gives each CA one of
	// its own.
	for what, line := range map[string][]string{"no MAC": openssl("-nomac"), "three parts": gnutls("aes-256", "--load-ca-certificate", "ca.pem")} {
		os.Remove(filepath.Join(dir, "made.p12"))
		toolRun(t, dir, line[0], line[1:]...)
		if out, stderr := session("made.p12"); out != "" || !strings.Contains(stderr, "hint: export it again with: openssl") {
			t.Errorf("%s: %s", what, stderr)
		}
	}
}

// mldsa is an ML-DSA-65 key (its seed) and a certificate of it (RFC 9881), certified by itself with a signature that is none:
// what has to know the key's kind does so before it verifies anything.
func mldsa(t *testing.T) (certificate, key []byte) {
	t.Helper()
	oid := asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 3, 18}
	algorithm := func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oid) })
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(9), Subject: pkix.Name{CommonName: "pq"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, ec.Public(), ec)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	var content cryptobyte.String
	raw := cryptobyte.String(c.RawTBSCertificate)
	if !raw.ReadASN1(&content, cbasn1.SEQUENCE) {
		t.Fatal("no certificate")
	}
	var out, p8 cryptobyte.Builder
	out.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			for i := 0; !content.Empty(); i++ { // version, serial number, signature, issuer, validity, subject, key, extensions
				var element cryptobyte.String
				var tag cbasn1.Tag
				if !content.ReadAnyASN1Element(&element, &tag) {
					t.Fatal("no certificate")
				}
				switch i {
				case 2:
					algorithm(b)
				case 6:
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						algorithm(b)
						b.AddASN1BitString(bytes.Repeat([]byte{1}, 1952))
					})
				default:
					b.AddBytes(element)
				}
			}
		})
		algorithm(b)
		b.AddASN1BitString(bytes.Repeat([]byte{2}, 3309))
	})
	p8.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(0)
		algorithm(b)
		b.AddASN1(cbasn1.OCTET_STRING, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.Tag(0).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes(bytes.Repeat([]byte{3}, 32)) })
		})
	})
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: out.BytesOrPanic()}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: p8.BytesOrPanic()})
}

// ML-DSA is called by its name, nothing is sent, and the certificate can be looked at.
func TestMLDSA(t *testing.T) {
	bin, dir := filepath.Join(buildProgram(t), ownName), t.TempDir()
	if err := copyFixtures(dir); err != nil {
		t.Fatal(err)
	}
	requests := filepath.Join(dir, "requests")
	s := startStub(requests)
	t.Cleanup(s.Close)
	certificate, key := mldsa(t)
	for name, text := range map[string][]byte{"pq.pem": certificate, "pq.key": key} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, pair := range [][2]string{{"pq.pem", "pq.key"}, {"pq.pem", "ec.pkcs8.key"}, {"ec.pem", "pq.key"}} {
		cmd := exec.Command(bin, "credential-process", "--no-cache", "--role-arn", roleARN, "--profile-arn", profileARN, "--trust-anchor-arn", anchorARN,
			"--endpoint", s.plain.URL, "--certificate", pair[0], "--private-key", pair[1])
		cmd.Dir = dir
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err == nil || len(out) > 0 || !strings.Contains(stderr.String(), "ML-DSA-65, which this client cannot sign with yet") {
			t.Errorf("%v: %v %s %s", pair, err, out, &stderr)
		}
	}
	if sent := readOrEmpty(requests); sent != "" {
		t.Errorf("something was sent: %s", sent)
	}
	cmd := exec.Command(bin, "read-certificate-data", "--certificate", filepath.Join(dir, "pq.pem"))
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), `"keyType":"ML-DSA-65"`) {
		t.Errorf("read-certificate-data: %v %.200s", err, out)
	}
}
