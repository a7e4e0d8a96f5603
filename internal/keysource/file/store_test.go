package file

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rolecall/rolecall/internal/keysource/selector"
)

func folder(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestStore(t *testing.T) {
	modern, err := os.ReadFile("../pkcs12/testdata/modern.p12")
	if err != nil {
		t.Fatal(err)
	}
	dir := folder(t, map[string][]byte{
		"a.crt": concat(t, "ec.der"), "rsa.pem": concat(t, "rsa.pem", "rsa.pkcs8.key"), "keys.key": concat(t, "ec.sec1.key"),
		"ca.crt": concat(t, "ca.pem"), "junk.pem": []byte("junk"), "README.md": concat(t, "secp384r1.pem", "secp384r1.key"),
		"lonely.pem": concat(t, "secp521r1.pem"), "enc.key": concat(t, "enc.aes128.key"),
	})
	if err := os.Mkdir(filepath.Join(dir, "sub.pem"), 0o700); err != nil {
		t.Fatal(err)
	}
	both := write(t, concat(t, "ec.pem", "ec.pkcs8.key", "rsa.pem", "rsa.pkcs8.key", "ca.pem"), 0o600)
	p12 := folder(t, map[string][]byte{"m.p12": modern, "ec.pem": concat(t, "ec.pem")})
	for _, tt := range []struct {
		path, selector string
		latest         bool
		want           string // name, or the error after !
	}{
		{dir, "Key=x509Subject,Value=CN=ec", false, "ec"},
		{dir, "Key=x509Subject,Value=CN=rsa", false, "rsa"},
		{dir, "Key=x509Subject,Value=CN=secp521r1", false, "!none of 2 certificates fits"},
		{dir, "", false, "!multiple matching identities: 2 of 2"},
		{dir, "", true, ""},
		{both, "Key=x509Subject,Value=CN=rsa", false, "rsa"},
		{p12, "Key=x509Subject,Value=CN=ec", false, "ec"}, // once, though it is there twice
		{folder(t, nil), "", false, "!none of 0 certificates"},
		{folder(t, map[string][]byte{"a.pem": concat(t, "ec.pem"), "k.key": concat(t, "ed25519.key")}), "", false, "!has its private key"},
		{filepath.Join(dir, "none"), "", false, "!cannot read the certificate store file"},
		{filepath.Join(dir, "junk.pem"), "", false, "!neither PEM nor DER"},
	} {
		s := &Store{Path: tt.path, Latest: tt.latest, Password: sesame}
		if tt.selector != "" {
			var err error
			if s.Selector, err = selector.Parse(tt.selector); err != nil {
				t.Fatal(err)
			}
		}
		id, err := s.Load(context.Background())
		if want, ok := strings.CutPrefix(tt.want, "!"); ok {
			var h interface{ Hint() string }
			if err == nil || !strings.Contains(err.Error(), want) || !errors.As(err, &h) || h.Hint() == "" {
				t.Errorf("%s %s: got %v, want %q and a hint", tt.path, tt.selector, err, want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s %s: %v", tt.path, tt.selector, err)
			continue
		}
		if got := id.Leaf().Subject.CommonName; tt.want != "" && got != tt.want {
			t.Errorf("%s %s: got %s", tt.path, tt.selector, got)
		}
		if len(id.Chain()) != 0 { // the test CA is a root
			t.Errorf("chain %v", id.Chain())
		}
	}
	// Keys that the password does not open are left out, and that is said.
	s := &Store{Path: folder(t, map[string][]byte{"a.pem": concat(t, "ec.pem"), "k.key": concat(t, "enc.aes128.key")})}
	_, err = s.Load(context.Background())
	var h interface{ Hint() string }
	if !errors.As(err, &h) || !strings.Contains(h.Hint(), "is encrypted and no password was given") {
		t.Errorf("got %v", err)
	}
	s.Password = sesame
	list, err := s.List(context.Background())
	if err != nil || len(list) != 1 || list[0].Certificate.Subject.CommonName != "ec" {
		t.Errorf("list %v, %v", list, err)
	}
}
