package imds

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"io"
	"time"
)

// tokens makes and checks session tokens. A token carries its own end under a MAC, so there is no table of them that could
// be filled to push others out, and nothing to sweep. They end with the process.
type tokens struct {
	key  [32]byte
	rand io.Reader
	now  func() time.Time
}

const (
	tokenHead = 8 + 16 // end in Unix seconds, then random bytes
	tokenSize = tokenHead + sha256.Size
)

func newTokens(random io.Reader, now func() time.Time) *tokens {
	t := &tokens{rand: random, now: now}
	if _, err := io.ReadFull(random, t.key[:]); err != nil {
		panic(err) // crypto/rand.Reader never fails
	}
	return t
}

// issue makes a token that is valid for ttl.
func (t *tokens) issue(ttl time.Duration) (string, error) {
	b := make([]byte, tokenHead, tokenSize)
	binary.BigEndian.PutUint64(b, uint64(t.now().Add(ttl).Unix()))
	if _, err := io.ReadFull(t.rand, b[8:]); err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(t.mac(b, b)), nil
}

// left is how long text is still valid; 0 or less if it is not a valid token.
func (t *tokens) left(text string) time.Duration {
	if base64.RawURLEncoding.DecodedLen(len(text)) != tokenSize {
		return 0
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != tokenSize || !hmac.Equal(t.mac(nil, b[:tokenHead]), b[tokenHead:]) {
		return 0
	}
	end := time.Unix(int64(binary.BigEndian.Uint64(b)), 0)
	return end.Sub(t.now())
}

func (t *tokens) mac(dst, head []byte) []byte {
	h := hmac.New(sha256.New, t.key[:])
	h.Write(head)
	return h.Sum(dst)
}
