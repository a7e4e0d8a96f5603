package hsm

import (
	"crypto"

	"github.com/rolecall/rolecall/internal/authority"
	pca "github.com/rolecall/rolecall/internal/awsapi/model/acmpca"
)

// Keys keeps the keys of CAs where their key storage security standard wants them: in the token, or sealed.
type Keys struct {
	Sealed authority.SealedKeys
	Token  *Token // nil: none is configured
}

var _ interface {
	authority.Keys
	authority.Opener
} = Keys{}

// inToken decides for new keys. Level 2 is what a sealed key claims on a server with a token.
func (k Keys) inToken(standard string) bool {
	return k.Token != nil && standard != string(pca.KeyStorageSecurityStandardFips1402Level2OrHigher)
}

// Generate implements [authority.Keys].
func (k Keys) Generate(id string, a authority.KeyAlgorithm, standard string) ([]byte, error) {
	if k.inToken(standard) {
		return k.Token.generate(id, a)
	}
	return k.Sealed.Generate(id, a, standard)
}

// Slow implements [authority.Keys].
func (k Keys) Slow(a authority.KeyAlgorithm, standard string) bool {
	return k.inToken(standard) || k.Sealed.Slow(a, standard)
}

// Supports implements [authority.Keys].
func (k Keys) Supports(standard string) bool {
	return k.inToken(standard) || k.Sealed.Supports(standard)
}

// Use implements [authority.Keys].
func (k Keys) Use(id string, ref []byte, fn func(crypto.Signer) error) error {
	key, err := k.Open(id, ref)
	if err != nil {
		return err
	}
	return fn(key)
}

// Open implements [authority.Opener].
func (k Keys) Open(id string, ref []byte) (crypto.Signer, error) {
	if inToken(ref) {
		return k.Token.open(id, ref)
	}
	return k.Sealed.Open(id, ref)
}

// Delete implements [authority.Keys].
func (k Keys) Delete(id string, ref []byte) error {
	if inToken(ref) {
		return k.Token.remove(id)
	}
	return k.Sealed.Delete(id, ref)
}
