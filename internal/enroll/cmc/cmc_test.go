package cmc

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/enroll/cmctest"
	"github.com/rolecall/rolecall/internal/enroll/hresult"
)

var rsaKeys = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func rsaKey(t testing.TB) *rsa.PrivateKey {
	k, err := rsaKeys()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func ecKey(t testing.TB) *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func certificate(t testing.TB, name string, key crypto.Signer, parent *x509.Certificate, parentKey crypto.Signer) *x509.Certificate {
	t.Helper()
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		BasicConstraintsValid: true, SubjectKeyId: cmctest.KeyID(t, key.Public()),
	}
	if parent == nil {
		parent, parentKey, tmpl.IsCA = tmpl, key, true
		tmpl.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, key.Public(), parentKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

var templateOID = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 21, 8, 1, 2, 3}

// TestForms reads each form that clients send.
func TestForms(t *testing.T) {
	key, old := rsaKey(t), ecKey(t)
	cert := certificate(t, "old", old, nil, nil)
	info := []pkix.Extension{cmctest.TemplateInfo(t, templateOID, 100, 3)}
	windows := cmctest.Request{Key: key, Extensions: info, Breaks: true}.DER(t)
	renewal := cmctest.Request{Key: key, Renews: cert.Raw, Extensions: info}.DER(t)
	own, previous := cmctest.Signer{Key: key}, cmctest.Signer{Key: old, Certificate: cert}
	for _, tc := range []struct {
		name, der, form string
		part            int64
		hash            crypto.Hash
		renews          bool
	}{
		{"PKCS #10", string(cmctest.Request{Key: key, Extensions: info}.DER(t)), "pkcs10", 1, crypto.SHA256, false},
		{"renewal in PKCS #7", string(cmctest.Sign(t, cmctest.TypeData, renewal, previous)), "pkcs7", 1, crypto.SHA256, true},
		{"renewal in PKCS #7 without signed attributes", string(cmctest.Sign(t, cmctest.TypeData, renewal, cmctest.Signer{Key: old, Certificate: cert, NoAttributes: true})), "pkcs7", 1, crypto.SHA256, true},
		{"Windows: CMC, own key by identifier, PKCS #10 not signed", string(cmctest.Sign(t, cmctest.TypePKIData, cmctest.PKIData(t, windows, 7, ""), own)), "cmc", 7, crypto.SHA256, false},
		{"CMC with SHA-512", string(cmctest.Sign(t, cmctest.TypePKIData, cmctest.PKIData(t, windows, 7, ""), cmctest.Signer{Key: key, Hash: crypto.SHA512})), "cmc", 7, crypto.SHA512, false},
		{"CMC with rsaEncryption as the algorithm", string(cmctest.Sign(t, cmctest.TypePKIData, cmctest.PKIData(t, windows, 7, ""), cmctest.Signer{Key: key, KeyKindOnly: true})), "cmc", 7, crypto.SHA256, false},
		{"renewal in CMC, both keys", string(cmctest.Sign(t, cmctest.TypePKIData, cmctest.PKIData(t, renewal, 1, ""), own, previous)), "cmc", 1, crypto.SHA256, true},
		{"renewal in CMC, old key alone", string(cmctest.Sign(t, cmctest.TypePKIData, cmctest.PKIData(t, renewal, 1, ""), previous)), "cmc", 1, crypto.SHA256, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, err := Parse([]byte(tc.der), Options{})
			if err != nil {
				t.Fatal(err)
			}
			if r.Form != tc.form || r.BodyPartID != tc.part || r.Hash != tc.hash || (r.Renews != nil) != tc.renews || r.TemplateOID != templateOID.String() {
				t.Errorf("got %s, part %d, %s, renews %v, template %s", r.Form, r.BodyPartID, r.Hash, r.Renews != nil, r.TemplateOID)
			}
			if !key.PublicKey.Equal(r.CSR.Request().PublicKey) {
				t.Error("the request has another key")
			}
		})
	}
}

