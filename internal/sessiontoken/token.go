package sessiontoken

import (
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/rolecall/rolecall/internal/keyring"
)

// A token is base64 (standard alphabet, padded, as AWS's are) of
//
//	version(1) ‖ key id(4, big endian) ‖ nonce(24) ‖ XChaCha20-Poly1305 of the record ‖ tag(16)
//
// with version ‖ key id ‖ access key id as associated data. There is one spelling of a token and no other is accepted.
const (
	tokenHeader = 1 + 4
	tokenPrefix = tokenHeader + chacha20poly1305.NonceSizeX
	aadLength   = tokenHeader + AccessKeyIDLength

	// Labels of derived keys. No key does two jobs.
	sealLabel   = "rolecall/sessiontoken/seal/v1"
	secretLabel = "rolecall/sessiontoken/secret/v1"

	maxRawToken = tokenPrefix + maxRecord + chacha20poly1305.Overhead
)

// MaxTokenLength is the longest token, in characters. The usual one has a few hundred.
const MaxTokenLength = (maxRawToken + 2) / 3 * 4

// DefaultCacheEntries is how many opened tokens a [Sealer] remembers unless told otherwise.
const DefaultCacheEntries = 4096

// Sealer mints and opens tokens under a key ring. It is safe for concurrent use.
type Sealer struct {
	ring  *keyring.Ring
	cache *cache // nil if nothing is remembered
	codec codec
	// base64 is strict: bits set after the end would make other spellings of one token.
	base64 *base64.Encoding

	keys   atomic.Pointer[map[uint32]*derived]
	keysMu sync.Mutex // one builder of keys at a time
}

// derived are the working keys of one key of the ring.
type derived struct {
	key  *keyring.Key
	aead cipher.AEAD
	macs sync.Pool // of *secretMAC
}

// secretMAC is HMAC-SHA256 under the secret label, with room for what goes in and comes out.
type secretMAC struct {
	hash hash.Hash
	in   [AccessKeyIDLength + chacha20poly1305.NonceSizeX]byte
	sum  [sha256.Size]byte
}

// New is a Sealer that remembers [DefaultCacheEntries] opened tokens.
func New(ring *keyring.Ring) *Sealer { return NewSize(ring, DefaultCacheEntries) }

// NewSize is a Sealer that remembers about entries opened tokens, none if entries is not positive.
func NewSize(ring *keyring.Ring, entries int) *Sealer {
	s := &Sealer{ring: ring, base64: base64.StdEncoding.Strict()}
	if entries > 0 {
		s.cache = newCache(entries)
	}
	s.keys.Store(&map[uint32]*derived{})
	return s
}

// Cached is the number of opened tokens that are remembered now.
func (s *Sealer) Cached() int {
	if s.cache == nil {
		return 0
	}
	return s.cache.len()
}

// mintRoom is memory for one token while it is made, kept for the next.
type mintRoom struct {
	raw, text, packed []byte
	aad               [aadLength]byte
}

var mintRooms = sync.Pool{New: func() any {
	return &mintRoom{raw: make([]byte, tokenPrefix, tokenPrefix+1024), text: make([]byte, 0, 1536), packed: make([]byte, 0, 512)}
}}

// release keeps the room, and neither the session nor its token in it.
func (r *mintRoom) release() {
	clear(r.raw[:cap(r.raw)])
	clear(r.text[:cap(r.text)])
	clear(r.packed[:cap(r.packed)])
	mintRooms.Put(r)
}

// Mint makes credentials for sess under the key that is active at now. sess is not changed. The number is the size
// of its policies and tags as a percentage of [PackedLimit], also given with [ErrTooLarge]. Other errors wrap
// [ErrSession].
func (s *Sealer) Mint(now time.Time, sess *Session) (Credentials, int, error) {
	id := NewAccessKeyID(Temporary, sess.Account)
	if id == "" {
		return Credentials{}, 0, fmt.Errorf("%w: the account is not twelve digits", ErrSession)
	}
	room := mintRooms.Get().(*mintRoom)
	defer room.release()
	buf, packedPercent, err := s.codec.append(room.raw[:tokenPrefix], room.packed[:0], sess, now)
	if err != nil {
		return Credentials{}, packedPercent, err
	}
	d, ok := s.derived(s.ring.Active(now).ID)
	if !ok { // the key left the ring this instant
		return Credentials{}, 0, fmt.Errorf("%w: the active key is gone", ErrSession)
	}
	buf[0] = versionOf(sess)
	binary.BigEndian.PutUint32(buf[1:], d.key.ID)
	nonce := buf[tokenHeader:tokenPrefix]
	rand.Read(nonce) // 192 random bits: no counter is needed
	copy(room.aad[:], buf[:tokenHeader])
	copy(room.aad[tokenHeader:], id)
	room.raw = d.aead.Seal(buf[:tokenPrefix], nonce, buf[tokenPrefix:], room.aad[:])
	room.text = base64.StdEncoding.AppendEncode(room.text[:0], room.raw)
	return Credentials{
		AccessKeyID:     id,
		SecretAccessKey: d.secret(id, nonce),
		SessionToken:    string(room.text),
		Expiration:      wholeSeconds(sess.ExpiresAt),
	}, packedPercent, nil
}

