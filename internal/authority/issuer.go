package authority

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"math/big"
	"slices"
	"sync/atomic"
	"time"

	"github.com/rolecall/rolecall/internal/blockedkeys"
)

// Issuer is a CA that can sign.
type Issuer struct {
	ID        string
	Keys      Keys
	KeyRef    []byte // for Keys
	PublicKey crypto.PublicKey
	Subject   []byte // DER of the name that the CA was made for

	Certificate *x509.Certificate   // nil while the CA has none
	Chain       []*x509.Certificate // above Certificate, up to the root; empty for a root
	RootType    bool                // may sign its own certificate
	ShortLived  bool                // issues for at most 7 days

	// DistributionPoint is where the CA's revocation list is found; "" for nowhere.
	DistributionPoint string
	// OCSP and CAIssuers are where the CA's OCSP responder and its certificate are found; "" for nowhere.
	OCSP, CAIssuers string

	// Blocked are keys that are not certified, and not with either.
	Blocked *blockedkeys.List

	check *selfCheck // nil for a CA that is not busy
}

// Request asks for one certificate.
type Request struct {
	CSR       *CSR
	Template  *Template
	Algorithm SigningAlgorithm
	Validity  Validity
	NotBefore *Validity    // nil: an hour before Now
	API       *Passthrough // nil for none; counts only with templates that take extensions from the API
	Now       time.Time
}

// Token is a request that was found in order, with everything its certificate will contain. Only [Prepare] makes one, and
// [Issuer.Issue] takes it once.
type Token struct {
	issuer   *Issuer
	cert     *x509.Certificate // the template for what to sign
	pub      crypto.PublicKey
	self     bool
	draft    *draft // what to sign, checked
	consumed atomic.Bool
}

// ErrConsumed means that a token was used before.
var ErrConsumed = errors.New("authority: the issuance token was used before")

// Issue signs what the token says, once. The signature is checked before anybody sees it: a faulty one could tell the key.
func (i *Issuer) Issue(t *Token) (*x509.Certificate, error) {
	if t == nil || t.draft == nil || t.issuer != i {
		return nil, errors.New("authority: a token of another issuer")
	}
	if t.consumed.Swap(true) {
		return nil, ErrConsumed
	}
	var signature []byte
	checked := false
	err := i.use(func(key crypto.Signer) (err error) {
		// crypto/rsa verifies what it has signed, against faults between the two halves of the computation. crypto/ecdsa
		// does not, and of a token nothing is known.
		_, checked = key.(*rsa.PrivateKey)
		signature, err = crypto.SignMessage(key, rand.Reader, t.draft.tbs, t.draft.hash)
		return err
	})
	if err != nil {
		return nil, err
	}
	if !checked {
		if err := i.checkSignature(t.draft, signature); err != nil {
			return nil, err
		}
	}
	return t.draft.seal(signature)
}

// use opens the CA's key and makes sure that it is the CA's.
func (i *Issuer) use(fn func(crypto.Signer) error) error {
	return i.Keys.Use(i.ID, i.KeyRef, func(key crypto.Signer) error {
		if pub, ok := i.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); !ok || !pub.Equal(key.Public()) {
			return errors.New("authority: the stored key is not that of certificate authority " + i.ID)
		}
		return fn(key)
	})
}

// MakeCSR signs a request for the CA's own certificate.
func MakeCSR(keys Keys, id string, ref []byte, subject []byte, a SigningAlgorithm, ext *Extensions, access []Access) ([]byte, error) {
	req := &x509.CertificateRequest{RawSubject: subject}
	list, err := ext.encode()
	if err != nil {
		return nil, err
	}
	req.ExtraExtensions = list
	if len(access) > 0 {
		sia, err := subjectInfoAccess(access)
		if err != nil {
			return nil, err
		}
		req.ExtraExtensions = append(req.ExtraExtensions, sia)
	}
	var der []byte
	err = keys.Use(id, ref, func(key crypto.Signer) (err error) {
		if req.SignatureAlgorithm, err = a.signature(key.Public()); err != nil {
			return err
		}
		der, err = x509.CreateCertificateRequest(rand.Reader, req, key)
		return err
	})
	return der, err
}

// newSerial draws 128 random bits (the CA/Browser Forum asks for 64). They are never all zero.
func newSerial() (*big.Int, error) {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return nil, err
	}
	if slices.Max(b[:]) == 0 {
		return nil, errors.New("authority: the random generator returned zeros")
	}
	return new(big.Int).SetBytes(b[:]), nil
}
