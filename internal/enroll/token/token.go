// Package token makes and checks enrollment tokens: a public id and a secret of 192 random bits, of which the store holds
// an HMAC under the key ring. It decides nothing about what a token is good for.
//
// Start with [New] and [Secret.Proves].
package token

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/keyring"
	"github.com/rolecall/rolecall/internal/store"
)

// Prefix begins every token, so that scanners find leaked ones.
const Prefix = "rct-"

const (
	idBytes     = 10
	secretBytes = 24
	textLength  = len(Prefix) + 2*idBytes + 1 + 2*secretBytes
	// macLabel is the key ring label of tokens' MACs. It never changes.
	macLabel = "enrollment-token"
)

// Secret is a token as its holder has it. It has no text form of its own: what formats it shows the id.
type Secret struct {
	ID     string
	secret [secretBytes]byte
}

// String implements [fmt.Stringer] without the secret.
func (s *Secret) String() string { return Prefix + s.ID }

// GoString implements [fmt.GoStringer] without the secret.
func (s *Secret) GoString() string { return s.String() }

// New draws a token: text is for its holder, id, key and MAC for the store.
func New(ring *keyring.Ring, now time.Time) (text string, row *store.EnrollmentToken, err error) {
	var id [idBytes]byte
	s := &Secret{}
	if _, err := rand.Read(id[:]); err != nil {
		return "", nil, err
	}
	if _, err := rand.Read(s.secret[:]); err != nil {
		return "", nil, err
	}
	s.ID = hex.EncodeToString(id[:])
	key := ring.Active(now)
	return Prefix + s.ID + "-" + hex.EncodeToString(s.secret[:]), &store.EnrollmentToken{ID: s.ID, KeyID: key.ID, MAC: s.mac(key), CreatedAt: now}, nil
}

var errForm = errors.New("not an enrollment token")

// Parse reads a token's text. The error does not repeat it.
func Parse(text string) (*Secret, error) {
	rest, ok := strings.CutPrefix(text, Prefix)
	if !ok || len(text) != textLength || rest[2*idBytes] != '-' || rest != strings.ToLower(rest) {
		return nil, errForm
	}
	s := &Secret{ID: rest[:2*idBytes]}
	if _, err := hex.DecodeString(s.ID); err != nil {
		return nil, errForm
	}
	if _, err := hex.Decode(s.secret[:], []byte(rest[2*idBytes+1:])); err != nil {
		return nil, errForm
	}
	return s, nil
}

func (s *Secret) mac(k *keyring.Key) []byte {
	h := hmac.New(sha256.New, k.Derive(macLabel, 32))
	h.Write([]byte(s.ID)) // of fixed length
	h.Write(s.secret[:])
	return h.Sum(nil)
}

// Proves reports whether the row is of this token. It takes the same time wherever the two differ.
func (s *Secret) Proves(ring *keyring.Ring, row *store.EnrollmentToken) bool {
	key, ok := ring.Find(row.KeyID)
	return ok && row.ID == s.ID && hmac.Equal(s.mac(key), row.MAC)
}
