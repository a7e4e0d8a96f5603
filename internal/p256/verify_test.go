package p256

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"math/big"
	mathrand "math/rand/v2"
	"testing"

	"filippo.io/nistec"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

func newKey(t testing.TB) (*ecdsa.PrivateKey, *Key) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return private, prepare(t, &private.PublicKey)
}

func prepare(t testing.TB, public *ecdsa.PublicKey) *Key {
	t.Helper()
	k, err := New(public)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func encode(r, s *big.Int) []byte {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1BigInt(r)
		b.AddASN1BigInt(s)
	})
	return b.BytesOrPanic()
}

// agree checks a signature with both and returns the answer of the standard library.
func agree(t *testing.T, k *Key, digest, sig []byte) bool {
	t.Helper()
	want := ecdsa.VerifyASN1(k.public, digest, sig)
	if got := k.Verify(digest, sig); got != want {
		t.Fatalf("Verify = %v, crypto/ecdsa = %v: digest %x signature %x key %x", got, want, digest, sig, must(k.public.Bytes()))
	}
	return want
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func TestAgreesWithStandardLibrary(t *testing.T) {
	rounds := 60
	if testing.Short() {
		rounds = 10
	}
	for range rounds {
		private, k := newKey(t)
		for range 8 {
			digest := make([]byte, 20+mathrand.IntN(45)) // shorter and longer than the order too
			rand.Read(digest)
			sig := must(ecdsa.SignASN1(rand.Reader, private, digest))
			if !agree(t, k, digest, sig) {
				t.Fatal("the standard library refuses its own signature")
			}
			for i := range sig {
				bad := bytes.Clone(sig)
				bad[i] ^= 1 << mathrand.IntN(8)
				agree(t, k, digest, bad)
			}
			digest[mathrand.IntN(20)] ^= 1 << mathrand.IntN(8)
			if agree(t, k, digest, sig) {
				t.Fatal("the signature holds for another digest")
			}
		}
	}
}

// TestExtremeNumbers tries every pair of what lies at the edges of the range.
func TestExtremeNumbers(t *testing.T) {
	_, k := newKey(t)
	var numbers []*big.Int
	for _, base := range []*big.Int{new(big.Int), order, elliptic.P256().Params().P, new(big.Int).Lsh(big.NewInt(1), 256), new(big.Int).Rsh(order, 1), new(big.Int).Neg(order)} {
		for d := int64(-2); d <= 2; d++ {
			numbers = append(numbers, new(big.Int).Add(base, big.NewInt(d)))
		}
	}
	digests := [][]byte{make([]byte, 32), bytes.Repeat([]byte{0xff}, 32), order.Bytes(), {1}, {}}
	for _, r := range numbers {
		for _, s := range numbers {
			for _, digest := range digests {
				agree(t, k, digest, encode(r, s))
			}
		}
	}
}

func TestMalformedSignatures(t *testing.T) {
	private, k := newKey(t)
	digest := sha256.Sum256([]byte("message"))
	sig := must(ecdsa.SignASN1(rand.Reader, private, digest[:]))
	for name, bad := range map[string][]byte{
		"nothing":       nil,
		"trailing":      append(bytes.Clone(sig), 0),
		"cut":           sig[:len(sig)-1],
		"long":          append(bytes.Clone(sig), make([]byte, 200)...),
		"empty":         {0x30, 0},
		"one number":    {0x30, 3, 2, 1, 1},
		"three numbers": {0x30, 9, 2, 1, 1, 2, 1, 1, 2, 1, 1},
		"not minimal":   {0x30, 8, 2, 2, 0, 1, 2, 2, 0, 1},
		"set":           append([]byte{0x31}, sig[1:]...),
	} {
		if agree(t, k, digest[:], bad) {
			t.Errorf("%s: accepted", name)
		}
	}
}

// keyFor makes a key for which (r, s=1) is a signature of digest that leads to the point.
func keyFor(t *testing.T, point *nistec.P256Point, r *big.Int, digest []byte) *ecdsa.PublicKey {
	t.Helper()
	// Q = (R - e·G)/r
	e := new(big.Int).Mod(new(big.Int).SetBytes(digest), order)
	minus := new(big.Int).Mod(new(big.Int).Neg(e), order)
	base, err := nistec.NewP256Point().ScalarBaseMult(minus.FillBytes(make([]byte, 32)))
	if err != nil {
		t.Fatal(err)
	}
	sum := nistec.NewP256Point().Add(point, base)
	inverse := new(big.Int).ModInverse(r, order)
	q, err := nistec.NewP256Point().ScalarMult(sum, inverse.FillBytes(make([]byte, 32)))
	if err != nil {
		t.Fatal(err)
	}
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), q.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return public
}

