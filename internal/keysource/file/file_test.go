package file

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rolecall/rolecall/internal/keysource"
)

func data(name string) string {
	if name == "" {
		return ""
	}
	return filepath.Join("testdata", name)
}

// private copies a key to a file that only its owner can read: version control does not keep modes.
func private(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(data(name))
	if err != nil {
		t.Fatal(err)
	}
	return write(t, b, 0o600)
}

func write(t *testing.T, b []byte, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, b, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask is
		t.Fatal(err)
	}
	return path
}

func sesame() ([]byte, error) { return []byte("sesame"), nil }

func TestLoadForms(t *testing.T) {
	tests := []struct{ cert, key string }{
		{"ec.pem", "ec.sec1.key"}, // with a block of EC PARAMETERS
		{"ec.pem", "ec.pkcs8.key"},
		{"ec.der", "ec.pkcs8.der"},
		{"ec.pem", "ec.sec1.der"},
		{"rsa.pem", "rsa.pkcs1.key"},
		{"rsa.pem", "rsa.pkcs8.key"},
		{"rsa.pem", "rsa.pkcs1.der"},
		{"rsa.pem", "rsa.pkcs8.der"},
		{"secp384r1.pem", "secp384r1.key"},
		{"secp521r1.pem", "secp521r1.key"},
		{"ec.pem", "enc.hmacWithSHA1.key"},
		{"ec.pem", "enc.sha224.key"},
		{"ec.pem", "enc.hmacWithSHA256.key"},
		{"ec.pem", "enc.hmacWithSHA384.key"},
		{"ec.pem", "enc.hmacWithSHA512.key"},
		{"ec.pem", "enc.hmacWithSHA512-224.key"},
		{"ec.pem", "enc.hmacWithSHA512-256.key"},
		{"ec.pem", "enc.aes128.key"},
		{"ec.pem", "enc.aes192.key"},
		{"ec.pem", "enc.scrypt.key"},
		{"ec.pem", "enc.der"},
	}
	for _, tt := range tests {
		t.Run(tt.key, func(t *testing.T) {
			s := &Source{Certificate: data(tt.cert), PrivateKey: private(t, tt.key), Password: sesame}
			id, err := s.Load(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			digest := sha256.Sum256([]byte("text"))
			sig, err := id.Signer().Sign(rand.Reader, digest[:], crypto.SHA256)
			if err != nil {
				t.Fatal(err)
			}
			alg := x509.ECDSAWithSHA256
			if strings.HasPrefix(tt.cert, "rsa") {
				alg = x509.SHA256WithRSA
			}
			if err := id.Leaf().CheckSignature(alg, []byte("text"), sig); err != nil {
				t.Errorf("the signature does not verify with the certificate: %v", err)
			}
			if got := id.Warnings(); len(got) != 0 {
				t.Errorf("warnings %q, want none", got)
			}
		})
	}
}

func TestLoadRefusals(t *testing.T) {
	both := write(t, concat(t, "ec.pkcs8.key", "rsa.pkcs8.key"), 0o600)
	wrongOrder := write(t, concat(t, "ca.pem", "ec.pem"), 0o600)
	damaged := write(t, bytes.Replace(concat(t, "ec.pem", "ca.pem"), []byte("-----END"), []byte("----END"), 1), 0o600)
	truncated := write(t, concat(t, "ec.pem")[:200], 0o600)
	tpm := write(t, []byte("-----BEGIN TSS2 PRIVATE KEY-----\nAAAA\n-----END TSS2 PRIVATE KEY-----\n"), 0o600)
	public := write(t, []byte("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"), 0o600)
	big := write(t, bytes.Repeat([]byte("x"), maxFile+1), 0o600)
	empty := write(t, nil, 0o600)
	junk := write(t, []byte("hello"), 0o600)
	tests := []struct{ name, cert, key, want string }{
		{"no flags", "", "", "no certificate given"},
		{"no key in the certificate file", data("ec.pem"), "", "no private key in"},
		{"no key in the key file", data("ec.pem"), data("ca.pem"), "no private key in"},
		{"no certificate", data("ec.pkcs8.key"), "", "no certificate in"},
		{"missing file", "testdata/none", "", "cannot read the certificate file testdata/none: no such file or directory"},
		{"folder", "testdata", "", "it is a folder"},
		{"another key", data("ec.pem"), data("rsa.pkcs8.key"), "do not belong together"},
		{"another key of the same kind", data("ec.pem"), data("ca.key"), "do not belong together"},
		{"issuer first", wrongOrder, data("ec.pkcs8.key"), "the key is that of certificate 2"},
		{"Ed25519 key", data("ec.pem"), data("ed25519.key"), "Ed25519 keys cannot be used"},
		{"Ed25519 certificate", data("ed25519.pem"), data("ec.pkcs8.key"), "Ed25519 keys cannot be used"},
		{"X25519 key", data("ec.pem"), data("x25519.key"), "cannot sign"},
		{"P-224", data("secp224r1.pem"), data("secp224r1.key"), "P-224 is not supported"},
		{"old PEM encryption", data("ec.pem"), data("legacy.key"), "encrypted in the old PEM way"},
		{"OpenSSH", data("ec.pem"), data("openssh.key"), "OpenSSH's own form"},
		{"PKCS#12 with a key beside it", data("ec.p12"), data("ec.pkcs8.key"), "is PKCS#12 and holds a private key, but --private-key names another one"},
		{"PKCS#12 as key", data("ec.pem"), data("ec.p12"), "is PKCS#12"},
		{"TPM", data("ec.pem"), tpm, "is held by a TPM, which is not supported here"},
		{"3DES", data("ec.pem"), data("enc.des3.key"), "other than AES-CBC"},
		{"PBES1", data("ec.pem"), data("enc.pbes1.key"), "instead of PBES2"},
		{"MD5", data("ec.pem"), data("enc.md5.key"), "unsupported function"},
		{"two keys", data("ec.pem"), both, "more than one private key"},
		{"public key", data("ec.pem"), public, `unexpected PEM block "PUBLIC KEY"`},
		{"damaged first block", damaged, data("ec.pkcs8.key"), "1 of 2 PEM blocks are damaged"},
		{"truncated", truncated, data("ec.pkcs8.key"), "1 of 1 PEM blocks are damaged"},
		{"large file", big, data("ec.pkcs8.key"), "larger than 1048576 bytes"},
		{"empty file", empty, data("ec.pkcs8.key"), "the file is empty"},
		{"text", junk, data("ec.pkcs8.key"), "neither PEM nor DER"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &Source{Certificate: tt.cert, PrivateKey: tt.key, Password: sesame}
			_, err := s.Load(context.Background())
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want an error with %q", err, tt.want)
			}
			var e *keysource.Error
			if !errors.As(err, &e) {
				t.Errorf("%T instead of *keysource.Error", err)
			} else if e.Hint() == "" && tt.name != "folder" && tt.name != "large file" {
				t.Errorf("no hint for %v", err)
			}
			if strings.Contains(err.Error(), "sesame") {
				t.Errorf("the password is in the error %v", err)
			}
		})
	}
}

