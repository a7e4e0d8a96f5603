package acmpca

import (
	"crypto/sha256"
	"encoding/hex"
	"sync"
	"time"

	"github.com/rolecall/rolecall/internal/store"
)

// Bounds of what is remembered; an answer has about a kilobyte.
const (
	maxOCSPAnswers = 10_000
	maxOCSPIssued  = 50_000
)

// ocspCache remembers signed answers and that certificates were issued. An answer counts only with the very rows of the
// cached view that it was made from: when a revocation, or a new responder, drops a row from the view, the answers
// from it are void with the next look.
type ocspCache struct {
	mu      sync.RWMutex // guards both maps, which requests share
	answers map[string]*keptAnswer
	known   map[issuedKey]struct{}
}

type issuedKey struct{ authority, serial string }

type keptAnswer struct {
	ocspAnswer
	responder *store.Cached[store.OCSPResponder]
	part      *store.Cached[store.RevokedPart]
	until     time.Time
}

func newOCSPCache() *ocspCache {
	return &ocspCache{answers: map[string]*keptAnswer{}, known: map[issuedKey]struct{}{}}
}

// find returns the answer for a CertID; nil if there is none that holds.
func (c *ocspCache) find(id []byte, r *store.Cached[store.OCSPResponder], p *store.Cached[store.RevokedPart], now time.Time) *ocspAnswer {
	c.mu.RLock()
	k := c.answers[string(id)]
	c.mu.RUnlock()
	if k == nil || k.responder != r || k.part != p || !now.Before(k.until) {
		return nil
	}
	return &k.ocspAnswer
}

func (c *ocspCache) add(id []byte, r *store.Cached[store.OCSPResponder], p *store.Cached[store.RevokedPart], der []byte, from, to time.Time) *ocspAnswer {
	sum := sha256.Sum256(der)
	k := &keptAnswer{ocspAnswer{der, from, to, `"` + hex.EncodeToString(sum[:16]) + `"`}, r, p, from.Add(to.Sub(from) / 2)}
	c.mu.Lock()
	defer c.mu.Unlock()
	makeRoom(c.answers, maxOCSPAnswers)
	c.answers[string(id)] = k
	return &k.ocspAnswer
}

func (c *ocspCache) issued(k issuedKey) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	_, ok := c.known[k]
	return ok
}

func (c *ocspCache) noteIssued(k issuedKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	makeRoom(c.known, maxOCSPIssued)
	c.known[k] = struct{}{}
}

// makeRoom takes some entries, whichever come first, out of a full map.
func makeRoom[K comparable, V any](m map[K]V, most int) {
	if len(m) < most {
		return
	}
	n := most / 16
	for k := range m {
		delete(m, k)
		if n--; n == 0 {
			return
		}
	}
}