// TestCoordinateAboveOrder meets the case in which the x coordinate has to be reduced: one in 2^32 random signatures.
func TestCoordinateAboveOrder(t *testing.T) {
	digest := sha256.Sum256([]byte("message"))
	found := 0
	for x := new(big.Int).Set(order); found < 3; x.Add(x, big.NewInt(1)) {
		point, err := nistec.NewP256Point().SetBytes(append([]byte{2}, x.FillBytes(make([]byte, 32))...))
		if err != nil {
			continue // no point has this coordinate
		}
		r := new(big.Int).Sub(x, order)
		if r.Sign() == 0 {
			continue
		}
		found++
		k := prepare(t, keyFor(t, point, r, digest[:]))
		if !agree(t, k, digest[:], encode(r, big.NewInt(1))) {
			t.Fatalf("x = n+%v: refused", r)
		}
	}
}

func TestPointAtInfinity(t *testing.T) {
	digest := sha256.Sum256([]byte("message"))
	k := prepare(t, keyFor(t, nistec.NewP256Point(), big.NewInt(5), digest[:]))
	if agree(t, k, digest[:], encode(big.NewInt(5), big.NewInt(1))) {
		t.Fatal("accepted")
	}
}

// TestMultiply checks scalars whose digits carry over the borders of parts, and every value of one part's lowest bits.
func TestMultiply(t *testing.T) {
	_, k := newKey(t)
	q, err := nistec.NewP256Point().SetBytes(must(k.public.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	var scalars []*big.Int
	for shift := range uint(256) {
		one := new(big.Int).Lsh(big.NewInt(1), shift)
		scalars = append(scalars, one, new(big.Int).Sub(one, big.NewInt(1)), new(big.Int).Sub(order, one))
	}
	for i := range int64(256) {
		scalars = append(scalars, big.NewInt(i), new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(i+1)))
	}
	for _, v := range scalars {
		var scalar [32]byte
		new(big.Int).Abs(v).FillBytes(scalar[:])
		want, err := nistec.NewP256Point().ScalarMult(q, scalar[:])
		if err != nil {
			t.Fatal(err)
		}
		var got nistec.P256Point
		k.multiply(&got, &scalar)
		if got.Equal(want) != 1 {
			t.Errorf("%x·Q differs", scalar)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	other, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]*ecdsa.PublicKey{
		"P-384": &other.PublicKey, "none": nil,
		"off the curve": {Curve: elliptic.P256(), X: big.NewInt(1), Y: big.NewInt(1)}, //nolint:staticcheck // a damaged key is the point
	} {
		if _, err := New(key); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzVerify(f *testing.F) {
	private, k := newKey(f)
	digest := sha256.Sum256([]byte("seed"))
	f.Add(digest[:], must(ecdsa.SignASN1(rand.Reader, private, digest[:])))
	f.Add([]byte{}, []byte{0x30, 6, 2, 1, 1, 2, 1, 1})
	f.Fuzz(func(t *testing.T, digest, sig []byte) {
		agree(t, k, digest, sig)
		agree(t, k, digest, must(ecdsa.SignASN1(rand.Reader, private, digest)))
	})
}

func BenchmarkVerify(b *testing.B) {
	private, k := newKey(b)
	digest := sha256.Sum256([]byte("message"))
	sig := must(ecdsa.SignASN1(rand.Reader, private, digest[:]))
	b.Run("standard library", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			ecdsa.VerifyASN1(k.public, digest[:], sig)
		}
	})
	b.Run("prepared", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			k.Verify(digest[:], sig)
		}
	})
	b.Run("prepare", func(b *testing.B) {
		for b.Loop() {
			if _, err := New(k.public); err != nil {
				b.Fatal(err)
			}
		}
	})
}