func TestPasswords(t *testing.T) {
	load := func(password func() ([]byte, error)) error {
		s := &Source{Certificate: data("ec.pem"), PrivateKey: data("enc.hmacWithSHA256.key"), Password: password}
		_, err := s.Load(context.Background())
		return err
	}
	if err := load(nil); err == nil || !strings.Contains(err.Error(), "no password was given") {
		t.Errorf("without a password: %v", err)
	}
	for _, wrong := range []string{"", "Sesame", "sesame "} {
		err := load(func() ([]byte, error) { return []byte(wrong), nil })
		if err == nil || !strings.Contains(err.Error(), "cannot be decrypted with this password") {
			t.Errorf("password %q: %v", wrong, err)
		}
	}
	failing := errors.New("no terminal")
	if err := load(func() ([]byte, error) { return nil, failing }); !errors.Is(err, failing) {
		t.Errorf("got %v, want %v", err, failing)
	}
	calls := 0
	s := &Source{Certificate: data("ec.pem"), PrivateKey: data("ec.pkcs8.key"), Password: func() ([]byte, error) { calls++; return nil, nil }}
	if _, err := s.Load(context.Background()); err != nil || calls != 0 {
		t.Errorf("a plain key: error %v, %d calls for a password", err, calls)
	}
}

// A PKCS#12 file is key, certificate and chain at once.
func TestPKCS12(t *testing.T) {
	path := func(name string) string { return filepath.Join("..", "pkcs12", "testdata", name) }
	for _, s := range []*Source{
		{Certificate: path("modern.p12"), Password: sesame},
		{Certificate: path("empty.p12")},
		{Certificate: path("empty.p12"), PrivateKey: path("empty.p12"), Intermediates: data("ca.pem")},
	} {
		id, err := s.Load(context.Background())
		if err != nil {
			t.Errorf("%+v: %v", s, err)
			continue
		}
		if id.Leaf().Subject.CommonName != "ec" || len(id.Chain()) != 1 || id.Chain()[0].Subject.CommonName != "Test CA" {
			t.Errorf("%+v: leaf %s, chain of %d", s, id.Leaf().Subject, len(id.Chain()))
		}
		certs, err := s.Certificates(context.Background())
		if err != nil || !certs[0].Equal(id.Leaf()) {
			t.Errorf("certificates: %v", err)
		}
	}
	s := &Source{Certificate: path("modern.p12")}
	if _, err := s.Load(context.Background()); err == nil || !strings.Contains(err.Error(), "has a password and none was given") {
		t.Errorf("without a password: %v", err)
	}
	s.Password = func() ([]byte, error) { return []byte("wrong"), nil }
	if _, err := s.Load(context.Background()); err == nil || !strings.Contains(err.Error(), "modern.p12: the PKCS#12 file cannot be decrypted") {
		t.Errorf("wrong password: %v", err)
	}
}

