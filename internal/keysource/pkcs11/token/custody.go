//go:build cgo

package token

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"

	"github.com/miekg/pkcs11"

	"github.com/rolecall/rolecall/internal/keysource"
	"github.com/rolecall/rolecall/internal/keysource/pkcs11/uri"
	"github.com/rolecall/rolecall/internal/keysource/pkcs11/wire"
)

// custody is the session in which keys of certificate authorities are made and used. It lasts as long as the process:
// the other side starts a new one after every problem.
type custody struct {
	*session
	module, token, serial string
}

// custodySession opens the session with the one token that fits, and unlocks it once.
func (s *Server) custodySession(c *wire.Custody) (*custody, error) {
	if k := s.custody; k != nil && k.module == c.Module && k.token == c.Token && k.serial == c.Serial {
		return k, nil
	}
	s.Close()
	var err error
	if s.module, err = loadModule(c.Module, s.wrap); err != nil {
		return nil, err
	}
	u := &uri.URI{}
	if c.Token != "" {
		u.Token = &c.Token
	}
	if c.Serial != "" {
		u.Serial = &c.Serial
	}
	found, err := s.module.sessions(u)
	if err != nil {
		return nil, err
	}
	defer closeAll(found)
	if len(found) > 1 {
		return nil, problem("name it by its serial number as well", "%d tokens fit", len(found))
	}
	sess := *found[0]
	slot, err := s.slotOf(&sess)
	if err != nil {
		return nil, err
	}
	if sess.handle, err = s.module.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION); err != nil {
		return nil, problem("", "cannot open a session with the token %q: %w", sess.label, err)
	}
	if err := sess.login(&c.PIN); err != nil {
		sess.close()
		return nil, err
	}
	s.custody = &custody{&sess, c.Module, c.Token, c.Serial}
	return s.custody, nil
}

// slotOf finds the slot that the session's token is in.
func (s *Server) slotOf(sess *session) (uint, error) {
	slots, err := s.module.GetSlotList(true)
	if err != nil {
		return 0, problem("", "the PKCS#11 module does not list its slots: %w", err)
	}
	for _, slot := range slots {
		info, err := s.module.GetTokenInfo(slot)
		if err == nil && clean(info.Label) == sess.label && clean(info.SerialNumber) == sess.serial {
			return slot, nil
		}
	}
	return 0, problem("", "the token %q is gone", sess.label)
}

func (s *Server) answerCustody(c *wire.Custody) (*wire.Response, error) {
	if len(c.ID) == 0 {
		return nil, problem("", "a request names no key")
	}
	k, err := s.custodySession(c)
	if err != nil {
		return nil, err
	}
	switch c.Do {
	case wire.CustodyGenerate:
		return k.generate(c)
	case wire.CustodySign:
		return k.signWith(c)
	case wire.CustodyDelete:
		return &wire.Response{}, k.remove(c.ID)
	}
	return nil, problem("", "a request asks for %q", c.Do)
}

// keys are the private keys with the id.
func (k *custody) keys(id []byte) ([]pkcs11.ObjectHandle, error) {
	return k.find(pkcs11.CKO_PRIVATE_KEY, &uri.URI{ID: id})
}

// generate makes a key that cannot leave the token. A key that was made under the id before, for an answer that never
// arrived, is taken instead if it is of the same kind.
func (k *custody) generate(c *wire.Custody) (*wire.Response, error) {
	old, err := k.keys(c.ID)
	if err != nil {
		return nil, err
	}
	for _, h := range old {
		if pub := k.publicKey(h); pub != nil && wire.CustodyAlgorithm(pub) == c.Algorithm && k.confined(h) == nil {
			return publicAnswer(pub)
		}
	}
	mechanism, public, err := generation(c.Algorithm)
	if err != nil {
		return nil, err
	}
	names := []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true), pkcs11.NewAttribute(pkcs11.CKA_ID, c.ID), pkcs11.NewAttribute(pkcs11.CKA_LABEL, c.Label)}
	public = append(append(public, pkcs11.NewAttribute(pkcs11.CKA_VERIFY, true)), names...)
	private := append([]*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, true), pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, true), pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, false),
		pkcs11.NewAttribute(pkcs11.CKA_SIGN, true), pkcs11.NewAttribute(pkcs11.CKA_DERIVE, false),
	}, names...)
	publicHandle, privateHandle, err := k.GenerateKeyPair(k.handle, []*pkcs11.Mechanism{pkcs11.NewMechanism(mechanism, nil)}, public, private)
	if err != nil {
		return nil, problem("", "the token %q cannot make a key of kind %s: %w", k.label, c.Algorithm, err)
	}
	pub := k.publicFrom(publicHandle)
	if err = k.confined(privateHandle); err == nil && pub == nil {
		err = problem("", "the token %q does not tell the public part of the key that it made", k.label)
	}
	if err != nil {
		_ = k.DestroyObject(k.handle, privateHandle) // it is of no use
		_ = k.DestroyObject(k.handle, publicHandle)
		return nil, err
	}
	return publicAnswer(pub)
}

