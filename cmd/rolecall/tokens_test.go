//go:build linux

package main

import (
	"bytes"
	"crypto"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-tpm/tpm2"

	"github.com/rolecall/rolecall/internal/keysource/pkcs11"
	"github.com/rolecall/rolecall/internal/keysource/pkcs11/softhsm"
	"github.com/rolecall/rolecall/internal/keysource/tpm/swtpm"
)

// tokens is the built program with a server that checks its signatures.
type tokens struct {
	t            *testing.T
	binDir, dir  string
	stub         *stub
	requestsPath string
}

func newTokens(t *testing.T) *tokens {
	k := &tokens{t: t, binDir: buildProgram(t), dir: t.TempDir()}
	k.requestsPath = filepath.Join(k.dir, "requests")
	k.stub = startStub(k.requestsPath)
	t.Cleanup(k.stub.Close)
	t.Setenv("AWS_CA_BUNDLE", k.write("server.pem", k.stub.certificate()))
	return k
}

func (k *tokens) write(name string, b []byte) string {
	k.t.Helper()
	path := filepath.Join(k.dir, name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		k.t.Fatal(err)
	}
	return path
}

func (k *tokens) writeCert(name string, p *softhsm.Pair) string {
	k.t.Helper()
	return k.write(name, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Cert.Raw}))
}

