package p256

import (
	"math/big"
	"sync"

	"filippo.io/nistec"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// order is that of the group: n in FIPS 186-5.
var order, _ = new(big.Int).SetString("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", 16)

// scratch are the numbers of one verification, kept for the next.
type scratch struct{ r, s, e, product, quotient big.Int }

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// maxSignature is the length of the longest signature: two numbers of 33 bytes in a sequence.
const maxSignature = 72

// Verify reports whether sig, in the ASN.1 form of RFC 3279 §2.2.3, is the key's signature of digest, by FIPS 186-5
// §6.4.2. It takes the same signatures as ecdsa.VerifyASN1. Of a digest longer than 32 bytes the first 32 count.
func (k *Key) Verify(digest, sig []byte) bool {
	if len(sig) > maxSignature {
		return false
	}
	z := scratches.Get().(*scratch)
	defer scratches.Put(z)
	if !z.parse(sig) {
		return false
	}
	if len(digest) > 32 {
		digest = digest[:32]
	}
	z.e.SetBytes(digest)
	if z.s.ModInverse(&z.s, order) == nil {
		return false
	}
	var u1, u2 [32]byte
	z.timesInverse(&z.e).FillBytes(u1[:])
	z.timesInverse(&z.r).FillBytes(u2[:])

	var base, point nistec.P256Point
	if _, err := base.ScalarBaseMult(u1[:]); err != nil {
		return false
	}
	k.multiply(&point, &u2)
	x, err := base.Add(&base, &point).BytesX()
	if err != nil { // the point at infinity
		return false
	}
	z.e.SetBytes(x)
	if z.e.Cmp(order) >= 0 { // x is below the field's prime, which is below 2n
		z.e.Sub(&z.e, order)
	}
	return z.e.Cmp(&z.r) == 0
}

// parse reads the two numbers, which must lie in [1, n-1].
func (z *scratch) parse(sig []byte) bool {
	var inner cryptobyte.String
	input := cryptobyte.String(sig)
	if !input.ReadASN1(&inner, asn1.SEQUENCE) || !input.Empty() ||
		!inner.ReadASN1Integer(&z.r) || !inner.ReadASN1Integer(&z.s) || !inner.Empty() {
		return false
	}
	return inRange(&z.r) && inRange(&z.s)
}

func inRange(v *big.Int) bool { return v.Sign() > 0 && v.Cmp(order) < 0 }

// timesInverse is v/s mod n, after s was inverted. The result is good until the next call.
func (z *scratch) timesInverse(v *big.Int) *big.Int {
	z.product.Mul(v, &z.s)
	z.quotient.QuoRem(&z.product, order, &z.product)
	return &z.product
}
