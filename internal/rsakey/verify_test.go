package rsakey

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"math/big"
	mathrand "math/rand/v2"
	"sync"
	"testing"
)

func newKey(t testing.TB, bits int) (*rsa.PrivateKey, *Key) {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	k, err := New(&private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return private, k
}

func sign(t testing.TB, private *rsa.PrivateKey, digest []byte) []byte {
	t.Helper()
	sig, err := rsa.SignPKCS1v15(nil, private, crypto.SHA256, digest)
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

// agree checks a signature with both and returns the answer of the standard library.
func agree(t *testing.T, k *Key, digest, sig []byte) bool {
	t.Helper()
	want := rsa.VerifyPKCS1v15(k.public, crypto.SHA256, digest, sig) == nil
	if got := k.Verify(digest, sig); got != want {
		t.Fatalf("Verify = %v, crypto/rsa = %v: digest %x signature %x modulus %x", got, want, digest, sig, k.public.N)
	}
	return want
}

// raw is the signature of any encoded message.
func raw(private *rsa.PrivateKey, message []byte) []byte {
	m := new(big.Int).SetBytes(message)
	return m.Exp(m, private.D, private.N).FillBytes(make([]byte, private.Size()))
}

func TestAgreesWithStandardLibrary(t *testing.T) {
	for _, bits := range []int{2048, 2049, 2055, 3072, 4096} {
		private, k := newKey(t, bits)
		for range 4 {
			digest := sha256.Sum256([]byte(rand.Text()))
			sig := sign(t, private, digest[:])
			if !agree(t, k, digest[:], sig) {
				t.Fatal("the standard library refuses its own signature")
			}
			for range 64 {
				bad := bytes.Clone(sig)
				bad[mathrand.IntN(len(bad))] ^= 1 << mathrand.IntN(8)
				if agree(t, k, digest[:], bad) {
					t.Fatal("a tampered signature is accepted")
				}
			}
			digest[mathrand.IntN(len(digest))] ^= 1
			if agree(t, k, digest[:], sig) {
				t.Fatal("another digest is accepted")
			}
		}
	}
}

// TestEncodedMessages gives signatures whose encoded message is wrong in one place: what RSA leaves open, the padding must not.
func TestEncodedMessages(t *testing.T) {
	private, k := newKey(t, 2048)
	digest := sha256.Sum256([]byte("message"))
	right := append(bytes.Clone(k.prefix), digest[:]...)
	if !agree(t, k, digest[:], raw(private, right)) {
		t.Fatal("the right encoding is refused")
	}
	for i := 1; i < len(right); i++ {
		wrong := bytes.Clone(right)
		wrong[i] ^= 1 << mathrand.IntN(8)
		wrong[0] = 0
		if agree(t, k, digest[:], raw(private, wrong)) {
			t.Fatalf("byte %d of the encoding does not count", i)
		}
	}
	short := append([]byte{0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0}, append(bytes.Clone(hashPrefix), digest[:]...)...)
	garbage := append(bytes.Clone(short), bytes.Repeat([]byte{0x5a}, private.Size()-len(short))...) // Bleichenbacher 2006
	if agree(t, k, digest[:], raw(private, garbage)) {
		t.Fatal("a short padding with bytes after the digest is accepted")
	}
	plain := append([]byte{0, 1}, bytes.Repeat([]byte{0xff}, private.Size()-3-len(digest))...) // no DigestInfo
	if agree(t, k, digest[:], raw(private, append(append(plain, 0), digest[:]...))) {
		t.Fatal("a digest without its algorithm is accepted")
	}
}

func TestNumbersOutOfRange(t *testing.T) {
	private, k := newKey(t, 2048)
	digest := sha256.Sum256([]byte("message"))
	sig := sign(t, private, digest[:])
	over := new(big.Int).Add(new(big.Int).SetBytes(sig), private.N)
	cases := map[string][]byte{
		"nothing":         nil,
		"zero":            make([]byte, private.Size()),
		"the modulus":     private.N.Bytes(),
		"above it":        bytes.Repeat([]byte{0xff}, private.Size()),
		"a byte too long": append([]byte{0}, sig...),
		"a byte short":    sig[1:],
		"one":             append(make([]byte, private.Size()-1), 1),
	}
	if over.BitLen() <= 8*private.Size() {
		cases["one modulus more"] = over.FillBytes(make([]byte, private.Size()))
	}
	for name, sig := range cases {
		if agree(t, k, digest[:], sig) {
			t.Errorf("%s is accepted", name)
		}
	}
	for _, digest := range [][]byte{nil, digest[:31], append(digest[:], 0)} {
		if k.Verify(digest, sig) {
			t.Errorf("a digest of %d bytes is accepted", len(digest))
		}
	}
	if !agree(t, k, digest[:], sig) {
		t.Error("the key does not verify after it refused")
	}
}

func TestConcurrentUse(t *testing.T) {
	private, k := newKey(t, 2048)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			digest := sha256.Sum256([]byte{byte(i)})
			sig := sign(t, private, digest[:])
			for range 50 {
				if !k.Verify(digest[:], sig) {
					t.Error("a good signature is refused")
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestNewRefuses(t *testing.T) {
	private, _ := newKey(t, 2048)
	with := func(n *big.Int, e int) *rsa.PublicKey { return &rsa.PublicKey{N: n, E: e} }
	for name, public := range map[string]*rsa.PublicKey{
		"nil":            nil,
		"no modulus":     {E: 65537},
		"exponent 3":     with(private.N, 3),
		"exponent 0":     with(private.N, 0),
		"even":           with(new(big.Int).Lsh(big.NewInt(1), 2047), 65537),
		"negative":       with(new(big.Int).Neg(private.N), 65537),
		"too short":      with(new(big.Int).Rsh(private.N, 1).SetBit(new(big.Int).Rsh(private.N, 1), 0, 1), 65537),
		"too long":       with(new(big.Int).SetBit(new(big.Int).Lsh(big.NewInt(1), 8192), 0, 1), 65537),
		"one bit longer": with(new(big.Int).SetBit(new(big.Int).Lsh(big.NewInt(1), 8193), 0, 1), 65537),
	} {
		if _, err := New(public); err == nil {
			t.Errorf("%s: a key is prepared", name)
		}
	}
}

func TestIs(t *testing.T) {
	private, k := newKey(t, 2048)
	clone := private.PublicKey
	if !k.Is(&private.PublicKey) || k.Is(&clone) {
		t.Error("Is does not tell the key from its copy")
	}
}

func FuzzVerify(f *testing.F) {
	private, k := newKey(f, 2048)
	digest := sha256.Sum256([]byte("message"))
	f.Add(digest[:], sign(f, private, digest[:]))
	f.Add(digest[:], private.N.Bytes())
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, digest, sig []byte) {
		if len(digest) == sha256.Size {
			agree(t, k, digest, sig)
		} else if k.Verify(digest, sig) {
			t.Fatal("a digest of another length is accepted")
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	private, k := newKey(b, 2048)
	digest := sha256.Sum256([]byte("message"))
	sig := sign(b, private, digest[:])
	b.Run("prepared", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if !k.Verify(digest[:], sig) {
				b.Fatal("refused")
			}
		}
	})
	b.Run("floor", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if rsa.VerifyPKCS1v15(&private.PublicKey, crypto.SHA256, digest[:], sig) != nil {
				b.Fatal("refused")
			}
		}
	})
}
