package certchain

import (
	"bytes"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/certchain/dn"
)

// These tests need the openssl program, which makes what crypto/x509 refuses to make. They fail
// without it: see the Makefile's test target for what it installs.

// workshop is a folder with a CA made by openssl.
type workshop struct {
	t   *testing.T
	dir string
}

const opensslConfig = `
[req]
distinguished_name = dn
prompt = no
[dn]
O = Example
CN = Root
[ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
[leaf]
keyUsage = critical,digitalSignature
[dirname]
keyUsage = critical,digitalSignature
subjectAltName = critical,dirName:dir
[dir]
C = US
CN = alternative
[constrained]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
nameConstraints = critical,permitted;dirName:permitted,excluded;DNS:secret.example.com
[permitted]
O = Example
`

func newWorkshop(t *testing.T) *workshop {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Fatal("openssl is not installed: apt-get install openssl")
	}
	w := &workshop{t, t.TempDir()}
	if err := os.WriteFile(filepath.Join(w.dir, "cnf"), []byte(opensslConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	w.run("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 30 -config cnf -extensions ca")
	return w
}

// run runs openssl in the folder; arguments with spaces are quoted with single quotes.
func (w *workshop) run(args string, more ...string) {
	w.t.Helper()
	cmd := exec.Command("openssl", append(strings.Fields(args), more...)...)
	cmd.Dir = w.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("openssl %s: %v\n%s", args, err, out)
	}
}

func (w *workshop) read(name string) []byte {
	w.t.Helper()
	data, err := os.ReadFile(filepath.Join(w.dir, name))
	if err != nil {
		w.t.Fatal(err)
	}
	return data
}

func (w *workshop) der(name string) []byte {
	w.t.Helper()
	block, _ := pem.Decode(w.read(name))
	if block == nil {
		w.t.Fatalf("%s holds no PEM", name)
	}
	return block.Bytes
}

// leaf issues a certificate under the CA; key holds openssl's -newkey arguments.
func (w *workshop) leaf(key, section, digest string, subject ...string) []byte {
	w.t.Helper()
	if subject == nil {
		subject = []string{"/CN=workload"}
	}
	w.run("req -new -newkey "+key+" -nodes -keyout l.key -out l.csr -config cnf -utf8 -subj", subject...)
	w.run("x509 -req -in l.csr -CA ca.pem -CAkey ca.key -days 5 -out l.pem -extfile cnf -extensions " + section + " -" + digest)
	return w.der("l.pem")
}

func (w *workshop) verify(leaf []byte) (*Verified, error) {
	w.t.Helper()
	anchors, err := ParseAnchors(string(w.read("ca.pem")))
	if err != nil {
		w.t.Fatal(err)
	}
	return NewVerifier(0).Verify(&Input{Leaf: leaf, Anchors: anchors, Now: time.Now()})
}

const ec256 = "ec -pkeyopt ec_paramgen_curve:P-256"

