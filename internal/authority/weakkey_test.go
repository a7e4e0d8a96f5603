package authority

import (
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"testing"
)

// TestSquare: the short cuts refuse no square, and take nothing else.
func TestSquare(t *testing.T) {
	for i := range int64(20_000) {
		root := new(big.Int).Sqrt(big.NewInt(i)).Int64()
		if got, want := square(big.NewInt(i)), root*root == i; got != want {
			t.Fatalf("%d: %v", i, got)
		}
	}
	for range 200 {
		n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 1100))
		if err != nil {
			t.Fatal(err)
		}
		n.Mul(n, n)
		if !square(n) {
			t.Fatalf("%d is a square", n)
		}
		if square(n.Add(n, big.NewInt(1))) && n.Cmp(big.NewInt(1)) > 0 {
			t.Fatalf("%d is no square", n)
		}
	}
}

// TestClosePrimes: primes that are near each other are found, and those of a sound key are not near.
func TestClosePrimes(t *testing.T) {
	p, err := rand.Prime(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	q := new(big.Int).Add(p, big.NewInt(2))
	for !q.ProbablyPrime(10) {
		q.Add(q, big.NewInt(2))
	}
	if !closePrimes(new(big.Int).Mul(p, q)) {
		t.Error("the next prime is not found")
	}
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	if closePrimes(k.N) {
		t.Error("a sound key is refused")
	}
}

func BenchmarkWeakKey(b *testing.B) {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if why := weakKey(&k.PublicKey); why != "" {
			b.Fatal(why)
		}
	}
}
