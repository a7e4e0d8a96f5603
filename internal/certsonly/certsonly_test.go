package certsonly

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"testing"
	"time"
)

func sample(t testing.TB) []byte {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	message, err := Encode([]*x509.Certificate{c, c})
	if err != nil {
		t.Fatal(err)
	}
	return message
}

func TestRoundTrip(t *testing.T) {
	message := sample(t)
	if list, err := Decode(message); err != nil || len(list) != 2 {
		t.Errorf("%d certificates, %v", len(list), err)
	}
	for _, bad := range [][]byte{nil, message[:len(message)-1], append(message[:len(message):len(message)], 0), make([]byte, MaxBytes+1)} {
		if _, err := Decode(bad); err == nil {
			t.Errorf("%d bytes are taken", len(bad))
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(sample(f))
	f.Add([]byte{0x30, 0})
	f.Fuzz(func(t *testing.T, der []byte) {
		list, err := Decode(der)
		if (err == nil) != (len(list) > 0) {
			t.Errorf("%d certificates and %v", len(list), err)
		}
	})
}