func (k *tokens) exec(args ...string) (stdout, stderr string, err error) {
	cmd := exec.Command(filepath.Join(k.binDir, ownName), args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// session makes one request and gives the line that the server recorded about it.
func (k *tokens) session(args ...string) string {
	k.t.Helper()
	_ = os.Remove(k.requestsPath)
	_, stderr, err := k.exec(append([]string{"credential-process", "--role-arn", roleARN, "--profile-arn", profileARN,
		"--trust-anchor-arn", anchorARN, "--endpoint", k.stub.URL}, args...)...)
	if err != nil || stderr != "" {
		k.t.Errorf("%v: %v\n%s", args, err, stderr)
	}
	line := readOrEmpty(k.requestsPath)
	if !strings.HasPrefix(line, "verified ") || strings.Count(line, "\n") != 1 {
		k.t.Errorf("%v: the server has recorded %q", args, line)
	}
	return line
}

// Keys on a PKCS#11 token sign through rolecall-pkcs11, which lies beside the program.
func TestPKCS11(t *testing.T) {
	k := newTokens(t)
	buildCompanion(t, k.binDir)
	hsm := softhsm.New(t)
	root := softhsm.Issue(t, "ec", "CA root", nil)
	middle := softhsm.Issue(t, "ec", "CA middle", root)
	ec, rsa, careful := softhsm.Issue(t, "ec", "ec", middle), softhsm.Issue(t, "rsa", "rsa", root), softhsm.Issue(t, "ec", "careful", root)
	hsm.Put("ec", "01", ec.Key, ec.Cert)
	hsm.Put("rsa", "02", rsa.Key, rsa.Cert)
	hsm.Put("careful", "03", careful.Key, careful.Cert, "--always-auth")
	hsm.Put("ca", "04", nil, middle.Cert)
	pin := k.write("pin", []byte(softhsm.PIN+"\n"))
	withPIN := []string{"--pkcs11-lib", hsm.Module, "--pkcs11-pin-file", pin}
	if line := k.session(append(withPIN, "--certificate", "pkcs11:object=ec")...); !strings.Contains(line, "alg=AWS4-X509-ECDSA-SHA256") || !strings.Contains(line, "chain=CA middle ") {
		t.Errorf("EC: %s", line)
	}
	if line := k.session("--certificate", "pkcs11:object=rsa?pin-source="+pin+"&module-path="+hsm.Module); !strings.Contains(line, "alg=AWS4-X509-RSA-SHA256") || !strings.Contains(line, "chain= ") {
		t.Errorf("RSA: %s", line)
	}
	k.session(append(withPIN, "--certificate", k.writeCert("ec.pem", ec), "--private-key", "pkcs11:token=test")...)
	k.session(append(withPIN, "--certificate", "pkcs11:object=careful", "--reuse-pin")...)
	if out, stderr, err := k.exec("read-certificate-data", "--certificate", "pkcs11:token=test", "--pkcs11-lib", hsm.Module); err != nil ||
		strings.Count(out, "\nURI: pkcs11:token=test;") != 4 || !strings.HasPrefix(out, "Matching identities\n1) Hex Fingerprint: ") {
		t.Errorf("list: %v %s\n%s", err, stderr, out)
	}
	for want, args := range map[string][]string{
		"the PIN of the token test is needed":          {"sign-string", "--pkcs11-lib", hsm.Module, "--certificate", "pkcs11:object=ec"},
		"belongs to one of the 3 private keys":         append([]string{"sign-string", "--certificate", k.writeCert("other.pem", root), "--private-key", "pkcs11:token=test"}, withPIN...),
		"cannot load the PKCS#11 module /none":         {"sign-string", "--pkcs11-lib", "/none", "--certificate", "pkcs11:object=ec"},
		"has the unknown attribute \"foo\"":            {"sign-string", "--certificate", "pkcs11:foo=ec"},
		"unknown flag: --pkcs11-pin":                   {"sign-string", "--certificate", "pkcs11:object=ec", "--pkcs11-pin", "1234"},
		"multiple matching identities: 3 of 3 certif":  append([]string{"sign-string", "--certificate", "pkcs11:token=test"}, withPIN...),
		"no certificate on the token \"test\" fits th": append([]string{"sign-string", "--certificate", "pkcs11:object=none"}, withPIN...),
	} {
		if _, stderr, err := k.exec(args...); err == nil || !strings.Contains(stderr, want) || !strings.Contains(stderr, "\nhint: ") {
			t.Errorf("%v: %v, want %q and a hint:\n%s", args, err, want, stderr)
		}
	}
}

// Keys in a TPM sign through the Unix socket that TPM_DEVICE names.
func TestTPM(t *testing.T) {
	k := newTokens(t)
	device := swtpm.New(t)
	t.Setenv("TPM_DEVICE", device.Path)
	ca := softhsm.Issue(t, "ec", "CA", nil)
	certify := func(name string, public crypto.PublicKey) string {
		return k.writeCert(name+".pem", softhsm.Certify(t, nil, public, name, ca))
	}
	file, public := device.KeyFile(swtpm.ECC(tpm2.TPMECCNistP256), swtpm.Options{EmptyAuth: 1})
	ecCert, ecKey := certify("ec", public), k.write("ec.tss", file)
	if line := k.session("--certificate", ecCert, "--private-key", ecKey, "--intermediates", k.writeCert("ca.pem", ca)); !strings.Contains(line, "alg=AWS4-X509-ECDSA-SHA256") || !strings.Contains(line, "chain=CA ") {
		t.Errorf("EC: %s", line)
	}
	tpl := swtpm.RSA(tpm2.TPMAlgNull)
	tpl.Password = "sesame"
	rsaCert := certify("rsa", device.Persistent(tpl, 0x81000101))
	password := k.write("password", []byte("sesame\n"))
	if line := k.session("--certificate", rsaCert, "--private-key", "handle:0x81000101", "--tpm-key-password-file", password); !strings.Contains(line, "alg=AWS4-X509-RSA-SHA256") {
		t.Errorf("RSA: %s", line)
	}
	k.session("--certificate", rsaCert, "--private-key", "handle:0x81000101", "--tpm-key-password", "sesame")
	folder := filepath.Join(k.dir, "store")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{ecCert, ecKey} {
		if err := os.Link(path, filepath.Join(folder, filepath.Base(path))); err != nil {
			t.Fatal(err)
		}
	}
	k.session("--cert-store", folder)
	for want, args := range map[string][]string{
		"private key and certificate (CN=rsa) do not belong together": {"--certificate", rsaCert, "--private-key", ecKey},
		"the password is wrong":                  {"--certificate", rsaCert, "--private-key", "handle:0x81000101", "--no-tpm-key-password"},
		"may have a password and none was given": {"--certificate", rsaCert, "--private-key", "handle:0x81000101"},
		"the TPM has no such key":                {"--certificate", rsaCert, "--private-key", "handle:0x81000109", "--no-tpm-key-password"},
	} {
		if _, stderr, err := k.exec(append([]string{"sign-string"}, args...)...); err == nil || !strings.Contains(stderr, want) || !strings.Contains(stderr, "\nhint: ") {
			t.Errorf("%v: %v, want %q and a hint:\n%s", args, err, want, stderr)
		}
	}
	if n := device.Transient(); n != 0 {
		t.Errorf("%d objects are left in the TPM", n)
	}
}

// TestTokenScripts runs testdata/script-tokens/*.txtar with a token and a TPM.
func TestTokenScripts(t *testing.T) {
	k := newTokens(t)
	buildCompanion(t, k.binDir)
	hsm, device, ca := softhsm.New(t), swtpm.New(t), softhsm.Issue(t, "ec", "CA", nil)
	ec, careful := softhsm.Issue(t, "ec", "ec", ca), softhsm.Issue(t, "ec", "careful", ca)
	hsm.Put("ec", "01", ec.Key, ec.Cert)
	hsm.Put("careful", "03", careful.Key, careful.Cert, "--always-auth")
	key := func(name, password string, handle tpm2.TPMHandle) string {
		template := swtpm.RSA(tpm2.TPMAlgNull)
		template.Password = password
		return k.writeCert(name, softhsm.Certify(t, nil, device.Persistent(template, handle), name, ca))
	}
	runScripts(t, "testdata/script-tokens", k.binDir, [][2]string{
		{"MODULE", hsm.Module}, {"SOFTHSM2_CONF", hsm.Config}, {"TPM_DEVICE", device.Path},
		{"TPM_CERT", key("tpm.pem", "sesame", 0x81000101)}, {"TPM_OPEN", key("tpmopen.pem", "", 0x81000102)},
	})
}

// buildCompanion puts rolecall-pkcs11 beside the program.
func buildCompanion(t *testing.T, binDir string) {
	t.Helper()
	build := exec.Command("go", "build", "-o", filepath.Join(binDir, pkcs11.ProgramName), "../rolecall-pkcs11")
	build.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build (it needs gcc, see scripts/deps): %v\n%s", err, out)
	}
}
