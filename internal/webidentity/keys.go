package webidentity

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	josejson "github.com/go-jose/go-jose/v4/json"
	"golang.org/x/sync/singleflight"
)

const (
	maxKeys    = 100  // of a provider, as in AWS
	minRSABits = 2048 // RFC 7518 §3.3
	maxRSABits = 8192 // a larger one only costs time

	// refreshEvery is how often a token with an unknown key id may make us ask the provider again.
	refreshEvery = 30 * time.Second
	// failureLife is how long a failed fetch answers for those that follow.
	failureLife = 5 * time.Second
	// maxRemembered bounds the providers that are remembered.
	maxRemembered = 1000
)

// keySet are a provider's usable keys.
type keySet struct{ keys []jose.JSONWebKey }

// parseKeySet reads a JWK set (RFC 7517 §5). Keys that cannot be used are left out: providers publish them for others.
func parseKeySet(body []byte) (*keySet, error) {
	var raw struct {
		Keys []josejson.RawMessage `json:"keys"`
	}
	if err := josejson.Unmarshal(body, &raw); err != nil {
		return nil, fmt.Errorf("%w: the key set is not JSON of the right form", ErrKeys)
	}
	if len(raw.Keys) > maxKeys {
		return nil, fmt.Errorf("%w: there are %d, at most %d are read", ErrKeys, len(raw.Keys), maxKeys)
	}
	s := &keySet{}
	for _, text := range raw.Keys {
		var k jose.JSONWebKey
		if josejson.Unmarshal(text, &k) == nil && usable(&k) {
			s.keys = append(s.keys, k)
		}
	}
	return s, nil
}

// usable admits public RSA and NIST keys that are for signatures. Symmetric keys are never among them.
func usable(k *jose.JSONWebKey) bool {
	if !k.IsPublic() || !k.Valid() || k.Use != "" && k.Use != "sig" {
		return false
	}
	switch pub := k.Key.(type) {
	case *rsa.PublicKey:
		n := pub.N.BitLen()
		return n >= minRSABits && n <= maxRSABits && pub.E >= 3 && pub.E%2 == 1
	case *ecdsa.PublicKey:
		return curves[pub.Curve.Params().Name] != ""
	}
	return false
}

// curves gives each curve its one algorithm (RFC 7518 §3.4).
var curves = map[string]jose.SignatureAlgorithm{"P-256": jose.ES256, "P-384": jose.ES384, "P-521": jose.ES512}

// fits reports whether a key may check signatures of an algorithm: the key decides, not the token.
func fits(k *jose.JSONWebKey, alg jose.SignatureAlgorithm) bool {
	if k.Algorithm != "" && k.Algorithm != string(alg) {
		return false
	}
	switch pub := k.Key.(type) {
	case *rsa.PublicKey:
		return strings.HasPrefix(string(alg), "RS") || strings.HasPrefix(string(alg), "PS")
	case *ecdsa.PublicKey:
		return curves[pub.Curve.Params().Name] == alg
	}
	return false
}

// find is the key of an id. Without one, the set must leave no choice.
func (s *keySet) find(id string, alg jose.SignatureAlgorithm) *jose.JSONWebKey {
	var found *jose.JSONWebKey
	for i := range s.keys {
		k := &s.keys[i]
		if id != "" && k.KeyID != id || !fits(k, alg) {
			continue
		}
		if found != nil {
			return nil
		}
		found = k
	}
	return found
}

// entry is what is remembered of a provider.
type entry struct {
	set     *keySet
	err     error // of the last fetch, if there is no set
	fetched time.Time
	until   time.Time
}

// memory holds the key sets of providers.
type memory struct {
	mu      sync.Mutex // guards entries: readers are few beside the signature checks
	entries map[[sha256.Size]byte]*entry
	flights singleflight.Group // one fetch of a provider at a time
}

func (m *memory) get(key [sha256.Size]byte) *entry {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.entries[key]
}

func (m *memory) put(key [sha256.Size]byte, e *entry, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.entries == nil {
		m.entries = map[[sha256.Size]byte]*entry{}
	}
	if len(m.entries) >= maxRemembered {
		for k, old := range m.entries {
			if !now.Before(old.until) || len(m.entries) >= maxRemembered {
				delete(m.entries, k)
			}
		}
	}
	m.entries[key] = e
}

// key finds the key for a token's header. A key id that is not there makes the provider be asked again, within a rate.
func (v *Verifier) key(ctx context.Context, p *Provider, id string, alg jose.SignatureAlgorithm) (*jose.JSONWebKey, error) {
	now := v.cfg.Clock()
	e := v.memory.get(p.key())
	if e == nil || !now.Before(e.until) {
		var err error
		if e, err = v.load(ctx, p); err != nil {
			return nil, err
		}
	}
	if e.set == nil {
		return nil, e.err
	}
	if k := e.set.find(id, alg); k != nil {
		return k, nil
	}
	if now.Sub(e.fetched) >= refreshEvery {
		var err error
		if e, err = v.load(ctx, p); err != nil {
			return nil, err
		}
		if e.set != nil {
			if k := e.set.find(id, alg); k != nil {
				return k, nil
			}
		}
	}
	return nil, fmt.Errorf("%w: the provider has no key for it", ErrToken)
}

// load fetches a provider's keys, once for all who wait, and remembers what came of it. A fetch that fails leaves keys
// that are still within their time alone.
func (v *Verifier) load(ctx context.Context, p *Provider) (*entry, error) {
	key := p.key()
	c := v.memory.flights.DoChan(string(key[:]), func() (any, error) {
		// The fetch serves others than the one who started it.
		got, err := v.fetch(context.WithoutCancel(ctx), p)
		now := v.cfg.Clock()
		e := &entry{fetched: now}
		switch old := v.memory.get(key); {
		case err == nil:
			e.set, e.until = got.set, now.Add(got.life)
		case old != nil && old.set != nil && now.Before(old.until):
			e.set, e.until = old.set, old.until
		default:
			e.err, e.until = err, now.Add(failureLife)
		}
		v.memory.put(key, e, now)
		return e, nil
	})
	select {
	case r := <-c:
		e, ok := r.Val.(*entry)
		if !ok {
			return nil, errors.New("webidentity: a fetch without a result")
		}
		return e, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