// TestTemplateNames reads the template wherever clients write it, and prefers what the key has signed.
func TestTemplateNames(t *testing.T) {
	key := ecKey(t)
	plain := cmctest.Request{Key: key}.DER(t)
	own := cmctest.Signer{Key: key}
	for name, der := range map[string][]byte{
		"extension":    cmctest.Request{Key: key, Extensions: []pkix.Extension{cmctest.TemplateName(t, "Müller")}}.DER(t),
		"attribute":    cmctest.Request{Key: key, Pairs: [][2]string{{"other", "x"}, {"CertificateTemplate", "Müller"}}}.DER(t),
		"registration": cmctest.Sign(t, cmctest.TypePKIData, cmctest.PKIData(t, plain, 1, "a=b&certificatetemplate=M%C3%BCller&"), own),
		"extension over registration": cmctest.Sign(t, cmctest.TypePKIData,
			cmctest.PKIData(t, cmctest.Request{Key: key, Extensions: []pkix.Extension{cmctest.TemplateName(t, "Müller")}}.DER(t), 1, "CertificateTemplate=Other"), own),
	} {
		r, err := Parse(der, Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if r.TemplateName != "Müller" {
			t.Errorf("%s: template %q", name, r.TemplateName)
		}
	}
}

func TestRefused(t *testing.T) {
	key, other, old := ecKey(t), ecKey(t), ecKey(t)
	cert, second := certificate(t, "old", old, nil, nil), certificate(t, "second", other, nil, nil)
	plain := cmctest.Request{Key: key}.DER(t)
	data := cmctest.PKIData(t, plain, 1, "")
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	renewal := cmctest.Request{Key: key, Renews: cert.Raw}.DER(t)
	for name, tc := range map[string]struct {
		der  []byte
		want hresult.Code
	}{
		"empty":                             {nil, hresult.InvalidData},
		"trailing byte":                     {append(bytes.Clone(plain), 0), hresult.InvalidData},
		"too large":                         {make([]byte, MaxBytes+1), hresult.InvalidData},
		"PKCS #10 of another key":           {cmctest.Request{Key: key, Breaks: true}.DER(t), hresult.BadSignature},
		"PKCS #10 with SHA-1":               {cmctest.Request{Key: key, SHA1: true}.DER(t), hresult.WeakKey},
		"RSA 1024":                          {cmctest.Request{Key: weak}.DER(t), hresult.KeyLength},
		"CMC without signers":               {cmctest.Sign(t, cmctest.TypePKIData, data), hresult.BadSignature},
		"CMC by another key":                {cmctest.Sign(t, cmctest.TypePKIData, data, cmctest.Signer{Key: other}), hresult.Signature},
		"CMC, digest of other content":      {cmctest.Sign(t, cmctest.TypePKIData, data, cmctest.Signer{Key: key, WrongDigest: true}), hresult.BadSignature},
		"CMC, attribute of another type":    {cmctest.Sign(t, cmctest.TypePKIData, data, cmctest.Signer{Key: key, WrongType: true}), hresult.BadSignature},
		"CMC without signed attributes":     {cmctest.Sign(t, cmctest.TypePKIData, data, cmctest.Signer{Key: key, NoAttributes: true}), hresult.BadSignature},
		"CMC with SHA-1":                    {cmctest.Sign(t, cmctest.TypePKIData, data, cmctest.Signer{Key: key, Hash: crypto.SHA1}), hresult.WeakKey},
		"one good and one foreign signer":   {cmctest.Sign(t, cmctest.TypePKIData, data, cmctest.Signer{Key: key}, cmctest.Signer{Key: other}), hresult.Signature},
		"certificate with another's key":    {cmctest.Sign(t, cmctest.TypePKIData, data, cmctest.Signer{Key: other, Certificate: cert}), hresult.BadSignature},
		"old key alone, no possession":      {cmctest.Sign(t, cmctest.TypePKIData, cmctest.PKIData(t, cmctest.Request{Key: key, Breaks: true, Renews: cert.Raw}.DER(t), 1, ""), cmctest.Signer{Key: old, Certificate: cert}), hresult.BadSignature},
		"two certificates":                  {cmctest.Sign(t, cmctest.TypePKIData, data, cmctest.Signer{Key: key}, cmctest.Signer{Key: old, Certificate: cert}, cmctest.Signer{Key: other, Certificate: second}), hresult.TooManySigners},
		"renewal not signed by the old":     {renewal, hresult.BadRenewal},
		"renewal signed by another":         {cmctest.Sign(t, cmctest.TypeData, renewal, cmctest.Signer{Key: other, Certificate: second}), hresult.BadRenewal},
		"renewal of rubbish":                {cmctest.Request{Key: key, Renews: []byte{0x30, 1, 0}}.DER(t), hresult.BadRenewal},
		"another content type":              {cmctest.Sign(t, asn1.ObjectIdentifier{1, 2, 3}, plain, cmctest.Signer{Key: key}), hresult.InvalidData},
		"body part number out of range":     {cmctest.Sign(t, cmctest.TypePKIData, cmctest.PKIData(t, plain, 1<<33, ""), cmctest.Signer{Key: key}), hresult.InvalidData},
		"no request in the PKIData":         {cmctest.Sign(t, cmctest.TypePKIData, []byte{0x30, 0}, cmctest.Signer{Key: key}), hresult.InvalidData},
		"five signatures":                   {cmctest.Sign(t, cmctest.TypePKIData, data, cmctest.Signer{Key: key}, cmctest.Signer{Key: key}, cmctest.Signer{Key: key}, cmctest.Signer{Key: key}, cmctest.Signer{Key: key}), hresult.InvalidData},
		"template extension that is none":   {cmctest.Request{Key: key, Extensions: []pkix.Extension{{Id: oidTemplateInfo(), Value: []byte{5, 0}}}}.DER(t), hresult.InvalidData},
		"a signature of the inner CSR only": {cmctest.Sign(t, cmctest.TypePKIData, data, cmctest.Signer{Key: other, Certificate: second}, cmctest.Signer{Key: key, WrongDigest: true}), hresult.BadSignature},
	} {
		r, err := Parse(tc.der, Options{})
		if e := hresult.Of(err); e == nil || e.Code != tc.want {
			t.Errorf("%s: %v (%+v), want %s", name, err, r, tc.want)
		}
	}
}

func TestSHA1BehindASwitch(t *testing.T) {
	key := rsaKey(t)
	for _, der := range [][]byte{
		cmctest.Request{Key: key, SHA1: true}.DER(t),
		cmctest.Sign(t, cmctest.TypePKIData, cmctest.PKIData(t, cmctest.Request{Key: key, Breaks: true}.DER(t), 1, ""), cmctest.Signer{Key: key, Hash: crypto.SHA1}),
	} {
		if r, err := Parse(der, Options{AllowSHA1: true}); err != nil || r.Hash != crypto.SHA1 {
			t.Errorf("allowed: %v", err)
		}
		if _, err := Parse(der, Options{}); hresult.Of(err) == nil || hresult.Of(err).Code != hresult.WeakKey {
			t.Errorf("not allowed: %v", err)
		}
	}
}

// keySigner signs responses as a CA does.
type keySigner struct{ crypto.Signer }

func (k keySigner) SignAttributes(attributes []byte) ([]byte, error) {
	h := crypto.SHA256.New()
	h.Write(attributes)
	return k.Sign(rand.Reader, h.Sum(nil), crypto.SHA256)
}

// TestResponseVerifies has OpenSSL check the response and the chain message.
func TestResponseVerifies(t *testing.T) {
	for name, caKey := range map[string]crypto.Signer{"RSA": rsaKey(t), "ECDSA": ecKey(t)} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			ca := certificate(t, "ca", caKey, nil, nil)
			leaf := certificate(t, "leaf", ecKey(t), ca, caKey)
			der, err := Respond(keySigner{caKey}, Response{BodyPartID: 4711, Text: "Issued", Leaf: leaf, Chain: []*x509.Certificate{ca}})
			if err != nil {
				t.Fatal(err)
			}
			file := func(name string, data []byte) string {
				path := filepath.Join(dir, name)
				if err := os.WriteFile(path, data, 0o600); err != nil {
					t.Fatal(err)
				}
				return path
			}
			root := file("ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw}))
			content := filepath.Join(dir, "content")
			run(t, "cms", "-verify", "-binary", "-inform", "DER", "-in", file("r.der", der), "-CAfile", root, "-purpose", "any", "-out", content)
			if text := run(t, "asn1parse", "-inform", "DER", "-in", content); !strings.Contains(text, "1267") || !strings.Contains(text, "Issued") { // 4711 in hex
				t.Errorf("the content lacks body part or disposition:\n%s", text)
			}
			if text := run(t, "cms", "-cmsout", "-print", "-inform", "DER", "-in", filepath.Join(dir, "r.der")); !strings.Contains(text, "1.3.6.1.5.5.7.12.3") && !strings.Contains(text, "id-cct-PKIResponse") {
				t.Errorf("the content type is not PKIResponse:\n%s", text)
			}
			chain, err := Chain([]*x509.Certificate{ca, leaf})
			if err != nil {
				t.Fatal(err)
			}
			if text := run(t, "pkcs7", "-print_certs", "-inform", "DER", "-in", file("c.der", chain)); strings.Count(text, "BEGIN CERTIFICATE") != 2 {
				t.Errorf("the chain message:\n%s", text)
			}
		})
	}
}