func TestChain(t *testing.T) {
	names := func(s *Source) []string {
		t.Helper()
		id, err := s.Load(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		got := []string{id.Leaf().Subject.CommonName}
		for _, c := range id.Chain() {
			got = append(got, c.Subject.CommonName)
		}
		return got
	}
	check := func(what string, got []string, want string) {
		t.Helper()
		if g := strings.Join(got, ","); g != want {
			t.Errorf("%s: got %s, want %s", what, g, want)
		}
	}
	combined := private(t, "combined.pem")
	check("combined file", names(&Source{Certificate: combined}), "ec,Test CA")
	check("combined file named twice", names(&Source{Certificate: combined, PrivateKey: combined}), "ec,Test CA")
	check("chain is not doubled", names(&Source{Certificate: combined, Intermediates: data("ca.pem")}), "ec,Test CA")
	bundle := write(t, concat(t, "ec.pem", "rsa.pem", "ca.pem", "rsa.pem"), 0o644)
	check("leaf and duplicates dropped, order kept",
		names(&Source{Certificate: data("ec.pem"), PrivateKey: data("ec.pkcs8.key"), Intermediates: bundle}), "ec,rsa,Test CA")
	check("empty bundle", names(&Source{Certificate: data("ec.pem"), PrivateKey: data("ec.pkcs8.key"), Intermediates: write(t, nil, 0o644)}), "ec")
	_, err := (&Source{Certificate: combined, Intermediates: combined}).Load(context.Background())
	if err == nil || !strings.Contains(err.Error(), "private key among the certificates") {
		t.Errorf("key in the bundle: %v", err)
	}
	// A combined file also serves as key file: its certificates are not taken then.
	check("key from a combined file", names(&Source{Certificate: data("ec.pem"), PrivateKey: combined}), "ec")
}

// A pipe can be read only once, and gives key and certificate of one moment.
func TestPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := w.Write(concat(t, "combined.pem")); err != nil {
		t.Fatal(err)
	}
	w.Close()
	path := filepath.Join("/dev/fd", strconv.Itoa(int(r.Fd())))
	id, err := (&Source{Certificate: path}).Load(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if got := id.Warnings(); len(got) != 0 {
		t.Errorf("warnings %q about a pipe", got)
	}
}

func TestOpenKeyFile(t *testing.T) {
	tests := []struct {
		mode os.FileMode
		want string
	}{
		{0o600, ""}, {0o400, ""}, {0o640, ""},
		{0o644, "can be read by every user (mode 0644)"},
		{0o604, "can be read by every user"},
		{0o660, "can be changed by other users"},
		{0o602, "can be changed by other users"},
	}
	for _, tt := range tests {
		s := &Source{Certificate: data("ec.pem"), PrivateKey: write(t, concat(t, "ec.pkcs8.key"), tt.mode)}
		id, err := s.Load(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(id.Warnings(), "\n")
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("mode %04o: warnings %q, want %q", tt.mode, got, tt.want)
		}
	}
}

func concat(t testing.TB, names ...string) []byte {
	t.Helper()
	var out []byte
	for _, name := range names {
		b, err := os.ReadFile(data(name))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b...)
	}
	return out
}
