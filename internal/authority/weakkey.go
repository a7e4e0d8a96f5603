package authority

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"fmt"
	"math/big"
)

// RSA modulus sizes of keys that are certified, in bits.
const (
	minRSABits = 2048
	maxRSABits = 8192
)

// weakKey says why a public key is not certified, or "".
func weakKey(pub crypto.PublicKey) string {
	switch key := pub.(type) {
	case *rsa.PublicKey:
		switch bits := key.N.BitLen(); {
		case bits < minRSABits || bits > maxRSABits:
			return fmt.Sprintf("the RSA key has %d bits, %d to %d are accepted", bits, minRSABits, maxRSABits)
		case key.E < 65537 || key.E&1 == 0: // FIPS 186-5 §A.1.1
			return fmt.Sprintf("the RSA public exponent %d is not accepted", key.E)
		case roca(key.N):
			return "the RSA key was made by a generator whose keys can be factored (CVE-2017-15361)"
		case closePrimes(key.N):
			return "the RSA key's primes are too close together"
		}
		return ""
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256(), elliptic.P384(), elliptic.P521():
			return ""
		}
		return "the elliptic curve is not accepted, use P-256, P-384 or P-521"
	}
	return "keys of this kind are not accepted, use RSA, P-256, P-384 or P-521"
}

// roca tells keys of the generator of CVE-2017-15361: modulo every small prime its moduli are powers of 65537. Modulo a
// prime where every residue is such a power the test says nothing; over all of these primes a sound key passes for one
// with a chance below 2^-25. A modulus that a small prime divides is no power either, and is refused on its own account.
func roca(n *big.Int) bool {
	for _, p := range []int64{3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167} {
		residue := new(big.Int).Mod(n, big.NewInt(p)).Int64()
		found := false
		for power, i := int64(1), int64(0); i < p && !found; i++ {
			found = power == residue
			power = power * 65537 % p
		}
		if !found {
			return false
		}
	}
	return true
}

// fermatRounds is how far apart primes must be: a sound key never comes near.
const fermatRounds = 100

// closePrimes tries Fermat's factorisation for a few rounds.
func closePrimes(n *big.Int) bool {
	one := big.NewInt(1)
	a := new(big.Int).Sqrt(n)
	if new(big.Int).Mul(a, a).Cmp(n) < 0 {
		a.Add(a, one)
	}
	b2, step := new(big.Int), new(big.Int)
	b2.Sub(b2.Mul(a, a), n)
	for range fermatRounds {
		if square(b2) {
			return true
		}
		b2.Add(b2, step.Add(step.Lsh(a, 1), one)) // (a+1)² = a² + 2a + 1
		a.Add(a, one)
	}
	return false
}

// square reports whether n ≥ 0 is a square. Roots cost hundreds of times what the remainders do that almost every other number
// fails by.
func square(n *big.Int) bool {
	const bits6 uint64 = 0x0202021202030213 // the squares modulo 64
	const product = 3 * 5 * 7 * 11 * 13 * 17 * 19 * 23
	if words := n.Bits(); len(words) > 0 && bits6>>(words[0]&63)&1 == 0 {
		return false
	}
	rest := new(big.Int).Mod(n, big.NewInt(product)).Int64()
	for _, p := range []int64{3, 5, 7, 11, 13, 17, 19, 23} {
		residue := false
		for i := range (p + 1) / 2 {
			residue = residue || i*i%p == rest%p
		}
		if !residue {
			return false
		}
	}
	root := new(big.Int).Sqrt(n)
	return root.Mul(root, root).Cmp(n) == 0
}
