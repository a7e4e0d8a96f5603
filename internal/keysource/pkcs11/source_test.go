package pkcs11

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/keysource"
	"github.com/rolecall/rolecall/internal/keysource/pkcs11/softhsm"
)

func program(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), ProgramName)
	cmd := exec.Command("go", "build", "-o", path, "github.com/rolecall/rolecall/cmd/rolecall-pkcs11")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build (it needs gcc, see scripts/deps): %v\n%s", err, out)
	}
	return path
}

func sign(t *testing.T, id *keysource.Identity) {
	t.Helper()
	digest := sha256.Sum256([]byte("text"))
	sig, err := id.Signer().Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		t.Error(err)
		return
	}
	alg := x509.ECDSAWithSHA256
	if id.Leaf().PublicKeyAlgorithm == x509.RSA {
		alg = x509.SHA256WithRSA
	}
	if err := id.Leaf().CheckSignature(alg, []byte("text"), sig); err != nil {
		t.Error(err)
	}
}

func TestSource(t *testing.T) {
	k := softhsm.New(t)
	path := program(t)
	root := softhsm.Issue(t, "ec", "CA", nil)
	middle := softhsm.Issue(t, "ec", "CA middle", root)
	ec, rsaPair := softhsm.Issue(t, "ec", "ec", middle), softhsm.Issue(t, "rsa", "rsa", root)
	k.Put("ec", "01", ec.Key, ec.Cert)
	k.Put("rsa", "02", rsaPair.Key, rsaPair.Cert)
	k.Put("ca", "03", nil, middle.Cert)
	asked := 0
	askPIN := func(what string) ([]byte, error) {
		asked++
		if what != "PIN of the token test" {
			t.Errorf("asked for the %s", what)
		}
		return []byte(softhsm.PIN), nil
	}
	s := &Source{Certificate: "pkcs11:object=ec", Module: k.Module, PIN: askPIN, Program: path,
		Intermediates: func(context.Context) ([]*x509.Certificate, error) { return []*x509.Certificate{root.Cert}, nil }}
	defer s.Close()
	id, err := s.Load(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if len(id.Chain()) != 2 || id.Chain()[0].Subject.CommonName != "CA middle" || id.Chain()[1].Subject.CommonName != "CA" {
		t.Errorf("chain %v", id.Chain())
	}
	sign(t, id)
	if _, err := id.Signer().Sign(rand.Reader, make([]byte, 32), &rsa.PSSOptions{Hash: crypto.SHA256}); err == nil {
		t.Error("PSS is accepted")
	}
	var wg sync.WaitGroup // identities of several loads stay usable, also concurrently, and the PIN is asked once
	for range 6 {
		wg.Go(func() {
			id, err := s.Load(context.Background())
			if err != nil {
				t.Error(err)
				return
			}
			sign(t, id)
		})
	}
	wg.Wait()
	sign(t, id)
	if asked != 1 {
		t.Errorf("the PIN was asked %d times", asked)
	}
	// A program that has died is started again.
	if err := s.process.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if id, err = s.Load(context.Background()); err != nil {
		t.Fatal(err)
	}
	sign(t, id)

	file := &Source{PrivateKey: "pkcs11:object=rsa", Module: k.Module, PIN: askPIN, Program: path,
		Certificates: func(context.Context) ([]*x509.Certificate, error) {
			return []*x509.Certificate{rsaPair.Cert, root.Cert}, nil
		}}
	defer file.Close()
	if id, err = file.Load(context.Background()); err != nil || len(id.Chain()) != 1 {
		t.Fatalf("certificate from elsewhere: %v", err)
	}
	sign(t, id)
	list, err := (&Source{Certificate: "pkcs11:token=test", Module: k.Module, Program: path}).List(context.Background())
	if err != nil || len(list) != 3 || !strings.HasPrefix(list[0].URI, "pkcs11:token=test;serial=") {
		t.Errorf("list %v, %v", list, err)
	}
}

func TestRefusals(t *testing.T) {
	k := softhsm.New(t)
	path := program(t)
	p := softhsm.Issue(t, "ec", "a", nil)
	k.Put("a", "01", p.Key, p.Cert)
	asked := 0
	for name, s := range map[string]*Source{
		"is needed and was not given":  {Certificate: "pkcs11:object=a"},
		"PIN of the token":             {Certificate: "pkcs11:object=a", PIN: func(string) ([]byte, error) { asked++; return []byte("5ecret"), nil }},
		"no certificate on the token":  {Certificate: "pkcs11:object=b", PIN: func(string) ([]byte, error) { return []byte(softhsm.PIN), nil }},
		"cannot start":                 {Certificate: "pkcs11:object=a", Program: k.Config},
		"unexpectedly":                 {Certificate: "pkcs11:object=a", Program: "/bin/true"},
		"rolecall-pkcs11: a message i": {Certificate: "pkcs11:object=a", Program: "/bin/cat"}, // an echo is no answer
	} {
		if s.Program == "" {
			s.Program = path
		}
		s.Module = k.Module
		_, err := s.Load(context.Background())
		var h interface{ Hint() string }
		if s.Program == "/bin/cat" {
			if err == nil {
				t.Error("an echo is taken for an answer")
			}
		} else if err == nil || !strings.Contains(err.Error(), name) || !errors.As(err, &h) || h.Hint() == "" {
			t.Errorf("got %v, want %q and a hint", err, name)
		}
		if err != nil && strings.Contains(err.Error(), "5ecret") {
			t.Errorf("the PIN is in %v", err)
		}
		s.Close()
	}
	if asked != 1 {
		t.Errorf("a wrong PIN was asked for %d times", asked)
	}
}

// A missing program is said plainly, with what to do.
func TestMissingProgram(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := (&Source{Certificate: "pkcs11:object=a"}).Load(context.Background())
	var e *keysource.Error
	if !errors.As(err, &e) || !strings.Contains(e.Error(), "needs the program rolecall-pkcs11, which is not there") || !strings.Contains(e.Hint(), "beside rolecall or on PATH") {
		t.Errorf("got %v", err)
	}
}

// A module that hangs does not hang the client.
func TestTimeout(t *testing.T) {
	script := filepath.Join(t.TempDir(), "hang")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nexec sleep 60\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	s := &Source{Certificate: "pkcs11:object=a", Program: script}
	if _, err := s.Load(ctx); err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("got %v", err)
	}
}

// The PIN is in no argument and no variable of the program.
func TestPINIsPrivate(t *testing.T) {
	k := softhsm.New(t)
	p := softhsm.Issue(t, "ec", "a", nil)
	k.Put("a", "01", p.Key, p.Cert)
	s := &Source{Certificate: "pkcs11:object=a", Module: k.Module, Program: program(t), PIN: func(string) ([]byte, error) { return []byte(softhsm.PIN), nil }}
	defer s.Close()
	if _, err := s.Load(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"cmdline", "environ"} {
		b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(s.process.cmd.Process.Pid), name))
		if err != nil || len(b) == 0 || bytes.Contains(b, []byte(softhsm.PIN)) {
			t.Errorf("%s: %v, %d bytes", name, err, len(b))
		}
	}
}
