// Package softhsm makes PKCS#11 tokens in files for tests, with SoftHSM and OpenSC's pkcs11-tool (scripts/deps installs
// both). It is not linked into any program. Start with [New].
package softhsm

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// PIN is the user PIN of every token.
const PIN = "98765"

// Token is a folder of tokens, the first of which is called "test".
type Token struct {
	t      testing.TB
	Module string // path of SoftHSM's module
	Config string // for SOFTHSM2_CONF
	dir    string
}

// New makes an initialised token and sets SOFTHSM2_CONF for the test.
func New(t testing.TB) *Token {
	t.Helper()
	const module = "/usr/lib/softhsm/libsofthsm2.so"
	if _, err := os.Stat(module); err != nil {
		t.Fatalf("SoftHSM is missing: %v (run scripts/deps)", err)
	}
	k := &Token{t: t, Module: module, dir: t.TempDir()}
	k.Config = filepath.Join(k.dir, "softhsm2.conf")
	tokens := filepath.Join(k.dir, "tokens")
	k.check(os.Mkdir(tokens, 0o700))
	k.check(os.WriteFile(k.Config, []byte("directories.tokendir = "+tokens+"\nlog.level = ERROR\n"), 0o600))
	t.Setenv("SOFTHSM2_CONF", k.Config)
	k.AddToken("test")
	return k
}

func (k *Token) check(err error) {
	k.t.Helper()
	if err != nil {
		k.t.Fatal(err)
	}
}

func (k *Token) run(name string, args ...string) {
	k.t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		k.t.Fatalf("%s %v: %v\n%s(scripts/deps installs what the tests need)", name, args, err, out)
	}
}

// AddToken makes another token.
func (k *Token) AddToken(label string) {
	k.t.Helper()
	k.run("softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", "11111111", "--pin", PIN)
}

// Put stores a private key, with its public key, and certificates of it under the label and the hexadecimal id in the
// token "test". more are arguments of pkcs11-tool for the private key. A nil key stores certificates only.
func (k *Token) Put(label, id string, key crypto.Signer, cert *x509.Certificate, more ...string) {
	k.t.Helper()
	k.PutOn("test", label, id, key, cert, more...)
}

// PutOn is Put for a token of another name.
func (k *Token) PutOn(token, label, id string, key crypto.Signer, cert *x509.Certificate, more ...string) {
	k.t.Helper()
	path := filepath.Join(k.dir, "object.der")
	write := func(kind string, der []byte, more ...string) {
		k.check(os.WriteFile(path, der, 0o600))
		k.run("pkcs11-tool", append([]string{"--module", k.Module, "--token-label", token, "--login", "--pin", PIN,
			"--write-object", path, "--type", kind, "--label", label, "--id", id}, more...)...)
	}
	if key != nil {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		k.check(err)
		write("privkey", der, append([]string{"--usage-sign"}, more...)...)
		der, err = x509.MarshalPKIXPublicKey(key.Public())
		k.check(err)
		write("pubkey", der)
	}
	if cert != nil {
		write("cert", cert.Raw)
	}
}

// Pair is a key with its certificate.
type Pair struct {
	Key  crypto.Signer
	Cert *x509.Certificate
}

// Issue makes a key and a certificate for it. kind is ec, ec384, ec521, or rsa; issuer nil: self-signed. A name that
// begins with CA may issue.
func Issue(t testing.TB, kind, name string, issuer *Pair) *Pair {
	t.Helper()
	var key crypto.Signer
	var err error
	switch kind {
	case "rsa":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "ec384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "ec521":
		key, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	default:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	return Certify(t, key, key.Public(), name, issuer)
}

// Certify makes a certificate for a public key whose private key is elsewhere, or key.
func Certify(t testing.TB, key crypto.Signer, public crypto.PublicKey, name string, issuer *Pair) *Pair {
	t.Helper()
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	if err != nil {
		t.Fatal(err)
	}
	isCA := len(name) > 1 && name[:2] == "CA"
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, BasicConstraintsValid: true, IsCA: isCA,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if isCA {
		template.KeyUsage = x509.KeyUsageCertSign
	}
	parent, signer := template, key
	if issuer != nil {
		parent, signer = issuer.Cert, issuer.Key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &Pair{key, cert}
}
