//go:build cgo

package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/asn1"
	"math/big"

	"github.com/miekg/pkcs11"

	"github.com/rolecall/rolecall/internal/keysource/pkcs11/wire"
)

// digestInfo is the DER before the digest in a PKCS#1 v1.5 signature (RFC 8017 §9.2 note 1).
func digestInfo(hash string) (crypto.Hash, string) {
	switch hash {
	case "SHA-256":
		return crypto.SHA256, "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"
	case "SHA-384":
		return crypto.SHA384, "\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30"
	case "SHA-512":
		return crypto.SHA512, "\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40"
	}
	return 0, ""
}

// sign makes exactly one signature.
func (id *identity) sign(req *wire.Sign) ([]byte, error) {
	hash, prefix := digestInfo(req.Hash)
	if hash == 0 || len(req.Digest) != hash.Size() {
		return nil, problem("", "the digest to sign is not one of SHA-256, SHA-384 or SHA-512")
	}
	pin := req.PIN
	if pin == nil {
		pin = id.pin
	}
	if pin == nil && id.always && id.flags&pkcs11.CKF_PROTECTED_AUTHENTICATION_PATH == 0 {
		return nil, &needPIN{wire.NeedKeyPIN, id.label} // before C_SignInit, which would leave an operation open
	}
	mechanism, input := uint(pkcs11.CKM_RSA_PKCS), append([]byte(prefix), req.Digest...)
	public := id.public
	if public == nil {
		public = id.leaf.PublicKey
	}
	switch k := public.(type) {
	case *rsa.PublicKey:
	case *ecdsa.PublicKey:
		// FIPS 186-5 §6.4.1: the leftmost bits of the digest, as many as the order has.
		mechanism, input = pkcs11.CKM_ECDSA, req.Digest[:min(len(req.Digest), (k.Curve.Params().N.BitLen()+7)/8)]
	default:
		return nil, problem("use an RSA or an elliptic curve key", "keys of the kind %T are not supported", public)
	}
	if err := id.SignInit(id.session.handle, []*pkcs11.Mechanism{pkcs11.NewMechanism(mechanism, nil)}, id.key); err != nil {
		return nil, problem("", "the token %q cannot sign with the key: %w", id.label, err)
	}
	if id.always {
		if pin == nil {
			pin = new(string)
		}
		if err := id.explainLogin(id.Login(id.session.handle, pkcs11.CKU_CONTEXT_SPECIFIC, *pin)); err != nil {
			return nil, err
		}
	}
	sig, err := id.Sign(id.session.handle, input)
	if err != nil {
		return nil, problem("", "the token %q does not sign: %w", id.label, err)
	}
	if mechanism == pkcs11.CKM_RSA_PKCS {
		return sig, nil
	}
	if len(sig) == 0 || len(sig)%2 != 0 {
		return nil, problem("", "the token %q gives an ECDSA signature of %d bytes", id.label, len(sig))
	}
	half := len(sig) / 2
	return asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(sig[:half]), new(big.Int).SetBytes(sig[half:])})
}
