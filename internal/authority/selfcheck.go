package authority

import (
	"crypto/ecdsa"
	"crypto/x509"
	"fmt"
	"sync/atomic"

	"github.com/rolecall/rolecall/internal/p256"
)

// preparedAfter is how many signatures a CA has made when the check of further ones is prepared: that takes as long as it
// spares in two.
const preparedAfter = 16

// selfCheck is what speeds up checking the signatures of one CA that issues much.
type selfCheck struct {
	made     atomic.Uint32
	prepared atomic.Pointer[p256.Key]
}

// Busy makes i ready to sign often: its key stays open for up to a minute if Keys can do so, and checking its signatures
// becomes cheaper. It is called before i is shared.
func (i *Issuer) Busy() {
	if o, ok := i.Keys.(Opener); ok {
		i.Keys = &heldKey{Keys: i.Keys, opener: o}
	}
	i.check = new(selfCheck)
}

// checkSignature makes sure that the signature under the draft is the CA's. That of a key in memory could tell the key if a
// fault had come in between, and a token may do what it likes.
func (i *Issuer) checkSignature(d *draft, signature []byte) error {
	if pub, ok := i.PublicKey.(*ecdsa.PublicKey); ok && i.check != nil {
		if key := i.check.key(pub); key != nil {
			h := d.hash.New()
			h.Write(d.tbs)
			if !key.Verify(h.Sum(nil), signature) {
				return fmt.Errorf("authority: the signature that was made is not valid")
			}
			return nil
		}
	}
	if err := (&x509.Certificate{PublicKey: i.PublicKey}).CheckSignature(d.cert.SignatureAlgorithm, d.tbs, signature); err != nil {
		return fmt.Errorf("authority: the signature that was made is not valid: %w", err)
	}
	return nil
}

// key is the prepared key, nil while there is none, and always for other curves and in FIPS 140 mode.
func (c *selfCheck) key(pub *ecdsa.PublicKey) *p256.Key {
	if k := c.prepared.Load(); k != nil && k.Is(pub) {
		return k
	}
	if c.made.Add(1) != preparedAfter {
		return nil
	}
	k, err := p256.New(pub)
	if err != nil {
		return nil
	}
	c.prepared.Store(k)
	return k
}
