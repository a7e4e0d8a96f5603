//go:build cgo

package token

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"os"
	"strings"

	"github.com/miekg/pkcs11"

	"github.com/rolecall/rolecall/internal/keysource"
	"github.com/rolecall/rolecall/internal/keysource/pkcs11/uri"
	"github.com/rolecall/rolecall/internal/keysource/pkcs11/wire"
	"github.com/rolecall/rolecall/internal/keysource/selector"
)

// maxPIN bounds a PIN file, in bytes.
const maxPIN = 1024

// identity is an open key.
type identity struct {
	*session
	handle    int
	key       pkcs11.ObjectHandle
	leaf      *x509.Certificate // nil when the certificate is from elsewhere and none was passed
	fromToken bool
	chain     []*x509.Certificate
	public    crypto.PublicKey // nil: the token does not tell
	publicDER []byte
	always    bool    // CKA_ALWAYS_AUTHENTICATE
	pin       *string // the user PIN, if it may be used for signatures as well
}

func (id *identity) certificates() [][]byte {
	if !id.fromToken {
		return nil
	}
	out := [][]byte{id.leaf.Raw}
	for _, c := range id.chain {
		out = append(out, c.Raw)
	}
	return out
}

// identity finds the key and the certificate that belongs to it.
func (m *module) identity(o *wire.Open, certURI, keyURI *uri.URI) (*identity, error) {
	if keyURI == nil && certURI == nil {
		return nil, problem("", "a request opens a key without a URI")
	}
	search := keyURI
	if search == nil {
		search = certURI
	}
	pin, err := pinOf(o, search, certURI)
	if err != nil {
		return nil, err
	}
	sessions, err := m.sessions(search)
	if err != nil {
		return nil, err
	}
	if len(sessions) > 1 { // never try a PIN on several tokens
		var labels []string
		for _, s := range sessions {
			labels = append(labels, s.label+" (serial "+s.serial+")")
		}
		closeAll(sessions)
		return nil, problem("name one with token= or serial= in the URI", "the PKCS#11 URI fits %d tokens: %s", len(labels), strings.Join(labels, ", "))
	}
	s := sessions[0]
	id, err := s.pair(o, certURI, keyURI, pin)
	if err != nil {
		s.close()
		return nil, err
	}
	if o.ReusePIN {
		id.pin = pin
	}
	return id, nil
}

// pinOf takes the PIN of the URI, else that of the request; nil: none.
func pinOf(o *wire.Open, uris ...*uri.URI) (*string, error) {
	for _, u := range uris {
		switch {
		case u == nil:
		case u.PINValue != nil:
			return u.PINValue, nil
		case u.PINSource != "":
			b, err := os.ReadFile(u.PINFile())
			if err != nil {
				return nil, problem("check the pin-source of the URI", "cannot read the PIN file: %w", err)
			}
			if len(b) > maxPIN {
				return nil, problem("the file is to hold the PIN alone", "the PIN file is larger than %d bytes", maxPIN)
			}
			pin := strings.TrimRight(string(b), "\r\n")
			return &pin, nil
		}
	}
	return o.PIN, nil
}

// pair logs in and puts certificate and key together. Nothing is signed for it: a key that wants a touch for every
// signature gets one.
func (s *session) pair(o *wire.Open, certURI, keyURI *uri.URI, pin *string) (*identity, error) {
	certs, err := s.candidates(o, certURI)
	if err != nil {
		return nil, err
	}
	if err := s.login(pin); err != nil {
		return nil, err
	}
	if certURI != nil && len(certs) == 0 { // some tokens hide certificates before the login
		if certs, err = s.candidates(o, certURI); err != nil {
			return nil, err
		}
		if len(certs) == 0 {
			return nil, problem("pkcs11-tool --list-objects --type cert shows what there is", "no certificate on the token %q fits the PKCS#11 URI", s.label)
		}
	}
	keys, err := s.find(pkcs11.CKO_PRIVATE_KEY, keyURI)
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, problem("pkcs11-tool --login --list-objects --type privkey shows what there is", "no private key on the token %q fits the PKCS#11 URI", s.label)
	}
	var found []*identity
	var selectable []selector.Candidate
	for i := range certs {
		if id := s.keyOf(&certs[i], keys, keyURI != nil); id != nil {
			found = append(found, id)
			selectable = append(selectable, selector.Candidate{Certificate: certs[i].cert, Where: "label " + certs[i].label})
		}
	}
	if len(found) == 0 {
		return nil, problem("name another certificate or another key; objects that belong together have the same id",
			"none of %d certificates belongs to one of the %d private keys that fit on the token %q", len(certs), len(keys), s.label)
	}
	i, err := (*selector.Selector)(nil).Select(selectable, o.Latest)
	if err != nil {
		return nil, err
	}
	id := found[i]
	id.fromToken = certURI != nil
	if id.fromToken {
		all, err := s.certificates(nil)
		if err != nil {
			return nil, err
		}
		var pool []*x509.Certificate
		for _, c := range all {
			pool = append(pool, c.cert)
		}
		id.chain = keysource.Issuers(id.leaf, pool)
	}
	return id, nil
}

