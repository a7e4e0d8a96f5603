package server

import (
	"context"
	"crypto"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/authority"
	"github.com/rolecall/rolecall/internal/enroll"
	"github.com/rolecall/rolecall/internal/issuance"
	"github.com/rolecall/rolecall/internal/keyring"
	"github.com/rolecall/rolecall/internal/store"
	"github.com/rolecall/rolecall/internal/webissuer"
)

// served is the data folder of a server that was started once.
func served(t *testing.T) (Config, string) {
	t.Helper()
	cfg := Config{DataDir: t.TempDir(), Listen: []string{"http://127.0.0.1:0"}, MetricsListen: "off"}
	s, err := Start(t.Context(), cfg, Output{})
	if err != nil {
		t.Fatal(err)
	}
	account := string(s.Account())
	if err := s.Shutdown(); err != nil {
		t.Fatal(err)
	}
	return cfg, account
}

func openssl(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("openssl", args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("openssl %v: %v\n%s", args, err, out)
	}
}

// TestImportCA brings CAs that OpenSSL made in each form of file, and refuses what is none.
func TestImportCA(t *testing.T) {
	cfg, account := served(t)
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	root := []string{"req", "-x509", "-days", "3650", "-subj", "/O=Old/CN=Root", "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign"}
	openssl(t, dir, append(root, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-noenc", "-keyout", "plain.key", "-out", "root.pem")...)
	openssl(t, dir, "pkcs8", "-topk8", "-v2", "aes-256-cbc", "-in", "plain.key", "-passout", "pass:secret", "-out", "root.key")
	openssl(t, dir, append(root, "-newkey", "rsa:2048", "-noenc", "-keyout", "rsa.key", "-out", "rsa.pem")...)
	openssl(t, dir, "pkcs12", "-export", "-in", "rsa.pem", "-inkey", "rsa.key", "-passout", "pass:secret", "-out", "rsa.p12")
	openssl(t, dir, append(root, "-newkey", "rsa:1024", "-noenc", "-keyout", "small.key", "-out", "small.pem")...)
	openssl(t, dir, append(root, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-sha1", "-noenc", "-keyout", "sha1.key", "-out", "sha1.pem")...)
	openssl(t, dir, "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-keyout", "sub.key", "-subj", "/CN=Sub", "-out", "sub.csr")
	if err := os.WriteFile(in("sub.ext"), []byte("basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	openssl(t, dir, "x509", "-req", "-in", "sub.csr", "-CA", "root.pem", "-CAkey", "root.key", "-passin", "pass:secret", "-days", "30", "-extfile", "sub.ext", "-out", "sub.pem")
	openssl(t, dir, "x509", "-req", "-in", "sub.csr", "-CA", "root.pem", "-CAkey", "root.key", "-passin", "pass:secret", "-days", "30", "-out", "leaf.pem")
	secret := func() ([]byte, error) { return []byte("secret"), nil }
	for name, c := range map[string]struct {
		files   CAFiles
		problem string
	}{
		"encrypted":      {files: CAFiles{Certificate: in("root.pem"), Key: in("root.key"), Password: secret}},
		"PKCS#12":        {files: CAFiles{Certificate: in("rsa.p12"), Password: secret}},
		"subordinate":    {files: CAFiles{Certificate: in("sub.pem"), Key: in("sub.key"), Chain: in("root.pem")}},
		"no chain":       {CAFiles{Certificate: in("sub.pem"), Key: in("sub.key")}, "comes with its chain"},
		"wrong password": {CAFiles{Certificate: in("root.pem"), Key: in("root.key"), Password: func() ([]byte, error) { return []byte("x"), nil }}, "password"},
		"another key":    {CAFiles{Certificate: in("rsa.pem"), Key: in("sub.key")}, "key"},
		"small key":      {CAFiles{Certificate: in("small.pem"), Key: in("small.key")}, "1024"},
		"SHA-1":          {CAFiles{Certificate: in("sha1.pem"), Key: in("sha1.key")}, "SHA"},
		"no CA":          {CAFiles{Certificate: in("leaf.pem"), Key: in("sub.key"), Chain: in("root.pem")}, "basic constraints"},
	} {
		arn, err := ImportCA(t.Context(), cfg, account, "eu-central-1", c.files, false)
		if c.problem != "" {
			if err == nil || !strings.Contains(err.Error(), c.problem) {
				t.Errorf("%s: got %q %v, want %q", name, arn, err, c.problem)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := ImportCA(t.Context(), cfg, account, "eu-central-1", c.files, false); err == nil || !strings.Contains(err.Error(), arn+" has this key already") {
			t.Errorf("%s, a second time: %v", name, err)
		}
	}
	list, err := ListCAs(t.Context(), cfg)
	if err != nil || len(list) != 3 {
		t.Fatalf("%d CAs: %v", len(list), err)
	}
	err = withStore(t.Context(), &cfg, func(_ *store.DB, ring *keyring.Ring) error {
		for i := range list {
			ca, err := issuance.New(authority.SealedKeys{Ring: ring}).Load(&list[i])
			if err != nil {
				return err
			}
			err = ca.Keys.Use(ca.ID, ca.KeyRef, func(key crypto.Signer) error {
				if pub := key.Public().(interface{ Equal(crypto.PublicKey) bool }); !pub.Equal(ca.Certificate.PublicKey) {
					return errors.New("the stored key is another one")
				}
				return nil
			})
			if err != nil {
				t.Errorf("%s: %v", ca.Certificate.Subject, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestRewrap ends a rotation in the middle, finishes it, and retires the old key; a ring that lacks a key with something
// under it is refused.
func TestRewrap(t *testing.T) {
	cfg, _ := served(t)
	for i := range rewrapBatch + 10 {
		if _, err := CreateAccount(t.Context(), cfg, strings.Repeat("x", i+1)); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(cfg.DataDir, KeyRingFile)
	ring, err := keyring.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	old := ring.Keys()[0]
	directory := &store.Directory{Account: "123456789012", Region: "eu-central-1", ID: "d-0123456789", PolicyHost: "h"}
	enroll.SealCredentials(ring, directory, []byte("keytab"), "password")
	issuerKey := &store.OIDCIssuerKey{Account: "123456789012", Algorithm: "RS256", ID: "k", Private: ring.Seal(webissuer.KeyLabel, webissuer.SealedFor("123456789012", "k"), []byte("key"))}
	err = withStore(t.Context(), &cfg, func(db *store.DB, _ *keyring.Ring) error {
		return db.Update(t.Context(), func(tx *store.Tx) error {
			return errors.Join(tx.CreateDirectory(directory), tx.CreateOIDCIssuerKey(issuerKey))
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = ring.Rotate(time.Now().Add(-48 * time.Hour))
	if err == nil && ring.Active(time.Now()) != old {
		t.Fatal("a key from the past is active")
	}
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := ring.Rotate(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := RetireKey(t.Context(), cfg, old.ID, true); err == nil || !strings.Contains(err.Error(), "still seals") {
		t.Errorf("retired with values under it: %v", err)
	}
	ctx, end := context.WithCancel(t.Context())
	first, err := RewrapKeys(ctx, cfg, func(store.SealedKind, int) { end() })
	if !errors.Is(err, context.Canceled) || first != rewrapBatch {
		t.Errorf("ended after %d: %v", first, err)
	}
	use, err := KeyUsage(t.Context(), cfg)
	if err != nil || use.Of(old.ID) == 0 || use.Of(fresh.ID) != first {
		t.Errorf("in the middle: %v %v", use, err)
	}
	rest, err := RewrapKeys(t.Context(), cfg, func(store.SealedKind, int) {})
	if err != nil || first+rest != rewrapBatch+10+5 { // the first account's key, the ring's own check, a directory's two secrets, an issuer's key
		t.Errorf("%d and %d values: %v", first, rest, err)
	}
	if again, err := RewrapKeys(t.Context(), cfg, func(store.SealedKind, int) {}); again != 0 || err != nil {
		t.Errorf("again: %d %v", again, err)
	}
	if err := RetireKey(t.Context(), cfg, old.ID, true); err == nil || !strings.Contains(err.Error(), "wait") {
		t.Errorf("retired at once: %v", err)
	}
	if err := os.WriteFile(path, before, 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := Start(t.Context(), cfg, Output{}); err == nil {
		s.Shutdown() //nolint:errcheck // it should not have started
		t.Error("a server starts without the key that everything is under")
	}
	if now, err := os.ReadFile(path); err != nil || string(now) != string(before) {
		t.Error("the key ring was overwritten")
	}
}