func publicAnswer(pub crypto.PublicKey) (*wire.Response, error) {
	der, err := x509.MarshalPKIXPublicKey(pub)
	return &wire.Response{PublicKey: der}, err
}

// generation is the mechanism for a kind of key and the kind's own attributes.
func generation(algorithm string) (uint, []*pkcs11.Attribute, error) {
	bits, oid := wire.CustodyKind(algorithm)
	switch {
	case bits > 0:
		return pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN, []*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_MODULUS_BITS, bits), pkcs11.NewAttribute(pkcs11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}),
		}, nil
	case oid != nil:
		params, err := asn1.Marshal(oid)
		return pkcs11.CKM_EC_KEY_PAIR_GEN, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, params)}, err
	}
	return 0, nil, problem("", "keys of kind %q are not supported", algorithm)
}

// confined makes sure that the key was made in the token and never was, nor ever can be, outside of it (PKCS#11 2.40
// §4.9): what a token does not tell counts as no.
func (k *custody) confined(h pkcs11.ObjectHandle) error {
	for _, a := range []struct {
		kind uint
		name string
		want byte
	}{
		{pkcs11.CKA_TOKEN, "CKA_TOKEN", 1}, {pkcs11.CKA_PRIVATE, "CKA_PRIVATE", 1}, {pkcs11.CKA_SENSITIVE, "CKA_SENSITIVE", 1}, {pkcs11.CKA_EXTRACTABLE, "CKA_EXTRACTABLE", 0},
		{pkcs11.CKA_ALWAYS_SENSITIVE, "CKA_ALWAYS_SENSITIVE", 1}, {pkcs11.CKA_NEVER_EXTRACTABLE, "CKA_NEVER_EXTRACTABLE", 1}, {pkcs11.CKA_LOCAL, "CKA_LOCAL", 1},
	} {
		if v := k.attribute(h, a.kind); len(v) != 1 || v[0] != a.want {
			return problem("use a token that keeps keys to itself", "the key on the token %q has not %s = %d", k.label, a.name, a.want)
		}
	}
	return nil
}

// signWith signs with the key that has the id and the public part.
func (k *custody) signWith(c *wire.Custody) (*wire.Response, error) {
	pub, err := x509.ParsePKIXPublicKey(c.Public)
	if err != nil {
		return nil, problem("", "the public key of the request cannot be read: %w", err)
	}
	handles, err := k.keys(c.ID)
	if err != nil {
		return nil, err
	}
	for _, h := range handles {
		have := k.publicFrom(h)
		if have == nil {
			have = k.publicBeside(c.ID, pub)
		}
		if have == nil || !keysource.SamePublicKey(have, pub) {
			continue
		}
		id := &identity{session: k.session, key: h, public: pub}
		sig, err := id.sign(&wire.Sign{Hash: c.Hash, Digest: c.Digest})
		return &wire.Response{Signature: sig}, err
	}
	return nil, problem("put the token back that holds it", "the key is not on the token %q", k.label)
}

// publicBeside looks for a public key object with the id that is pub.
func (k *custody) publicBeside(id []byte, pub crypto.PublicKey) crypto.PublicKey {
	handles, err := k.find(pkcs11.CKO_PUBLIC_KEY, &uri.URI{ID: id})
	if err != nil {
		return nil
	}
	for _, h := range handles {
		if have := k.publicFrom(h); have != nil && keysource.SamePublicKey(have, pub) {
			return have
		}
	}
	return nil
}

// remove destroys everything with the id. What is not there is removed.
func (k *custody) remove(id []byte) error {
	for _, class := range []uint{pkcs11.CKO_PRIVATE_KEY, pkcs11.CKO_PUBLIC_KEY} {
		handles, err := k.find(class, &uri.URI{ID: id})
		if err != nil {
			return err
		}
		for _, h := range handles {
			if !bytes.Equal(k.attribute(h, pkcs11.CKA_ID), id) { // a module that ignores the filter must not cost other keys
				continue
			}
			if err := k.DestroyObject(k.handle, h); err != nil {
				return problem("", "the token %q does not delete the key: %w", k.label, err)
			}
		}
	}
	return nil
}
