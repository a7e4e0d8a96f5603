package certchain

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"math/big"
	"testing"
)

// benchChain is root → intermediate → leaf with keys of one kind.
func benchChain(b *testing.B, newKey func() crypto.Signer) (in *Input, leaf *entity) {
	root := sign(b, caTemplate("Root"), nil, newKey())
	mid := sign(b, caTemplate("Mid"), root, newKey())
	leaf = sign(b, leafTemplate("workload"), mid, newKey())
	crl := parseCRLForTest(b, makeCRL(b, mid, nil, big.NewInt(1), big.NewInt(2)))
	return &Input{Leaf: leaf.cert.Raw, Chain: ders(mid), Anchors: anchorsOf(b, root), CRLs: []*CRL{crl}, Now: testNow}, leaf
}

func eachKind(b *testing.B, run func(b *testing.B, in *Input, leaf *entity)) {
	kinds := map[string]func(b *testing.B) func() crypto.Signer{
		"RSA-2048": func(b *testing.B) func() crypto.Signer { return func() crypto.Signer { return newRSAKey(b, 2048) } },
		"P-256": func(b *testing.B) func() crypto.Signer {
			return func() crypto.Signer { return newECKey(b, elliptic.P256()) }
		},
	}
	for _, kind := range []string{"RSA-2048", "P-256"} {
		b.Run(kind, func(b *testing.B) {
			in, leaf := benchChain(b, kinds[kind](b))
			b.ReportAllocs()
			b.ResetTimer()
			run(b, in, leaf)
		})
	}
}

// BenchmarkRawSignature is the floor: one check of one signature.
func BenchmarkRawSignature(b *testing.B) {
	eachKind(b, func(b *testing.B, _ *Input, leaf *entity) {
		digest := sha256.Sum256([]byte("message"))
		sig, err := leaf.key.Sign(rand.Reader, digest[:], crypto.SHA256)
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			ok := false
			switch pub := leaf.key.Public().(type) {
			case *rsa.PublicKey:
				ok = rsa.VerifyPKCS1v15(pub, crypto.SHA256, digest[:], sig) == nil
			case *ecdsa.PublicKey:
				ok = ecdsa.VerifyASN1(pub, digest[:], sig)
			}
			if !ok {
				b.Fatal("bad signature")
			}
		}
	})
}

// BenchmarkVerifyCold validates root → intermediate → leaf: two signatures, two parses.
func BenchmarkVerifyCold(b *testing.B) {
	eachKind(b, func(b *testing.B, in *Input, _ *entity) {
		v := NewVerifier(-1)
		for b.Loop() {
			if _, err := v.Verify(in); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkVerifyWarm is Leaf and Verify of a remembered path, hashing of leaf and chain included.
func BenchmarkVerifyWarm(b *testing.B) {
	eachKind(b, func(b *testing.B, in *Input, _ *entity) {
		v := NewVerifier(0)
		for b.Loop() {
			leaf, err := v.Leaf(in.Leaf)
			if err != nil {
				b.Fatal(err)
			}
			in.Parsed = leaf
			if _, err := v.Verify(in); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkWarmHashing is the part of BenchmarkVerifyWarm that is hashing.
func BenchmarkWarmHashing(b *testing.B) {
	eachKind(b, func(b *testing.B, in *Input, _ *entity) {
		for b.Loop() {
			fingerprintOf(in.Leaf)
			chainHash(in.Chain)
		}
	})
}

func BenchmarkVerifyWarmParallel(b *testing.B) {
	eachKind(b, func(b *testing.B, in *Input, _ *entity) {
		v := NewVerifier(0)
		b.RunParallel(func(pb *testing.PB) {
			local := *in
			for pb.Next() {
				if _, err := v.Verify(&local); err != nil {
					b.Error(err)
				}
			}
		})
	})
}

func BenchmarkCRLLookup(b *testing.B) {
	root := newRoot(b)
	serials := make([]*big.Int, 100_000)
	for i := range serials {
		serials[i] = new(big.Int).Lsh(big.NewInt(int64(2*i+1)), 100)
	}
	crl := parseCRLForTest(b, makeCRL(b, root, nil, serials...))
	key := serialContent(new(big.Int).Lsh(big.NewInt(4), 100))
	for b.Loop() {
		if _, ok := crl.lookup(key); ok {
			b.Fatal("found")
		}
	}
}