func TestOpenSSLLeaves(t *testing.T) {
	w := newWorkshop(t)
	for _, key := range []string{ec256, "ec -pkeyopt ec_paramgen_curve:P-384", "ec -pkeyopt ec_paramgen_curve:P-521", "rsa:2048"} {
		if _, err := w.verify(w.leaf(key, "leaf", "sha384")); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
	bad := []struct {
		name, key, section, digest string
		reason                     Reason
		message, detail            string
	}{
		{"SHA-1", ec256, "leaf", "sha1", Weak, msgInsufficient, "ECDSA-SHA1 is too weak"},
		{"RSA 1024", "rsa:1024", "leaf", "sha256", Weak, msgInsufficient, "1024 bits"},
		{"secp256k1", "ec -pkeyopt ec_paramgen_curve:secp256k1", "leaf", "sha256", Malformed, msgMalformed, "unsupported elliptic curve"},
		{"Ed25519", "ed25519", "leaf", "sha256", Weak, msgInsufficient, "Ed25519"},
		{"CA", ec256, "ca", "sha256", Insufficient, msgInsufficient, "CA:true"},
	}
	for _, tt := range bad {
		t.Run(tt.name, func(t *testing.T) {
			_, err := w.verify(w.leaf(tt.key, tt.section, tt.digest))
			wantError(t, err, tt.reason, tt.message, tt.detail)
		})
	}
}

func TestOpenSSLWeakHashesUnderRSA(t *testing.T) {
	w := newWorkshop(t)
	w.run("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 30 -config cnf -extensions ca")
	for digest, detail := range map[string]string{"md5": "MD5-RSA is too weak", "sha1": "SHA1-RSA is too weak", "sha224": "not accepted"} {
		_, err := w.verify(w.leaf(ec256, "leaf", digest))
		wantError(t, err, Weak, msgInsufficient, detail)
	}
	for _, digest := range []string{"sha256", "sha512 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest"} {
		if _, err := w.verify(w.leaf(ec256, "leaf", digest)); err != nil {
			t.Errorf("%s: %v", digest, err)
		}
	}
	// A weak hash anywhere below the anchor is refused, and an anchor signed with one too.
	w.run("req -x509 -newkey rsa:2048 -nodes -keyout weak.key -out weak.pem -days 30 -config cnf -extensions ca -sha1")
	_, err := ParseAnchors(string(w.read("weak.pem")))
	wantError(t, err, Weak, msgBadAnchor, "SHA1-RSA is too weak")
}

func TestOpenSSLWeakIntermediate(t *testing.T) {
	w := newWorkshop(t)
	w.run("req -new -newkey "+ec256+" -nodes -keyout mid.key -out mid.csr -config cnf -subj", "/CN=Mid")
	w.run("x509 -req -in mid.csr -CA ca.pem -CAkey ca.key -days 5 -out mid.pem -extfile cnf -extensions ca -sha1")
	w.run("req -new -newkey "+ec256+" -nodes -keyout l.key -out l.csr -config cnf -subj", "/CN=workload")
	w.run("x509 -req -in l.csr -CA mid.pem -CAkey mid.key -days 5 -out l.pem -extfile cnf -extensions leaf")
	anchors, err := ParseAnchors(string(w.read("ca.pem")))
	if err != nil {
		t.Fatal(err)
	}
	_, err = NewVerifier(0).Verify(&Input{Leaf: w.der("l.pem"), Chain: [][]byte{w.der("mid.pem")}, Anchors: anchors, Now: time.Now()})
	wantError(t, err, Weak, msgUntrusted, "ECDSA-SHA1 is too weak")
}

func TestOpenSSLVersion1(t *testing.T) {
	w := newWorkshop(t)
	w.run("req -new -newkey "+ec256+" -nodes -keyout l.key -out l.csr -config cnf -subj", "/CN=workload")
	w.run("x509 -req -in l.csr -CA ca.pem -CAkey ca.key -days 5 -out l.pem")
	_, err := w.verify(w.der("l.pem"))
	wantError(t, err, Insufficient, msgInsufficient, "version 1")
	w.run("x509 -req -in l.csr -signkey l.key -days 5 -out v1.pem")
	_, err = ParseAnchors(string(w.read("v1.pem")))
	wantError(t, err, Malformed, msgBasicConstraints, "version 1")
}

func TestOpenSSLCriticalDirectoryNameSAN(t *testing.T) {
	w := newWorkshop(t)
	v, err := w.verify(w.leaf(ec256, "dirname", "sha256"))
	if err != nil {
		t.Fatal(err) // crypto/x509 alone calls this extension unhandled
	}
	raw, _ := extension(v.Leaf(), oidSubjectAltName())
	names, err := dn.ParseGeneralNames(raw)
	if err != nil || len(names) != 1 || names[0].Kind != dn.DirectoryName {
		t.Fatalf("got %v, %v", names, err)
	}
}

func TestOpenSSLDirectoryNameConstraints(t *testing.T) {
	w := newWorkshop(t)
	w.run("req -x509 -key ca.key -out ca.pem -days 30 -config cnf -extensions constrained")
	if _, err := w.verify(w.leaf(ec256, "leaf", "sha256", "/O=example/CN=w")); err != nil {
		t.Error(err)
	}
	_, err := w.verify(w.leaf(ec256, "leaf", "sha256", "/O=Other/CN=w"))
	wantError(t, err, Untrusted, msgUntrusted, "directoryName name")
}

func TestOpenSSLStringTypes(t *testing.T) {
	w := newWorkshop(t)
	for _, mask := range []string{"default", "nombstr", "utf8only", "MASK:0x0800" /* BMPString */} {
		config := strings.Replace(opensslConfig, "[req]", "[req]\nstring_mask = "+mask, 1)
		if err := os.WriteFile(filepath.Join(w.dir, "cnf"), []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		v, err := w.verify(w.leaf(ec256, "leaf", "sha256", "/CN=Zo\u00eb"))
		if err != nil {
			t.Errorf("%s: %v", mask, err)
			continue
		}
		name, err := dn.Parse(v.Leaf().RawSubject)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := name.Values(dn.CommonName); len(got) != 1 || got[0] != "Zoë" {
			t.Errorf("%s: CN = %q", mask, got)
		}
	}
}

func TestOpenSSLCRL(t *testing.T) {
	w := newWorkshop(t)
	leaf := w.leaf(ec256, "leaf", "sha256")
	ca := "[ca_db]\ndatabase = index\ncrlnumber = number\ndefault_md = sha256\ndefault_crl_days = 3\ncrl_extensions = crl_ext\n[crl_ext]\nauthorityKeyIdentifier = keyid\n"
	for name, text := range map[string]string{"cacnf": ca, "index": "", "number": "01\n"} {
		if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.run("ca -config cacnf -name ca_db -cert ca.pem -keyfile ca.key -revoke l.pem -crl_reason superseded")
	w.run("ca -config cacnf -name ca_db -cert ca.pem -keyfile ca.key -gencrl -out crl.pem")
	w.run("crl -in crl.pem -outform DER -out crl.der")
	anchors, err := ParseAnchors(string(w.read("ca.pem")))
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range [][]byte{w.read("crl.pem"), w.read("crl.der")} {
		crl := parseCRLForTest(t, data)
		if err := crl.CheckSignature(anchors); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(crl.DER(), w.read("crl.der")) || !crl.Current(time.Now()) {
			t.Error("other bytes or dates")
		}
		_, err := NewVerifier(0).Verify(&Input{Leaf: leaf, Anchors: anchors, CRLs: []*CRL{crl}, Now: time.Now()})
		wantError(t, err, Revoked, msgRevoked, "reason superseded")
	}
	// Without a number and extensions openssl writes a version 1 list.
	v1 := strings.NewReplacer("crlnumber = number\n", "", "crl_extensions = crl_ext\n", "").Replace(ca)
	if err := os.WriteFile(filepath.Join(w.dir, "v1cnf"), []byte(v1), 0o600); err != nil {
		t.Fatal(err)
	}
	w.run("ca -config v1cnf -name ca_db -cert ca.pem -keyfile ca.key -gencrl -out v1.pem")
	old := parseCRLForTest(t, w.read("v1.pem"))
	if old.Number() != nil || old.Len() != 1 {
		t.Errorf("version 1 list: number %v, %d entries", old.Number(), old.Len())
	}
	if err := old.CheckSignature(anchors); err != nil {
		t.Error(err)
	}
	w.run("ca -config cacnf -name ca_db -cert ca.pem -keyfile ca.key -gencrl -out weak.pem -md sha1")
	_, err = ParseCRL(w.read("weak.pem"))
	wantError(t, err, Weak, msgBadCRL, "ECDSA-SHA1")
	// RSA with PSS: the parameters decide the hash.
	w.run("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 30 -config cnf -extensions ca")
	w.run("ca -config cacnf -name ca_db -cert ca.pem -keyfile ca.key -gencrl -out pss.pem -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest")
	if anchors, err = ParseAnchors(string(w.read("ca.pem"))); err != nil {
		t.Fatal(err)
	}
	if err := parseCRLForTest(t, w.read("pss.pem")).CheckSignature(anchors); err != nil {
		t.Error(err)
	}
}
