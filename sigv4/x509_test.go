package sigv4

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"
)

var x509Now = time.Date(2026, 5, 24, 12, 0, 0, 0, time.UTC)

// selfSigned is a certificate over key with a 159-bit serial number.
func selfSigned(t testing.TB, key crypto.Signer) *x509.Certificate {
	t.Helper()
	tmpl := &x509.Certificate{SerialNumber: new(big.Int).Lsh(big.NewInt(0x6f), 152), Subject: pkix.Name{CommonName: "w"},
		NotBefore: x509Now.Add(-time.Hour), NotAfter: x509Now.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func ecKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func rsaKey(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

const sessionBody = `{"durationSeconds":3600}`

func x509Request(headers ...string) *http.Request {
	return rawRequest("POST", "127.0.0.1:8443", "/sessions?roleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr&profileArn=p", headers...)
}

func signedX509(t testing.TB, key crypto.Signer, cert *x509.Certificate, chain ...*x509.Certificate) *http.Request {
	t.Helper()
	r := x509Request("Content-Type:application/json", "Amz-Sdk-Request:attempt=1; max=3", "User-Agent:x")
	err := SignX509(r, &SignX509Input{Signer: key, Leaf: cert, Chain: chain, Region: "eu-central-1", Time: x509Now,
		Body: []byte(sessionBody)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func x509Check() *Check {
	return &Check{Now: x509Now, BodySHA256: sha256.Sum256([]byte(sessionBody)), Path: "/sessions"}
}

func verifyX509(r *http.Request, pub crypto.PublicKey, k *Check) error {
	c, err := Parse(r)
	if err != nil {
		return err
	}
	return c.VerifyX509(r, pub, k)
}

func TestX509EveryKeyType(t *testing.T) {
	for name, key := range map[string]crypto.Signer{
		"RSA-2048": rsaKey(t, 2048), "RSA-3072": rsaKey(t, 3072),
		"P-256": ecKey(t, elliptic.P256()), "P-384": ecKey(t, elliptic.P384()), "P-521": ecKey(t, elliptic.P521()),
	} {
		t.Run(name, func(t *testing.T) {
			cert := selfSigned(t, key)
			r := signedX509(t, key, cert, cert, cert)
			c, err := Parse(r)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.VerifyX509(r, key.Public(), x509Check()); err != nil {
				t.Errorf("VerifyX509: %v", err)
			}
			if c.KeyID != cert.SerialNumber.String() || c.Service != "rolesanywhere" || !c.X509() {
				t.Errorf("claims %+v", c)
			}
			const names = "amz-sdk-request;content-type;host;x-amz-date;x-amz-x509;x-amz-x509-chain"
			if got := strings.Join(c.SignedHeaders, ";"); got != names {
				t.Errorf("signed headers %s, want %s", got, names)
			}
			wantReason(t, c.Verify(r, Key{}, x509Check()), BadAlgorithm)
			k := x509Check()
			k.BodySHA256[31] ^= 1
			wantReason(t, c.VerifyX509(r, key.Public(), k), Mismatch)
			r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "profileArn=p", "profileArn=q", 1)
			wantReason(t, c.VerifyX509(r, key.Public(), x509Check()), Mismatch)
		})
	}
}

// resignX509 signs the request's own form with any label, host, path and list of headers: other clients' variants.
func resignX509(t testing.TB, r *http.Request, key crypto.Signer, label, host, path, names, body string) {
	t.Helper()
	form := canonical{path: path, query: r.URL.RawQuery, host: host, names: strings.Split(names, ";"), hash: sha256.Sum256([]byte(body))}
	s := new(scratch)
	digest, err := s.digest(r, &form)
	if err != nil {
		t.Fatal(err)
	}
	sc := scope{x509Now.Format("20060102"), "eu-central-1", "rolesanywhere"}
	sum := sha256.Sum256(s.stringToSign(label, x509Now.Format(isoBasic), &sc, digest))
	sig, err := key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", authorization(label, "123456789", &sc, form.names, hex.EncodeToString(sig)))
}

// The wire variants of clients in the field: the fixed AWS host signed, a label by the certificate's own hash, few
// signed headers, an empty body, a prefix before /sessions.
func TestX509ClientVariants(t *testing.T) {
	const awsHost = "rolesanywhere.eu-central-1.amazonaws.com"
	rsa2048, p256 := rsaKey(t, 2048), ecKey(t, elliptic.P256())
	for _, c := range []struct {
		name, label, host, path, names, body string
		key                                  crypto.Signer
		want                                 Reason
	}{
		{"python client", "AWS4-X509-RSA-SHA384", awsHost, "/sessions", "content-type;host;x-amz-date;x-amz-x509", "{}", rsa2048, ""},
		{"SHA512 label", "AWS4-X509-ECDSA-SHA512", awsHost, "/sessions", "host;x-amz-date;x-amz-x509", "{}", p256, ""},
		{"minimal headers, empty body", AlgorithmX509RSA, awsHost, "/sessions", "host;x-amz-date;x-amz-x509", "", rsa2048, ""},
		{"received host", AlgorithmX509RSA, "127.0.0.1:8443", "/sessions", "host;x-amz-date;x-amz-x509", "", rsa2048, ""},
		{"other host", AlgorithmX509RSA, "evil.example", "/sessions", "host;x-amz-date;x-amz-x509", "", rsa2048, Mismatch},
		{"other path", AlgorithmX509RSA, awsHost, "/prefix/sessions", "host;x-amz-date;x-amz-x509", "", rsa2048, Mismatch},
		{"certificate unsigned", AlgorithmX509RSA, awsHost, "/sessions", "host;x-amz-date", "", rsa2048, UnsignedHeader},
		{"host unsigned", AlgorithmX509RSA, awsHost, "/sessions", "x-amz-date;x-amz-x509", "", rsa2048, UnsignedHeader},
		{"date unsigned", AlgorithmX509RSA, awsHost, "/sessions", "host;x-amz-x509", "", rsa2048, UnsignedHeader},
		{"RSA label, EC key", AlgorithmX509RSA, awsHost, "/sessions", "host;x-amz-date;x-amz-x509", "", p256, BadAlgorithm},
		{"EC label, RSA key", AlgorithmX509ECDSA, awsHost, "/sessions", "host;x-amz-date;x-amz-x509", "", rsa2048, BadAlgorithm},
		{"SHA1 label", "AWS4-X509-RSA-SHA1", awsHost, "/sessions", "host;x-amz-date;x-amz-x509", "", rsa2048, BadAlgorithm},
		{"no hash in label", "AWS4-X509-RSA", awsHost, "/sessions", "host;x-amz-date;x-amz-x509", "", rsa2048, BadAlgorithm},
		{"ML-DSA label", "AWS4-X509-MLDSA", awsHost, "/sessions", "host;x-amz-date;x-amz-x509", "", rsa2048, BadAlgorithm},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := x509Request("Content-Type:application/json", "X-Amz-Date:"+x509Now.Format(isoBasic), "X-Amz-X509:AAAA")
			resignX509(t, r, c.key, c.label, c.host, c.path, c.names, c.body)
			k := x509Check()
			k.BodySHA256 = sha256.Sum256([]byte(c.body))
			k.AlternateHosts = []string{"rolesanywhere.us-east-1.amazonaws.com", awsHost}
			err := verifyX509(r, c.key.Public(), k)
			if c.want == "" && err != nil {
				t.Errorf("got %v, want success", err)
			}
			if c.want != "" {
				wantReason(t, err, c.want)
			}
		})
	}
}

func TestX509Refusals(t *testing.T) {
	key := ecKey(t, elliptic.P256())
	cert := selfSigned(t, key)
	edPub, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, pub := range map[string]crypto.PublicKey{"ed25519": edPub, "P-224": ecKey(t, elliptic.P224()).Public(), "nil": nil,
		"nil RSA": (*rsa.PublicKey)(nil), "nil EC": (*ecdsa.PublicKey)(nil),
		"huge RSA": &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 8192), E: 65537}} {
		c, err := Parse(signedX509(t, key, cert))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(name, "RSA") {
			c.Algorithm = AlgorithmX509RSA
		}
		e := wantReason(t, c.VerifyX509(signedX509(t, key, cert), pub, x509Check()), BadAlgorithm)
		if e.Detail == "" {
			t.Errorf("%s: no reason in words", name)
		}
	}
	other := ecKey(t, elliptic.P256())
	wantReason(t, verifyX509(signedX509(t, key, cert), other.Public(), x509Check()), Mismatch)

	for name, add := range map[string][2]string{
		"chain added":    {"X-Amz-X509-Chain", "AAAA"},
		"token added":    {"X-Amz-Security-Token", "t"},
		"anything added": {"x-amz-Foo", "1"},
	} {
		r := signedX509(t, key, cert)
		r.Header[add[0]] = []string{add[1]}
		k := x509Check()
		t.Run(name, func(t *testing.T) { wantReason(t, verifyX509(r, key.Public(), k), UnsignedHeader) })
	}
	r := signedX509(t, key, cert)
	r.Header.Add("X-Amz-X509", "AAAA")
	wantReason(t, verifyX509(r, key.Public(), x509Check()), Incomplete)
	r = signedX509(t, key, cert)
	r.Header.Del("X-Amz-X509")
	wantReason(t, verifyX509(r, key.Public(), x509Check()), Incomplete)
	r = signedX509(t, key, cert)
	r.Header.Set("Date", r.Header.Get("X-Amz-Date"))
	r.Header.Del("X-Amz-Date")
	wantReason(t, verifyX509(r, key.Public(), x509Check()), Incomplete)
	r = signedX509(t, key, cert)
	r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "Credential="+cert.SerialNumber.String(), "Credential=0x6f", 1))
	wantReason(t, verifyX509(r, key.Public(), x509Check()), Incomplete)
	r = signedX509(t, key, cert)
	k := x509Check()
	k.Now = k.Now.Add(6 * time.Minute)
	if e := wantReason(t, verifyX509(r, key.Public(), k), Expired); !strings.Contains(e.Detail, "6m0s behind") {
		t.Errorf("detail %q does not name the offset", e.Detail)
	}
	// An unsigned payload is not an option: the body holds the request.
	r = x509Request("X-Amz-Date:"+x509Now.Format(isoBasic), "X-Amz-X509:AAAA", "X-Amz-Content-Sha256:UNSIGNED-PAYLOAD")
	resignX509(t, r, key, AlgorithmX509ECDSA, r.Host, "/sessions", "host;x-amz-content-sha256;x-amz-date;x-amz-x509", "")
	k = x509Check()
	k.AllowUnsignedPayload = true
	wantReason(t, verifyX509(r, key.Public(), k), PayloadMismatch)

	in := &SignX509Input{Signer: other, Leaf: cert, Region: "r", Time: x509Now}
	wantReason(t, SignX509(x509Request(), in), BadAlgorithm)
	in.Signer = edKey
	wantReason(t, SignX509(x509Request(), in), BadAlgorithm)
}

// SignX509 signs "/sessions" under an endpoint with a path prefix, as the official client does.
func TestX509Prefix(t *testing.T) {
	key := ecKey(t, elliptic.P384())
	r := rawRequest("POST", "h", "/prefix/sessions")
	if err := SignX509(r, &SignX509Input{Signer: key, Leaf: selfSigned(t, key), Region: "r", Time: x509Now, Body: []byte(sessionBody)}); err != nil {
		t.Fatal(err)
	}
	if err := verifyX509(r, key.Public(), x509Check()); err != nil {
		t.Error(err)
	}
}