func (s *session) candidates(o *wire.Open, certURI *uri.URI) ([]certificate, error) {
	if certURI != nil {
		return s.certificates(certURI)
	}
	c, err := x509.ParseCertificate(o.Leaf)
	if err != nil {
		return nil, problem("", "the certificate of the request cannot be read: %w", err)
	}
	return []certificate{{cert: c}}, nil
}

// keyOf picks the certificate's key: by its public part if the token tells it, else by the id, else, when the user has
// named the key and it is the only one, that. The client checks the first signature against the certificate anyway.
func (s *session) keyOf(c *certificate, keys []pkcs11.ObjectHandle, named bool) *identity {
	var blind []pkcs11.ObjectHandle
	for _, k := range keys {
		pub := s.publicKey(k)
		if pub == nil {
			blind = append(blind, k)
			continue
		}
		if keysource.SamePublicKey(pub, c.cert.PublicKey) {
			return s.newIdentity(c, k, pub)
		}
	}
	for _, k := range blind {
		if id := s.attribute(k, pkcs11.CKA_ID); len(id) > 0 && bytes.Equal(id, c.id) {
			return s.newIdentity(c, k, nil)
		}
	}
	if named && len(keys) == 1 && len(blind) == 1 {
		return s.newIdentity(c, blind[0], nil)
	}
	return nil
}

func (s *session) newIdentity(c *certificate, key pkcs11.ObjectHandle, pub crypto.PublicKey) *identity {
	id := &identity{session: s, key: key, leaf: c.cert, public: pub}
	if pub != nil {
		id.publicDER, _ = x509.MarshalPKIXPublicKey(pub) // its kinds can all be marshalled
	}
	always := s.attribute(key, pkcs11.CKA_ALWAYS_AUTHENTICATE)
	id.always = len(always) > 0 && always[0] != 0
	return id
}

// publicKey reads the public part of a private key, or of the public key object with the same id.
func (s *session) publicKey(key pkcs11.ObjectHandle) crypto.PublicKey {
	if pub := s.publicFrom(key); pub != nil {
		return pub
	}
	id := s.attribute(key, pkcs11.CKA_ID)
	if len(id) == 0 {
		return nil
	}
	handles, err := s.find(pkcs11.CKO_PUBLIC_KEY, &uri.URI{ID: id})
	if err != nil || len(handles) != 1 {
		return nil
	}
	return s.publicFrom(handles[0])
}

func (s *session) publicFrom(h pkcs11.ObjectHandle) crypto.PublicKey {
	if n, e := s.attribute(h, pkcs11.CKA_MODULUS), s.attribute(h, pkcs11.CKA_PUBLIC_EXPONENT); len(n) > 0 && len(e) > 0 && len(e) <= 4 {
		return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
	}
	if pub := ecPoint(s.attribute(h, pkcs11.CKA_EC_PARAMS), s.attribute(h, pkcs11.CKA_EC_POINT)); pub != nil {
		return pub
	}
	const ckaPublicKeyInfo = 0x129 // PKCS#11 2.40 §4.5
	if pub, err := x509.ParsePKIXPublicKey(s.attribute(h, ckaPublicKeyInfo)); err == nil {
		return pub
	}
	return nil
}

// ecPoint reads CKA_EC_PARAMS, a curve's object identifier, and CKA_EC_POINT, the point in an OCTET STRING or, from
// modules that misread the standard, bare.
func ecPoint(params, point []byte) crypto.PublicKey {
	var oid asn1.ObjectIdentifier
	if _, err := asn1.Unmarshal(params, &oid); err != nil {
		return nil
	}
	curve := map[string]elliptic.Curve{
		"1.2.840.10045.3.1.7": elliptic.P256(), "1.3.132.0.34": elliptic.P384(), "1.3.132.0.35": elliptic.P521(),
	}[oid.String()]
	if curve == nil {
		return nil
	}
	var inner []byte
	if rest, err := asn1.Unmarshal(point, &inner); err != nil || len(rest) > 0 {
		inner = point
	}
	pub, err := ecdsa.ParseUncompressedPublicKey(curve, inner)
	if err != nil {
		return nil
	}
	return pub
}
