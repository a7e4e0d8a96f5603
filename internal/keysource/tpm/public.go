package tpm

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/binary"
	"math/big"

	"github.com/rolecall/rolecall/internal/keysource"
)

// algorithm is a TPM_ALG_ID (part 2 §6.3).
type algorithm uint16

const (
	algRSA    algorithm = 0x0001
	algAES    algorithm = 0x0006
	algSHA256 algorithm = 0x000B
	algSHA384 algorithm = 0x000C
	algSHA512 algorithm = 0x000D
	algNull   algorithm = 0x0010
	algRSASSA algorithm = 0x0014
	algRSAES  algorithm = 0x0015
	algECDSA  algorithm = 0x0018
	algECDAA  algorithm = 0x001A
	algECC    algorithm = 0x0023
	algCFB    algorithm = 0x0043
)

// Attributes of an object (part 2 §8.3).
const (
	attrFixedTPM     = 1 << 1
	attrFixedParent  = 1 << 4
	attrOrigin       = 1 << 5
	attrUserWithAuth = 1 << 6
	attrNoDA         = 1 << 10
	attrRestricted   = 1 << 16
	attrDecrypt      = 1 << 17
	attrSign         = 1 << 18
)

// public is what matters of a TPMT_PUBLIC.
type public struct {
	attributes uint32
	scheme     algorithm // algNull: the caller chooses
	hash       algorithm // of the scheme
	key        crypto.PublicKey
}

// parsePublic reads a TPMT_PUBLIC of an RSA or elliptic curve key (part 2 §12.2.4).
func parsePublic(b []byte) (*public, error) {
	r := &reader{b: b}
	p := &public{}
	kind := algorithm(r.u16())
	r.u16() // name algorithm
	p.attributes = r.u32()
	r.bytes() // policy
	if kind != algRSA && kind != algECC {
		return nil, keysource.Errorf(keysource.AdviceKeyKinds, "the TPM object is neither an RSA nor an elliptic curve key (type 0x%04x)", uint16(kind))
	}
	if algorithm(r.u16()) != algNull { // symmetric cipher of a storage key
		r.u16()
		r.u16()
	}
	p.scheme = algorithm(r.u16())
	if p.scheme != algNull && p.scheme != algRSAES {
		p.hash = algorithm(r.u16())
	}
	if p.scheme == algECDAA {
		r.u16()
	}
	if kind == algRSA {
		r.u16() // key size
		e := r.u32()
		n := r.bytes()
		if e == 0 {
			e = 65537 // part 2 §12.2.3.5
		}
		p.key = &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(e)}
		if r.failed || len(r.b) > 0 || len(n) < 128 || len(n) > 1024 || e%2 == 0 || e > 1<<31-1 {
			return nil, malformedPublic()
		}
		return p, nil
	}
	curve := map[uint16]elliptic.Curve{3: elliptic.P256(), 4: elliptic.P384(), 5: elliptic.P521()}[r.u16()]
	if algorithm(r.u16()) != algNull { // key derivation
		r.u16()
	}
	x, y := r.bytes(), r.bytes()
	if r.failed || len(r.b) > 0 {
		return nil, malformedPublic()
	}
	if curve == nil {
		return nil, keysource.Errorf(keysource.AdviceKeyKinds, "the TPM key's elliptic curve is not supported")
	}
	size := (curve.Params().BitSize + 7) / 8
	point := make([]byte, 1+2*size)
	if len(x) > size || len(y) > size {
		return nil, malformedPublic()
	}
	point[0] = 4
	copy(point[1+size-len(x):], x)
	copy(point[1+2*size-len(y):], y)
	pub, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		return nil, malformedPublic()
	}
	p.key = pub
	return p, nil
}

func malformedPublic() error {
	return keysource.Errorf("make the key anew", "the public part of the TPM key is malformed")
}

// usable refuses keys that Sign could not use, before anything is sent.
func (p *public) usable() error {
	const advice = "make a key for signing, unrestricted and with a password or none: tpm2_create -a 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign'"
	switch {
	case p.attributes&attrSign == 0:
		return keysource.Errorf(advice, "the TPM key is not for signing")
	case p.attributes&attrRestricted != 0:
		return keysource.Errorf(advice, "the TPM key is restricted: it signs only what the TPM has made or hashed itself")
	case p.attributes&attrUserWithAuth == 0:
		return keysource.Errorf(advice, "the TPM key can only be used with a policy, which is not supported")
	case p.scheme != algNull && p.scheme != algRSASSA && p.scheme != algECDSA:
		return keysource.Errorf(advice, "the TPM key is bound to a signature scheme (0x%04x) that Roles Anywhere does not know; RSA needs RSASSA (PKCS#1 v1.5), elliptic curves ECDSA", uint16(p.scheme))
	}
	return nil
}

// reader takes a TPM structure apart; after the first read beyond its end it only gives zeros.
type reader struct {
	b      []byte
	failed bool
}

func (r *reader) take(n int) []byte {
	if r.failed || n > len(r.b) {
		r.failed = true
		return make([]byte, min(n, 8))
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) u16() uint16 { return binary.BigEndian.Uint16(r.take(2)) }
func (r *reader) u32() uint32 { return binary.BigEndian.Uint32(r.take(4)) }

// bytes reads a TPM2B: a length of 16 bits and so many bytes.
func (r *reader) bytes() []byte {
	n := int(r.u16())
	if r.failed || n > len(r.b) {
		r.failed = true
		return nil
	}
	return r.take(n)
}

// sized splits a TPM2B off.
func sized(b []byte) (inner, rest []byte, ok bool) {
	r := &reader{b: b}
	inner = r.bytes()
	return inner, r.b, !r.failed
}
