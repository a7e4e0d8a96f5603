package server

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/enroll/token"
	"github.com/rolecall/rolecall/internal/keyring"
	"github.com/rolecall/rolecall/internal/store"
)

// aged makes the keys of a stopped server's ring older.
func aged(t *testing.T, path string, by time.Duration) *keyring.Ring {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var f map[string]any
	if err := json.Unmarshal(data, &f); err != nil {
		t.Fatal(err)
	}
	for _, k := range f["keys"].([]any) {
		for _, at := range []string{"created", "activeFrom"} {
			old, err := time.Parse(time.RFC3339, k.(map[string]any)[at].(string))
			if err != nil {
				t.Fatal(err)
			}
			k.(map[string]any)[at] = old.Add(-by)
		}
	}
	if data, err = json.Marshal(f); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	ring, err := keyring.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// A key goes once nothing depends on it: no stored value, no session that may be running, no enrollment token.
func TestRetire(t *testing.T) {
	cfg, _ := served(t)
	path := filepath.Join(cfg.DataDir, KeyRingFile)
	ring := aged(t, path, 100*24*time.Hour)
	old := ring.Keys()[0]
	if _, err := ring.Rotate(time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := RewrapKeys(t.Context(), cfg, func(store.SealedKind, int) {}); err != nil {
		t.Fatal(err)
	}
	err := withStore(t.Context(), &cfg, func(db *store.DB, _ *keyring.Ring) error {
		return db.Update(t.Context(), func(tx *store.Tx) error {
			_, row, err := token.New(ring, time.Now().Add(-2*time.Hour)) // under the old key
			if err != nil {
				return err
			}
			row.Profile, row.UsesLeft, row.ExpiresAt = "hosts", 1, tx.Now.Add(time.Hour)
			return tx.CreateEnrollmentToken(row)
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1 enrollment tokens under key", "sessions under key"} {
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := RetireKey(t.Context(), cfg, old.ID, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		if now, err := os.ReadFile(path); err != nil || string(now) != string(before) {
			t.Errorf("the key ring has changed: %v", err)
		}
		tokens, err := ListEnrollmentTokens(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		for _, tok := range tokens {
			if err := RevokeEnrollmentToken(t.Context(), cfg, tok.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := RetireKey(t.Context(), cfg, old.ID, true); err != nil {
		t.Fatal(err)
	}
	if ring, err = keyring.Load(path); err != nil {
		t.Fatal(err)
	}
	if _, ok := ring.Key(old.ID); ok || len(ring.Keys()) != 1 {
		t.Errorf("left are %v", ring.Keys())
	}
	s, err := Start(t.Context(), cfg, Output{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Shutdown(); err != nil {
		t.Error(err)
	}
}
