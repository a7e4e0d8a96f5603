package sigv4

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"io"
	"net/http"
	"testing"
	"time"
)

// ratio reports how many times as long as floor one operation took.
func ratio(b *testing.B, floor func()) {
	b.Helper()
	b.StopTimer()
	mine := float64(b.Elapsed()) / float64(b.N)
	n := 0
	start := time.Now()
	for n == 0 || time.Since(start) < 50*time.Millisecond {
		for range 20 {
			floor()
		}
		n += 20
	}
	b.ReportMetric(mine/(float64(time.Since(start))/float64(n)), "x-floor")
}

func typicalRequest(b *testing.B, in *SignInput) *http.Request {
	b.Helper()
	r := rawRequest("POST", "127.0.0.1:8443", "/", "Content-Type:application/x-www-form-urlencoded; charset=utf-8",
		"User-Agent:aws-cli/2", "Accept-Encoding:identity", "Amz-Sdk-Invocation-Id:00000000-0000-0000-0000-000000000000")
	r.ContentLength = 43
	if err := Sign(r, in); err != nil {
		b.Fatal(err)
	}
	return r
}

// BenchmarkVerify is the check of a signed GetCallerIdentity with a derived key. Its floor is two SHA-256 passes over a
// canonical request's worth of bytes and one HMAC.
func BenchmarkVerify(b *testing.B) {
	in := input()
	in.SessionToken = suiteToken
	r := typicalRequest(b, in)
	c, err := Parse(r)
	if err != nil {
		b.Fatal(err)
	}
	key, k := inputKey(in), emptyCheck()
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Verify(r, key, k); err != nil {
			b.Fatal(err)
		}
	}
	canonicalSize, sts := make([]byte, 900), make([]byte, 140)
	ratio(b, func() {
		sha256.Sum256(canonicalSize)
		m := hmac.New(sha256.New, key[:])
		m.Write(sts)
		m.Sum(nil)
	})
}

func BenchmarkParse(b *testing.B) {
	r := typicalRequest(b, input())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDeriveKey(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		DeriveKey(suiteSecret, "20261122", "us-east-1", "iam")
	}
}

func BenchmarkParseAndVerifyPresigned(b *testing.B) {
	in := input()
	in.SessionToken = suiteToken
	r := presigned(b, in)
	key, k := inputKey(in), emptyCheck()
	b.ReportAllocs()
	for b.Loop() {
		c, err := Parse(r)
		if err != nil {
			b.Fatal(err)
		}
		if err := c.Verify(r, key, k); err != nil {
			b.Fatal(err)
		}
	}
}

// The floor of VerifyX509 is one raw verification with the same key.
func benchmarkX509(b *testing.B, key crypto.Signer) {
	r := signedX509(b, key, selfSigned(b, key))
	k, pub := x509Check(), key.Public()
	b.ReportAllocs()
	for b.Loop() {
		c, err := Parse(r)
		if err != nil {
			b.Fatal(err)
		}
		if err := c.VerifyX509(r, pub, k); err != nil {
			b.Fatal(err)
		}
	}
	digest := sha256.Sum256([]byte("x"))
	sig, err := key.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		b.Fatal(err)
	}
	ratio(b, func() {
		switch p := pub.(type) {
		case *rsa.PublicKey:
			err = rsa.VerifyPKCS1v15(p, crypto.SHA256, digest[:], sig)
		case *ecdsa.PublicKey:
			if !ecdsa.VerifyASN1(p, digest[:], sig) {
				b.Fatal("raw verification failed")
			}
		}
		if err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkVerifyX509RSA2048(b *testing.B) { benchmarkX509(b, rsaKey(b, 2048)) }
func BenchmarkVerifyX509P256(b *testing.B)    { benchmarkX509(b, ecKey(b, elliptic.P256())) }

// BenchmarkRaw are the floors by themselves, with their allocations.
func BenchmarkRaw(b *testing.B) {
	digest := sha256.Sum256([]byte("x"))
	b.Run("P256", func(b *testing.B) {
		key := ecKey(b, elliptic.P256())
		sig, err := key.Sign(nil, digest[:], crypto.SHA256)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			ecdsa.VerifyASN1(&key.PublicKey, digest[:], sig)
		}
	})
	b.Run("RSA2048", func(b *testing.B) {
		key := rsaKey(b, 2048)
		sig, err := key.Sign(nil, digest[:], crypto.SHA256)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if err := rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, digest[:], sig); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkStreamReader(b *testing.B) {
	data := make([]byte, 4<<20)
	r, body := streamed(b, StreamingSigned, "", data, 0)
	c, err := Parse(r)
	if err != nil {
		b.Fatal(err)
	}
	key := DeriveKey(suiteSecret, c.Date, c.Region, c.Service)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		r.Body = io.NopCloser(bytes.NewReader(body))
		s, err := c.OpenStream(r, key, nil)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, s); err != nil {
			b.Fatal(err)
		}
	}
	ratio(b, func() { sha256.Sum256(data) })
}
