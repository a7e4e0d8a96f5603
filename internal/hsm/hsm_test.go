package hsm

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/authority"
	"github.com/rolecall/rolecall/internal/keyring"
	"github.com/rolecall/rolecall/internal/keysource/pkcs11/softhsm"
)

// program builds rolecall-pkcs11.
func program(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rolecall-pkcs11")
	cmd := exec.Command("go", "build", "-o", path, "github.com/rolecall/rolecall/cmd/rolecall-pkcs11")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

func newKeys(t *testing.T, change func(*Config)) (Keys, *softhsm.Token) {
	t.Helper()
	soft := softhsm.New(t)
	cfg := Config{Module: soft.Module, Label: "test", PIN: softhsm.PIN, Program: program(t), Stderr: t.Output()}
	if change != nil {
		change(&cfg)
	}
	token := NewToken(cfg)
	t.Cleanup(func() { token.Close() })
	return Keys{Sealed: authority.SealedKeys{Ring: keyring.Ephemeral()}, Token: token}, soft
}

const level3 = "FIPS_140_2_LEVEL_3_OR_HIGHER"

// Every kind of key signs with every hash, is found by a new process, and is gone after its deletion.
func TestKeysInToken(t *testing.T) {
	keys, _ := newKeys(t, nil)
	for _, a := range []authority.KeyAlgorithm{authority.RSA2048, authority.P256, authority.P384, authority.P521} {
		id := arn.NewUUID()
		ref, err := keys.Generate(id, a, level3)
		if err != nil {
			t.Fatalf("%s: %v", a, err)
		}
		again, err := keys.Generate(id, a, level3)
		if err != nil || string(again) != string(ref) {
			t.Errorf("%s: the second key for one CA is another: %v", a, err)
		}
		signAll(t, keys, id, ref, a)
		if err := keys.Use(arn.NewUUID(), ref, func(crypto.Signer) error { return nil }); err == nil {
			t.Errorf("%s: the key opens for another CA", a)
		}
		for range 2 { // the second finds nothing
			if err := keys.Delete(id, ref); err != nil {
				t.Fatal(err)
			}
		}
		err = keys.Use(id, ref, func(key crypto.Signer) error {
			_, err := crypto.SignMessage(key, rand.Reader, []byte("x"), crypto.SHA256)
			return err
		})
		if !errors.Is(err, authority.ErrUnavailable) {
			t.Errorf("%s: after the deletion: %v", a, err)
		}
	}
}

func signAll(t *testing.T, keys authority.Keys, id string, ref []byte, a authority.KeyAlgorithm) {
	t.Helper()
	algorithms := map[crypto.Hash]x509.SignatureAlgorithm{crypto.SHA256: x509.ECDSAWithSHA256, crypto.SHA384: x509.ECDSAWithSHA384, crypto.SHA512: x509.ECDSAWithSHA512}
	if a.RSA() {
		algorithms = map[crypto.Hash]x509.SignatureAlgorithm{crypto.SHA256: x509.SHA256WithRSA, crypto.SHA384: x509.SHA384WithRSA, crypto.SHA512: x509.SHA512WithRSA}
	}
	for hash, algorithm := range algorithms {
		err := keys.Use(id, ref, func(key crypto.Signer) error {
			sig, err := crypto.SignMessage(key, rand.Reader, []byte("message"), hash)
			if err != nil {
				return err
			}
			return (&x509.Certificate{PublicKey: key.Public()}).CheckSignature(algorithm, []byte("message"), sig)
		})
		if err != nil {
			t.Errorf("%s with %s: %v", a, hash, err)
		}
	}
}

// Where a key is follows from the standard, and a server without a token says what it lacks.
func TestStandards(t *testing.T) {
	keys, _ := newKeys(t, nil)
	id := arn.NewUUID()
	for standard, token := range map[string]bool{level3: true, "": true, "CCPC_LEVEL_1_OR_HIGHER": true, "FIPS_140_2_LEVEL_2_OR_HIGHER": false} {
		ref, err := keys.Generate(id, authority.P256, standard)
		if err != nil {
			t.Fatal(err)
		}
		if inToken(ref) != token || !keys.Supports(standard) || keys.Slow(authority.P256, standard) != token {
			t.Errorf("%s: in the token %v, want %v", standard, inToken(ref), token)
		}
		without := Keys{Sealed: keys.Sealed}
		err = without.Use(id, ref, func(crypto.Signer) error { return nil })
		if token != errors.Is(err, authority.ErrUnavailable) {
			t.Errorf("%s, no token configured: %v", standard, err)
		}
	}
	if (Keys{}).Supports("CCPC_LEVEL_1_OR_HIGHER") {
		t.Error("sealed keys claim CCPC")
	}
}

// Many callers share the processes, killed processes are replaced, and a token that is out comes back.
func TestTokenGoneAndBack(t *testing.T) {
	keys, soft := newKeys(t, nil)
	id := arn.NewUUID()
	ref, err := keys.Generate(id, authority.P256, level3)
	if err != nil {
		t.Fatal(err)
	}
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() { signAll(t, keys, id, ref, authority.P256) })
	}
	callers.Wait()
	kill(t, keys.Token)
	signAll(t, keys, id, ref, authority.P256)
	config, err := os.ReadFile(soft.Config)
	if err != nil {
		t.Fatal(err)
	}
	empty := t.TempDir()
	if err := os.WriteFile(soft.Config, []byte("directories.tokendir = "+empty+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	kill(t, keys.Token) // SoftHSM reads its configuration at the start
	err = keys.Use(id, ref, func(key crypto.Signer) error {
		_, err := crypto.SignMessage(key, rand.Reader, []byte("x"), crypto.SHA256)
		return err
	})
	if !errors.Is(err, authority.ErrUnavailable) {
		t.Errorf("without the token: %v", err)
	}
	if err := os.WriteFile(soft.Config, config, 0o600); err != nil {
		t.Fatal(err)
	}
	signAll(t, keys, id, ref, authority.P256)
}

// kill ends the processes behind the token's back.
func kill(t *testing.T, token *Token) {
	t.Helper()
	for range processes {
		c := <-token.slots
		if c != nil {
			c.Kill()
		}
		token.slots <- c
	}
}

// A PIN that the token refused is given once.
func TestWrongPIN(t *testing.T) {
	keys, _ := newKeys(t, func(c *Config) { c.PIN = "0000" })
	for range 6 {
		if _, err := keys.Generate(arn.NewUUID(), authority.P256, level3); !errors.Is(err, authority.ErrUnavailable) {
			t.Fatalf("got %v", err)
		}
		if keys.Token.refused == nil {
			t.Fatal("the refusal is forgotten")
		}
	}
	keys.Token.cfg.PIN, keys.Token.refused = softhsm.PIN, nil
	if _, err := keys.Generate(arn.NewUUID(), authority.P256, level3); err != nil {
		t.Errorf("the token was locked: %v", err)
	}
}