// TestOpenSSLRequest reads a CMC-free request of another implementation: PKCS #10 in a SignedData made by OpenSSL.
func TestOpenSSLRequest(t *testing.T) {
	dir := t.TempDir()
	old := rsaKey(t)
	cert := certificate(t, "old", old, nil, nil)
	key := ecKey(t)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(old)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"csr.der": cmctest.Request{Key: key, Renews: cert.Raw}.DER(t),
		"crt.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}),
		"key.pem": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, more := range [][]string{nil, {"-md", "sha384"}, {"-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_pss_saltlen:digest"}, {"-keyid"}} {
		args := []string{"cms", "-sign", "-binary", "-nodetach", "-outform", "DER", "-in", filepath.Join(dir, "csr.der"), "-signer", filepath.Join(dir, "crt.pem"), "-inkey", filepath.Join(dir, "key.pem"), "-out", filepath.Join(dir, "p7.der")}
		run(t, append(args, more...)...)
		der, err := os.ReadFile(filepath.Join(dir, "p7.der"))
		if err != nil {
			t.Fatal(err)
		}
		if r, err := Parse(der, Options{}); err != nil || r.Renews == nil || !r.Renews.Equal(cert) {
			t.Errorf("%v: %v", more, err)
		}
	}
}

func run(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command("openssl", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func FuzzParse(f *testing.F) {
	key, old := ecKey(f), ecKey(f)
	cert := certificate(f, "old", old, nil, nil)
	renewal := cmctest.Request{Key: key, Renews: cert.Raw, Pairs: [][2]string{{"CertificateTemplate", "a"}}, Extensions: []pkix.Extension{cmctest.TemplateInfo(f, templateOID, 1, 2), cmctest.TemplateName(f, "x")}}.DER(f)
	f.Add(renewal)
	f.Add(cmctest.Sign(f, cmctest.TypeData, renewal, cmctest.Signer{Key: old, Certificate: cert}))
	f.Add(cmctest.Sign(f, cmctest.TypePKIData, cmctest.PKIData(f, renewal, 1, "CertificateTemplate=a"), cmctest.Signer{Key: key}, cmctest.Signer{Key: old, Certificate: cert}))
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		f.Fatal(err)
	}
	claims := cmctest.Request{Key: rsaKey, Breaks: true, Extensions: []pkix.Extension{cmctest.TemplateInfo(f, templateOID, 1, 2), cmctest.UPN(f, "a@b"), cmctest.SID(f, "S-1-5-21-1")}}.DER(f)
	f.Add(cmctest.Sign(f, cmctest.TypePKIData, cmctest.PKIData(f, claims, 1<<32-1, ""), cmctest.Signer{Key: rsaKey, KeyKindOnly: true}))
	f.Fuzz(func(t *testing.T, der []byte) {
		r, err := Parse(der, Options{})
		if err != nil {
			if hresult.Of(err) == nil {
				t.Fatalf("an error without a code: %v", err)
			}
			return
		}
		if r.CSR == nil || r.Hash.Size() < 32 {
			t.Fatalf("accepted without a request or a strong proof: %+v", r)
		}
	})
}

// TestResponseContent is the golden PKIResponse, by the sample of MS-WSTEP 4.1.2.2: the status of the client's body part, the
// hash of the certificate as an attribute of it, and two empty lists.
func TestResponseContent(t *testing.T) {
	r := Response{BodyPartID: 4711, Text: "Issued", Leaf: &x509.Certificate{Raw: []byte("leaf")}}
	got, err := build(r.addContent)
	if err != nil {
		t.Fatal(err)
	}
	tlv := func(tag string, parts ...string) string {
		body := strings.Join(parts, "")
		return fmt.Sprintf("%s%02x%s", tag, len(body)/2, body)
	}
	const part = "300402021267" // the list of body part 4711
	want := tlv("30",
		tlv("30",
			tlv("30", "020101", "06082b06010505070701", tlv("31", tlv("30", "020100", part, tlv("0c", "497373756564")))), // id-cmc-statusInfo: success, Issued
			tlv("30", "020102", "060a2b0601040182370a0a01", tlv("31", tlv("30", "020100", part, // szOID_CMC_ADD_ATTRIBUTES
				tlv("31", tlv("30", "06092b0601040182371511", tlv("31", tlv("04", "98798241748efaccb230386437b7873a478f5bd4")))))))), // szOID_ISSUED_CERT_98798241748efaccb230386437b7873a478f5bd4: SHA-1 of "leaf"
		"3000", "3000")
	if fmt.Sprintf("%x", got) != want {
		t.Errorf("got\n%x\nwant\n%s", got, want)
	}
}