// Open returns the session of a token and its secret access key. The caller must still check the request's signature
// with the secret: a token alone proves nothing. The error is [ErrExpired] or [ErrInvalid], as they are.
func (s *Sealer) Open(now time.Time, accessKeyID, token string) (sess *Session, secret string, err error) {
	if len(accessKeyID) != AccessKeyIDLength || len(token) > MaxTokenLength {
		return nil, "", ErrInvalid
	}
	var sum cacheKey
	if s.cache != nil {
		sum = cacheSum(accessKeyID, token)
		if e := s.cache.get(&sum); e != nil {
			// A key that left the ring takes its sessions with it.
			if k, ok := s.ring.Key(e.key.ID); !ok || k != e.key {
				s.cache.drop(&sum)
				return nil, "", ErrInvalid
			}
			if !now.Before(e.session.ExpiresAt) {
				s.cache.drop(&sum)
				return nil, "", ErrExpired
			}
			return e.session, e.secret, nil
		}
	}
	e, err := s.open(accessKeyID, token)
	if err != nil {
		return nil, "", err
	}
	if !now.Before(e.session.ExpiresAt) {
		return nil, "", ErrExpired
	}
	if s.cache != nil {
		e = s.cache.put(now, &sum, e)
	}
	return e.session, e.secret, nil
}

// open authenticates and decodes a token, whatever the time.
func (s *Sealer) open(accessKeyID, token string) (*entry, error) {
	if strings.ContainsAny(token, "\r\n") { // which the decoder would skip
		return nil, ErrInvalid
	}
	var textStack, rawStack [1536]byte // the usual token, without a heap buffer
	text := append(textStack[:0], token...)
	raw := rawStack[:]
	if n := len(token) / 4 * 3; n > len(raw) {
		raw = make([]byte, n)
	}
	n, err := s.base64.Decode(raw, text)
	if err != nil || n < tokenPrefix+chacha20poly1305.Overhead || (raw[0] != 1 && raw[0] != 2) {
		return nil, ErrInvalid
	}
	raw = raw[:n]
	d, ok := s.derived(binary.BigEndian.Uint32(raw[1:]))
	if !ok {
		return nil, ErrInvalid
	}
	var aad [aadLength]byte
	copy(aad[:], raw[:tokenHeader])
	copy(aad[tokenHeader:], accessKeyID)
	nonce, box := raw[tokenHeader:tokenPrefix], raw[tokenPrefix:]
	plain, err := d.aead.Open(box[:0], nonce, box, aad[:])
	if err != nil {
		return nil, ErrInvalid
	}
	sess, err := s.codec.decode(plain, raw[0])
	if err != nil {
		return nil, ErrInvalid
	}
	sess.AccessKeyID = strings.Clone(accessKeyID) // not a piece of the request's headers
	sess.memo = new(memo)
	return &entry{key: d.key, session: sess, secret: d.secret(accessKeyID, nonce)}, nil
}

// derived finds or makes the working keys of a key of the ring.
func (s *Sealer) derived(id uint32) (*derived, bool) {
	k, ok := s.ring.Find(id)
	if !ok {
		return nil, false
	}
	if d := (*s.keys.Load())[id]; d != nil && d.key == k {
		return d, true
	}
	s.keysMu.Lock()
	defer s.keysMu.Unlock()
	old := *s.keys.Load()
	if d := old[id]; d != nil && d.key == k {
		return d, true
	}
	next := make(map[uint32]*derived, len(old)+1)
	for id, d := range old {
		if k, ok := s.ring.Key(id); ok && k == d.key { // what left the ring is forgotten
			next[id] = d
		}
	}
	d, err := newDerived(k)
	if err != nil {
		return nil, false
	}
	next[id] = d
	s.keys.Store(&next)
	return d, true
}

func newDerived(k *keyring.Key) (*derived, error) {
	aead, err := chacha20poly1305.NewX(k.Derive(sealLabel, chacha20poly1305.KeySize))
	if err != nil {
		return nil, err
	}
	d := &derived{key: k, aead: aead}
	macKey := k.Derive(secretLabel, sha256.Size)
	d.macs.New = func() any { return &secretMAC{hash: hmac.New(sha256.New, macKey)} }
	return d, nil
}

// secret is the secret access key: the first 240 bits of HMAC-SHA256 over access key id ‖ nonce, both of fixed length.
func (d *derived) secret(accessKeyID string, nonce []byte) string {
	mac := d.macs.Get().(*secretMAC)
	copy(mac.in[:], accessKeyID)
	copy(mac.in[AccessKeyIDLength:], nonce)
	mac.hash.Reset()
	mac.hash.Write(mac.in[:])
	var text [SecretLength]byte
	base64.StdEncoding.Encode(text[:], mac.hash.Sum(mac.sum[:0])[:SecretLength/4*3])
	clear(mac.sum[:])
	d.macs.Put(mac)
	return string(text[:])
}

// wholeSeconds is the resolution of the record's times.
func wholeSeconds(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }
