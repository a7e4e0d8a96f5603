package est

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"testing"

	"github.com/rolecall/rolecall/internal/authority"
)

// withChallenge is a request with a challenge password.
func withChallenge(t testing.TB, text string) []byte {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: "host1.example.com"},
		//lint:ignore SA1019 the only way to have crypto/x509 write an attribute; its value is odd, which is all the same here
		Attributes: []pkix.AttributeTypeAndValueSET{{Type: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 7}, Value: [][]pkix.AttributeTypeAndValue{{{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: text}}}}},
	}, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// TestChallenge: a request that is bound to something else than this connection is refused.
func TestChallenge(t *testing.T) {
	template, err := authority.FindTemplate("")
	if err != nil {
		t.Fatal(err)
	}
	var r *refusal
	if _, err := parseRequest(withChallenge(t, "x"), template, nil); !errors.As(err, &r) || r.status != 400 {
		t.Errorf("a challenge password on a connection without TLS: %v", err)
	}
}

func FuzzRequest(f *testing.F) {
	template, err := authority.FindTemplate("")
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(base64.StdEncoding.EncodeToString(withChallenge(f, "x"))))
	f.Add([]byte("AAAA"))
	f.Fuzz(func(t *testing.T, body []byte) {
		der, err := decode(body)
		if err != nil {
			return
		}
		if req, err := parseRequest(der, template, nil); err == nil && req.names == nil {
			t.Error("a request without names")
		}
	})
}
