package webissuer

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/rolecall/rolecall/internal/keyring"
	"github.com/rolecall/rolecall/internal/store"
)

const account = "123456789012"

var t0 = time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)

func newIssuer(t *testing.T) (*Issuer, *store.DB) {
	t.Helper()
	db, err := store.Open(t.Context(), store.Config{Source: "memory"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return New(Config{DB: db, Ring: keyring.Ephemeral(), Log: slog.New(slog.DiscardHandler), Base: func() string { return "https://sts.example" }}), db
}

func enable(t *testing.T, db *store.DB, on bool) {
	t.Helper()
	if err := db.Update(t.Context(), func(tx *store.Tx) error {
		return tx.PutOIDCIssuer(&store.OIDCIssuer{Account: account, Enabled: on, CreatedAt: t0})
	}); err != nil {
		t.Fatal(err)
	}
}

func published(t *testing.T, i *Issuer) *jose.JSONWebKeySet {
	t.Helper()
	w := httptest.NewRecorder()
	i.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/oidc/"+account+"/.well-known/jwks.json", nil))
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(w.Body.Bytes(), &set); err != nil {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	for _, k := range set.Keys {
		if !k.IsPublic() {
			t.Fatal("a private key is published")
		}
	}
	return &set
}

// A token verifies with the keys published an hour before it was signed and with those published an hour after, through a
// year of rotation.
func TestRotationOverlaps(t *testing.T) {
	i, db := newIssuer(t)
	if _, err := i.Sign(t.Context(), t0, account, jose.ES384, nil); !errors.Is(err, ErrDisabled) {
		t.Fatalf("an account that never enabled it: %v", err)
	}
	enable(t, db, true)
	var before *jose.JSONWebKeySet
	var last string
	signers := map[string]bool{}
	for now := t0; now.Before(t0.AddDate(0, 4, 0)); now = now.Add(6 * time.Hour) {
		if now.After(t0) {
			if err := i.rotateAll(t.Context(), now); err != nil {
				t.Fatal(err)
			}
		}
		text, err := i.Sign(t.Context(), now, account, jose.ES384, map[string]any{"n": now.Unix()})
		if err != nil {
			t.Fatal(err)
		}
		after := published(t, i)
		for _, set := range []*jose.JSONWebKeySet{before, after} {
			if set == nil {
				continue
			}
			verify(t, text, set)
		}
		if last != "" {
			verify(t, last, after)
		}
		jws, err := jose.ParseSignedCompact(text, Algorithms)
		if err != nil {
			t.Fatal(err)
		}
		signers[jws.Signatures[0].Protected.KeyID] = true
		before, last = after, text
	}
	if n := len(signers); n < 4 || n > 5 {
		t.Errorf("%d keys signed in four months", n)
	}
	if n := len(before.Keys); n > 2*3 {
		t.Errorf("%d keys are still published", n)
	}
	enable(t, db, false)
	if _, err := i.Sign(t.Context(), t0.AddDate(0, 4, 0), account, jose.ES384, nil); !errors.Is(err, ErrDisabled) {
		t.Errorf("after disabling: %v", err)
	}
	verify(t, last, published(t, i))
}

func verify(t *testing.T, text string, set *jose.JSONWebKeySet) {
	t.Helper()
	jws, err := jose.ParseSignedCompact(text, Algorithms)
	if err != nil {
		t.Fatal(err)
	}
	keys := set.Key(jws.Signatures[0].Protected.KeyID)
	if len(keys) != 1 {
		t.Fatalf("the token's key %s is not published", jws.Signatures[0].Protected.KeyID)
	}
	if _, err := jws.Verify(keys[0].Key); err != nil {
		t.Fatal(err)
	}
}

func TestPublishing(t *testing.T) {
	i, db := newIssuer(t)
	get := func(path string) (int, string) {
		w := httptest.NewRecorder()
		i.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w.Code, w.Body.String()
	}
	for _, path := range []string{"/oidc/" + account + "/.well-known/jwks.json", "/oidc/", "/oidc/1/.well-known/jwks.json", "/oidc/" + account, "/oidc/" + account + "/x"} {
		if code, _ := get(path); code != http.StatusNotFound {
			t.Errorf("%s: %d", path, code)
		}
	}
	enable(t, db, true)
	if set := published(t, i); len(set.Keys) != 0 {
		t.Errorf("asking for keys made some: %v", set)
	}
	if _, err := i.Sign(t.Context(), t0, account, jose.RS256, map[string]any{"x": string(make([]byte, MaxPayload))}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a large payload: %v", err)
	}
	code, body := get("/oidc/" + account + "/.well-known/openid-configuration")
	var d discovery
	if err := json.Unmarshal([]byte(body), &d); err != nil || code != 200 || d.Issuer != "https://sts.example/oidc/"+account || d.JWKSURI != d.Issuer+"/.well-known/jwks.json" {
		t.Errorf("%d %s", code, body)
	}
}
