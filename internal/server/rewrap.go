package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/authority"
	"github.com/rolecall/rolecall/internal/enroll"
	"github.com/rolecall/rolecall/internal/gate"
	"github.com/rolecall/rolecall/internal/keyring"
	"github.com/rolecall/rolecall/internal/store"
	"github.com/rolecall/rolecall/internal/webissuer"
)

// rewrapBatch is how many values one transaction seals anew: the server's own go on in between.
const rewrapBatch = 50

// sealing is how the values of a kind are sealed.
func sealing(k store.SealedKind, v *store.SealedValue) (label string, aad []byte, err error) {
	switch k {
	case store.SealedAccessKeys:
		return gate.SecretLabel, []byte(v.ID), nil
	case store.SealedCAKeys:
		return authority.SealLabel, []byte(v.ID), nil
	case store.SealedResponders:
		return authority.ResponderLabel, []byte(v.ID), nil
	case store.SealedKeytabs:
		return enroll.KeytabLabel, enroll.Bound(v.Account, v.Region, v.ID), nil
	case store.SealedPasswords:
		return enroll.PasswordLabel, enroll.Bound(v.Account, v.Region, v.ID), nil
	case store.SealedIssuerKeys:
		return webissuer.KeyLabel, webissuer.SealedFor(v.Account, v.ID), nil
	case store.SealedServer:
		return ringCheckLabel, nil, nil
	}
	return "", nil, fmt.Errorf("values of kind %q are sealed in an unknown way", k)
}

// KeyUse is how many stored values each key has sealed, by the key's id.
type KeyUse map[uint32]map[store.SealedKind]int

// Of is the number of values under a key.
func (u KeyUse) Of(id uint32) (n int) {
	for _, count := range u[id] {
		n += count
	}
	return n
}

func keyUse(ctx context.Context, db *store.DB) (KeyUse, error) {
	var use KeyUse
	err := db.Read(ctx, func(tx *store.Tx) error {
		use = KeyUse{}
		for _, kind := range store.SealedKinds() {
			heads, err := tx.SealHeads(kind)
			if err != nil {
				return err
			}
			for head, n := range heads {
				id, ok := keyring.HeadKey(head)
				if !ok {
					continue // a key in a token
				}
				if use[id] == nil {
					use[id] = map[store.SealedKind]int{}
				}
				use[id][kind] += n
			}
		}
		return nil
	})
	return use, err
}

// checkKeys refuses a key ring that lacks a key which stored values are sealed under.
func checkKeys(ctx context.Context, db *store.DB, ring *keyring.Ring) error {
	use, err := keyUse(ctx, db)
	if err != nil {
		return err
	}
	var lost []string
	for id := range use {
		if _, ok := ring.Find(id); ok {
			continue
		}
		for _, kind := range store.SealedKinds() {
			if n := use[id][kind]; n > 0 {
				lost = append(lost, fmt.Sprintf("%d %s under key %08x", n, kind, id))
			}
		}
	}
	if len(lost) == 0 {
		return nil
	}
	slices.Sort(lost)
	return fmt.Errorf("the key ring lacks keys that the store depends on (%s): put back a copy of %s that has them", strings.Join(lost, ", "), KeyRingFile)
}

// KeyUsage counts what depends on each key of a data folder's ring.
func KeyUsage(ctx context.Context, cfg Config) (use KeyUse, err error) {
	err = withStore(ctx, &cfg, func(db *store.DB, _ *keyring.Ring) error {
		use, err = keyUse(ctx, db)
		return err
	})
	return use, err
}

// RotateKey adds a key to the ring of a data folder, which becomes active after the time. If the store can be reached by the
// configuration, the ring must be the store's, and whole: a rotation of another one helps nobody.
func RotateKey(ctx context.Context, cfg Config, after time.Duration) (key *keyring.Key, err error) {
	if HasStore(cfg) {
		if err := withStore(ctx, &cfg, func(db *store.DB, ring *keyring.Ring) error { return checkKeys(ctx, db, ring) }); err != nil {
			return nil, err
		}
	}
	ring, err := keyring.Load(filepath.Join(cfg.DataDir, KeyRingFile))
	if err != nil {
		return nil, err
	}
	return ring.Rotate(time.Now().Add(after))
}

// RewrapKeys seals every stored value that is under another key anew, under the active one. It may run beside servers, be
// ended at any time and be started again. progress is told after each transaction how many values were done of a kind.
func RewrapKeys(ctx context.Context, cfg Config, progress func(kind store.SealedKind, done int)) (total int, err error) {
	err = withStore(ctx, &cfg, func(db *store.DB, ring *keyring.Ring) error {
		if err := checkKeys(ctx, db, ring); err != nil {
			return err
		}
		total, err = rewrap(ctx, db, ring, progress)
		return err
	})
	return total, err
}

