package certchain

import (
	"crypto/ecdsa"
	"sync"
	"sync/atomic"

	"github.com/rolecall/rolecall/internal/p256"
)

const (
	// preparedAfter is how often a certificate has to be found valid before its key is prepared: preparing takes as long
	// as it later spares in two verifications.
	preparedAfter = 32
	// maxPrepared bounds the keys that are prepared at a time, of 12 KiB each.
	maxPrepared = 64
)

// keyUse counts how often a leaf was found valid and holds its prepared key.
type keyUse struct {
	valid    atomic.Uint32
	prepared atomic.Pointer[p256.Key]
}

// VerifyECDSA verifies like ecdsa.VerifyASN1, and faster if pub is the certificate's own key and has been prepared.
func (l *Leaf) VerifyECDSA(pub *ecdsa.PublicKey, digest, sig []byte) bool {
	if k := l.keyUse.prepared.Load(); k != nil && k.Is(pub) {
		return k.Verify(digest, sig)
	}
	return ecdsa.VerifyASN1(pub, digest, sig)
}

// preparedKeys are the leaves whose keys are prepared, replaced in turn. Only certificates that lead to a trust anchor, and
// whose holders showed the key, get here.
type preparedKeys struct {
	mu     sync.Mutex
	leaves [maxPrepared]*Leaf
	next   int
}

func (p *preparedKeys) count(l *Leaf) {
	if l.keyUse.prepared.Load() != nil || l.keyUse.valid.Add(1) < preparedAfter {
		return
	}
	l.keyUse.valid.Store(0)
	pub, ok := l.cert.PublicKey.(*ecdsa.PublicKey)
	if !ok {
		return
	}
	key, err := p256.New(pub)
	if err != nil {
		return // another curve, or FIPS 140 mode: the standard library goes on verifying
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
}
