package certchain

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/base64"
	"sync"
	"sync/atomic"

	"github.com/rolecall/rolecall/internal/p256"
	"github.com/rolecall/rolecall/internal/rsakey"
)

const (
	// preparedAfter is how often a certificate has to be found valid before its key is prepared: preparing takes as long
	// as it later spares in two verifications.
	preparedAfter = 32
	// maxPrepared bounds the keys that are prepared at a time, of 12 KiB each at most.
	maxPrepared = 64
)

// keyUse counts how often a leaf was found valid and holds its prepared key.
type keyUse struct {
	valid    atomic.Uint32
	prepared atomic.Pointer[preparedKey]
}

// preparedKey is one of the two.
type preparedKey struct {
	p256 *p256.Key
	rsa  *rsakey.Key
}

// prepare gives nil for keys that the standard library goes on verifying: other curves, unusual RSA keys, all in FIPS 140 mode.
func prepare(public any) *preparedKey {
	switch public := public.(type) {
	case *ecdsa.PublicKey:
		if k, err := p256.New(public); err == nil {
			return &preparedKey{p256: k}
		}
	case *rsa.PublicKey:
		if k, err := rsakey.New(public); err == nil {
			return &preparedKey{rsa: k}
		}
	}
	return nil
}

// VerifyECDSA verifies like ecdsa.VerifyASN1, and faster if pub is the certificate's own key and has been prepared.
func (l *Leaf) VerifyECDSA(pub *ecdsa.PublicKey, digest, sig []byte) bool {
	if k := l.keyUse.prepared.Load(); k != nil && k.p256 != nil && k.p256.Is(pub) {
		return k.p256.Verify(digest, sig)
	}
	return ecdsa.VerifyASN1(pub, digest, sig)
}

// VerifyRSA verifies a SHA-256 digest like rsa.VerifyPKCS1v15, and faster if pub is the certificate's own key and has been
// prepared.
func (l *Leaf) VerifyRSA(pub *rsa.PublicKey, digest, sig []byte) bool {
	if k := l.keyUse.prepared.Load(); k != nil && k.rsa != nil && k.rsa.Is(pub) {
		return k.rsa.Verify(digest, sig)
	}
	return rsa.VerifyPKCS1v15(pub, crypto.SHA256, digest, sig) == nil
}

// preparedKeys are the leaves whose keys are prepared, replaced in turn. Only certificates that lead to a trust anchor, and
// whose holders showed the key, get here.
type preparedKeys struct {
	// byHeader finds a leaf by its header value, so that the value need not be decoded. It is replaced, never changed.
	byHeader atomic.Pointer[map[string]*Leaf]

	mu     sync.Mutex
	leaves [maxPrepared]*Leaf
	next   int
}

// find returns the prepared leaf that header is the base64 of, or nil.
func (p *preparedKeys) find(header string) *Leaf {
	if m := p.byHeader.Load(); m != nil {
		return (*m)[header]
	}
	return nil
}

// index makes byHeader follow leaves.
func (p *preparedKeys) index() {
	m := make(map[string]*Leaf, maxPrepared)
	for _, l := range p.leaves {
		if l != nil {
			m[base64.StdEncoding.EncodeToString(l.cert.Raw)] = l
		}
	}
	p.byHeader.Store(&m)
}

func (p *preparedKeys) count(l *Leaf) {
	if l.keyUse.prepared.Load() != nil || l.keyUse.valid.Add(1) < preparedAfter {
		return
	}
	l.keyUse.valid.Store(0)
	key := prepare(l.cert.PublicKey)
	if key == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if l.keyUse.prepared.Load() != nil {
		return
	}
	if old := p.leaves[p.next]; old != nil {
		old.keyUse.prepared.Store(nil)
	}
	p.leaves[p.next] = l
	p.next = (p.next + 1) % maxPrepared
	l.keyUse.prepared.Store(key)
	p.index()
}