func rewrap(ctx context.Context, db *store.DB, ring *keyring.Ring, progress func(store.SealedKind, int)) (total int, err error) {
	active := ring.Active(time.Now())
	for _, kind := range store.SealedKinds() {
		for _, key := range ring.Keys() {
			if key.ID == active.ID {
				continue
			}
			for {
				n, err := rewrapSome(ctx, db, ring, kind, key)
				if err != nil {
					return total, err
				}
				if total += n; n == 0 {
					break
				}
				progress(kind, n)
			}
		}
	}
	return total, nil
}

// rewrapSome is one small transaction. Everything is opened before anything is replaced.
func rewrapSome(ctx context.Context, db *store.DB, ring *keyring.Ring, kind store.SealedKind, key *keyring.Key) (n int, err error) {
	err = db.Update(ctx, func(tx *store.Tx) error {
		n = 0
		values, err := tx.ListSealed(kind, key.Head(), rewrapBatch)
		if err != nil {
			return err
		}
		for i := range values {
			v := &values[i]
			label, aad, err := sealing(kind, v)
			if err != nil {
				return err
			}
			plain, err := ring.Open(label, aad, v.Value)
			if err != nil {
				return fmt.Errorf("%s: %s: %w", kind, v.ID, err)
			}
			sealed := ring.Seal(label, aad, plain)
			clear(plain)
			if id, _ := keyring.SealedUnder(sealed); id == key.ID {
				return errors.New("the active key has changed meanwhile: start again")
			}
			if err := tx.ReplaceSealed(kind, v, sealed); err != nil {
				return err
			}
			n++
		}
		return nil
	})
	return n, err
}

// sessionLife is the longest life of what is sealed under a key and stored nowhere (GetSessionToken: 36 hours).
const sessionLife = 36 * time.Hour

// settled is how long a new key must be active before an older one goes: every node has taken it up by then.
const settled = time.Minute

// RetireKey removes a key that nothing depends on from the key ring. Sessions and enrollment tokens that were made under
// it end: endSessions says that they may.
func RetireKey(ctx context.Context, cfg Config, id uint32, endSessions bool) error {
	return withStore(ctx, &cfg, func(db *store.DB, ring *keyring.Ring) error {
		if err := checkKeys(ctx, db, ring); err != nil {
			return err
		}
		use, err := keyUse(ctx, db)
		if err != nil {
			return err
		}
		if n := use.Of(id); n > 0 {
			return fmt.Errorf("key %08x still seals %d stored values: seal them anew with keys rewrap", id, n)
		}
		tokens, err := openTokens(ctx, db, id)
		if err != nil {
			return err
		}
		if tokens > 0 && !endSessions {
			return fmt.Errorf("%d enrollment tokens under key %08x can still be used (enroll-token list shows them, --end-sessions ends them)", tokens, id)
		}
		since := time.Since(ring.Active(time.Now()).ActiveFrom)
		if since < settled {
			return fmt.Errorf("the active key is in use for %s only: wait for a minute", since.Round(time.Second))
		}
		if since < sessionLife && !endSessions {
			return fmt.Errorf("the active key is in use for %s only: sessions under key %08x, of up to %s, may be running (--end-sessions ends them)", since.Round(time.Minute), id, sessionLife)
		}
		return ring.Retire(id, time.Now())
	})
}

// openTokens counts the enrollment tokens that the key proves and that can still be used.
func openTokens(ctx context.Context, db *store.DB, key uint32) (n int, err error) {
	err = db.Read(ctx, func(tx *store.Tx) error {
		n = 0
		for after := ""; ; {
			page, next, err := tx.ListEnrollmentTokens(store.MaxPage, after)
			if err != nil {
				return err
			}
			for i := range page {
				if t := &page[i]; t.KeyID == key && t.UsesLeft > 0 && tx.Now.Before(t.ExpiresAt) {
					n++
				}
			}
			if after = next; after == "" {
				return nil
			}
		}
	})
	return n, err
}

// HasStore reports whether the store of the configuration can be there: a database file, or one elsewhere.
func HasStore(cfg Config) bool {
	if cfg.Store != "" && cfg.Store != "sqlite" {
		return isPostgres(cfg.Store)
	}
	_, err := os.Stat(filepath.Join(cfg.DataDir, "rolecall.db"))
	return err == nil
}
