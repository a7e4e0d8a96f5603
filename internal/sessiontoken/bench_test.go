package sessiontoken

import (
	"crypto/rand"
	"fmt"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/rolecall/rolecall/internal/keyring"
)

// BenchmarkFloor is the cipher alone, over as many bytes as the usual record has.
func BenchmarkFloor(b *testing.B) {
	a, err := chacha20poly1305.NewX(make([]byte, chacha20poly1305.KeySize))
	if err != nil {
		b.Fatal(err)
	}
	var nonce [chacha20poly1305.NonceSizeX]byte
	buf, out := make([]byte, 350), make([]byte, 0, 400)
	b.ReportAllocs()
	for b.Loop() {
		rand.Read(nonce[:])
		out = a.Seal(out[:0], nonce[:], buf, nil)
	}
}

func BenchmarkMint(b *testing.B) {
	for name, in := range benchSessions() {
		b.Run(name, func(b *testing.B) {
			s := New(keyring.Ephemeral())
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := s.Mint(testNow, in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkOpenCold(b *testing.B) {
	for name, in := range benchSessions() {
		b.Run(name, func(b *testing.B) {
			s := NewSize(keyring.Ephemeral(), 0)
			c := mint(b, s, in)
			b.ReportMetric(float64(len(c.SessionToken)), "token-chars")
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := s.Open(testNow, c.AccessKeyID, c.SessionToken); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkOpenCached(b *testing.B) {
	for name, in := range benchSessions() {
		b.Run(name, func(b *testing.B) {
			s := New(keyring.Ephemeral())
			c := mint(b, s, in)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, _, err := s.Open(testNow, c.AccessKeyID, c.SessionToken); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

func BenchmarkOpenInvalid(b *testing.B) {
	s, _ := newSealer(b)
	c := mint(b, s, certificateSession())
	bad := flip(c.SessionToken, 100)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := s.Open(testNow, c.AccessKeyID, bad); err != ErrInvalid {
			b.Fatal(err)
		}
	}
}

// BenchmarkMillionSessions opens a million distinct sessions each round and reports the heap that is left.
func BenchmarkMillionSessions(b *testing.B) {
	for b.Loop() {
		s := New(keyring.Ephemeral())
		in := certificateSession()
		for range 1_000_000 {
			c := mint(b, s, in)
			if _, _, err := s.Open(testNow, c.AccessKeyID, c.SessionToken); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(heap())/(1<<20), "heap-MiB")
		b.ReportMetric(float64(s.Cached()), "remembered")
	}
}

func benchSessions() map[string]*Session {
	large := certificateSession()
	large.SessionPolicy = `{"Version":"2012-10-17","Statement":[`
	for i := range 15 {
		large.SessionPolicy += fmt.Sprintf(`{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::bucket-%d/*"},`, i)
	}
	large.SessionPolicy += `{"Effect":"Deny","Action":"iam:*","Resource":"*"}]}`
	return map[string]*Session{"certificate": certificateSession(), "policy": large}
}
