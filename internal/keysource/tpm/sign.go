package tpm

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"io"
	"math/big"
)

// signer signs with a persistent key or one that is loaded for each signature.
type signer struct {
	device     Device
	persistent handle
	key        *key // nil: persistent
	public     *public
}

func (s *signer) Public() crypto.PublicKey { return s.public.key }

// Sign makes one signature over a SHA-2 digest: PKCS#1 v1.5 for RSA, ASN.1 DER for ECDSA.
func (s *signer) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if _, pss := opts.(*rsa.PSSOptions); pss {
		return nil, errors.New("PSS signatures are not supported")
	}
	hash := map[crypto.Hash]algorithm{crypto.SHA256: algSHA256, crypto.SHA384: algSHA384, crypto.SHA512: algSHA512}[opts.HashFunc()]
	if hash == 0 || len(digest) != opts.HashFunc().Size() {
		return nil, errors.New("the digest to sign is not one of SHA-256, SHA-384 or SHA-512")
	}
	password, err := s.device.password(s.key)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := dial(ctx, s.device.Path)
	if err != nil {
		return nil, err
	}
	defer c.close()
	h, what := s.persistent, "the TPM key"
	if s.key != nil {
		if h, err = c.loadKey(s.key); err != nil {
			return nil, err
		}
		defer c.flush(h)
	}
	scheme := algECDSA
	if _, ok := s.public.key.(*rsa.PublicKey); ok {
		scheme = algRSASSA
	}
	r, err := c.sign(h, password, digest, scheme, hash)
	if err != nil {
		return nil, explain(err, what)
	}
	return s.decode(r, scheme, opts.HashFunc(), digest)
}

// decode reads a TPMT_SIGNATURE and checks it: a TPM's fault is to be found here, not by the server.
func (s *signer) decode(r *reader, scheme algorithm, hash crypto.Hash, digest []byte) ([]byte, error) {
	bad := errors.New("the TPM's signature is malformed or wrong")
	if algorithm(r.u16()) != scheme {
		return nil, bad
	}
	r.u16() // hash
	if pub, ok := s.public.key.(*rsa.PublicKey); ok {
		sig := r.bytes()
		if r.failed || rsa.VerifyPKCS1v15(pub, hash, digest, sig) != nil {
			return nil, bad
		}
		return sig, nil
	}
	x, y := r.bytes(), r.bytes()
	if r.failed {
		return nil, bad
	}
	sig, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(x), new(big.Int).SetBytes(y)})
	pub, ok := s.public.key.(*ecdsa.PublicKey)
	if err != nil || !ok || !ecdsa.VerifyASN1(pub, digest, sig) {
		return nil, bad
	}
	return sig, nil
}

// loadKey loads a key under its parent. Files with a hierarchy as parent mean its storage primary, but do not say which
// of the usual templates it was made with: they are tried until the key fits.
func (c *conn) loadKey(k *key) (handle, error) {
	if !k.parent.hierarchy() {
		h, err := c.load(k.parent, k)
		if err != nil {
			return 0, explain(err, "the TPM key or its parent")
		}
		return h, nil
	}
	var last error
	for _, template := range primaries(k.rsaParent) {
		parent, err := c.createPrimary(k.parent, template)
		if err != nil {
			if last == nil || !errors.As(last, new(returnCode)) {
				last = err
			}
			continue // the TPM may lack the algorithm
		}
		h, err := c.load(parent, k)
		c.flush(parent)
		if err == nil {
			return h, nil
		}
		last = err
		var code returnCode
		if !errors.As(err, &code) || code.base() != rcIntegrity {
			break
		}
	}
	return 0, explain(last, "the TPM key")
}

// primaries are the templates of storage primaries, in the order in which they are tried.
func primaries(rsaFirst bool) [][]byte {
	const usual = attrFixedTPM | attrFixedParent | attrOrigin | attrUserWithAuth | attrNoDA | attrRestricted | attrDecrypt
	ecc := func(attributes uint32, coordinate int) []byte {
		b := storageHead(algECC, attributes)
		b = binary.BigEndian.AppendUint16(b, 3) // P-256
		b = binary.BigEndian.AppendUint16(b, uint16(algNull))
		return appendSized(appendSized(b, make([]byte, coordinate)), make([]byte, coordinate))
	}
	rsa := storageHead(algRSA, usual)
	rsa = binary.BigEndian.AppendUint16(rsa, 2048)
	rsa = append(rsa, 0, 0, 0, 0) // exponent 65537
	rsa = appendSized(rsa, nil)
	all := [][]byte{
		ecc(usual, 0), // TPM 2.0 Key Files §3.1.8
		ecc(usual, (elliptic.P256().Params().BitSize+7)/8), // TCG Provisioning Guidance: the storage root key
		ecc(usual&^(attrFixedTPM|attrFixedParent), 0),      // older versions of the OpenSSL engine
		rsa,
	}
	if rsaFirst {
		all = append([][]byte{rsa}, all[:3]...)
	}
	return all
}

// storageHead is a TPMT_PUBLIC up to what depends on the kind of key: AES-128 in CFB mode protects its children.
func storageHead(kind algorithm, attributes uint32) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(kind))
	b = binary.BigEndian.AppendUint16(b, uint16(algSHA256))
	b = binary.BigEndian.AppendUint32(b, attributes)
	b = appendSized(b, nil) // no policy
	for _, v := range []uint16{uint16(algAES), 128, uint16(algCFB), uint16(algNull)} {
		b = binary.BigEndian.AppendUint16(b, v)
	}
	return b
}
