package certificate

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"
)

func issue(t testing.TB, key crypto.Signer, serial *big.Int) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "workload"}, NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"host.example"}, KeyUsage: x509.KeyUsageDigitalSignature,
	}, &x509.Certificate{Subject: pkix.Name{CommonName: "CA"}}, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func keys(t testing.TB) map[string]crypto.Signer {
	t.Helper()
	made := map[string]crypto.Signer{}
	for name, curve := range map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		made[name] = key
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	made["RSA"] = key
	return made
}

func encode(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// agree compares what is read with what crypto/x509 reads.
func agree(t *testing.T, text []byte) bool {
	t.Helper()
	d, ok := read(text)
	if !ok {
		return false
	}
	block, _ := pem.Decode(text)
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return true // something that is passed over here
	}
	want := map[x509.PublicKeyAlgorithm]string{x509.RSA: "RSA", x509.ECDSA: "EC"}[c.PublicKeyAlgorithm]
	if d.KeyType != want || d.Serial.Cmp(c.SerialNumber) != 0 || !bytes.Equal(d.DER, c.Raw) {
		t.Fatalf("%s, serial %s; crypto/x509 reads %v, serial %s", d.KeyType, d.Serial, c.PublicKeyAlgorithm, c.SerialNumber)
	}
	return true
}

func TestReadsWhatX509Reads(t *testing.T) {
	serials := []*big.Int{big.NewInt(1), big.NewInt(127), big.NewInt(128), new(big.Int).Lsh(big.NewInt(1), 158)}
	for name, key := range keys(t) {
		for _, serial := range serials {
			if !agree(t, encode(issue(t, key, serial))) {
				t.Errorf("%s, serial %s: not read", name, serial)
			}
		}
	}
}

func TestJSON(t *testing.T) {
	key := keys(t)["P-256"]
	d, ok := read(encode(issue(t, key, big.NewInt(4711))))
	if !ok {
		t.Fatal("not read")
	}
	d.DER = []byte{0xfb, 0xff}
	const want = `{"keyType":"EC","certificateData":"+/8=","serialNumber":"4711","supportedAlgorithms":["ECSHA256","ECSHA384","ECSHA512"]}`
	if got := string(d.JSON()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	none := Data{Serial: big.NewInt(1)}
	if got := string(none.JSON()); got != `{"keyType":"","certificateData":"","serialNumber":"1","supportedAlgorithms":[]}` {
		t.Errorf("an unknown key: %s", got)
	}
}

// TestLeftToTheProgram gives files about which more has to be said than is read here.
func TestLeftToTheProgram(t *testing.T) {
	der := issue(t, keys(t)["P-256"], big.NewInt(4711))
	one := encode(der)
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	change := func(old, new string) []byte {
		changed := bytes.Replace(der, []byte(old), []byte(new), 1)
		if bytes.Equal(changed, der) {
			t.Fatalf("%x is not in the certificate", old)
		}
		return encode(changed)
	}
	for name, text := range map[string][]byte{
		"nothing":              nil,
		"DER":                  der,
		"two certificates":     append(bytes.Clone(one), one...),
		"text in front":        append([]byte("subject: x\n"), one...),
		"text behind":          append(bytes.Clone(one), "more"...),
		"headers":              bytes.Replace(one, []byte("-----\n"), []byte("-----\nComment: x\n\n"), 1),
		"another type":         bytes.ReplaceAll(one, []byte("CERTIFICATE"), []byte("PUBLIC KEY")),
		"cut short":            encode(der[:len(der)-1]),
		"a byte too many":      encode(append(bytes.Clone(der), 0)),
		"Ed25519":              encode(issue(t, edwards, big.NewInt(1))),
		"version 2":            change("\xa0\x03\x02\x01\x02", "\xa0\x03\x02\x01\x01"),
		"negative serial":      change("\x02\x02\x12\x67", "\x02\x02\x92\x67"),
		"padded serial":        change("\x02\x02\x12\x67", "\x02\x02\x00\x67"),
		"no serial":            change("\x02\x02\x12\x67", "\x04\x02\x12\x67"),
		"indefinite length":    encode([]byte{0x30, 0x80, 0, 0}),
		"length in three form": encode(append([]byte{0x30, 0x83, 0, 0, 0}, der...)),
	} {
		if d, ok := read(text); ok {
			t.Errorf("%s: read as %+v", name, d)
		}
	}
}

func TestIsPath(t *testing.T) {
	for name, want := range map[string]bool{"a.pem": true, "./-": true, "-": false, "env:CERT": false, "pkcs11:token=x": false, "fd:3": false} {
		if isPath(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, key := range keys(f) {
		f.Add(issue(f, key, big.NewInt(4711)))
	}
	f.Fuzz(func(t *testing.T, der []byte) { agree(t, encode(der)) })
}
