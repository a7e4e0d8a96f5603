package est_test

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/server"
)

// A blocked key is not enrolled, and the token is not used up by it. A certificate whose key leaked later renews nothing.
func TestBlockedKeys(t *testing.T) {
	list := filepath.Join(t.TempDir(), "list")
	block := func(requests ...[]byte) {
		t.Helper()
		lines := strings.Repeat("0", 64) + "\n"
		for _, der := range requests {
			req, err := x509.ParseCertificateRequest(der)
			if err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256(req.RawSubjectPublicKeyInfo)
			lines += hex.EncodeToString(sum[:]) + "\n"
		}
		if err := os.WriteFile(list+".new", []byte(lines), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(list+".new", list); err != nil {
			t.Fatal(err)
		}
	}
	_, leaked := request(t, "host1.example.com", nil)
	key, der := request(t, "host1.example.com", nil)
	block(leaked)
	r := newRigOn(t, "sqlite", func(c *server.Config) { c.BlockedKeys = []string{list} })
	token, _ := r.token("hosts", "CN=host1.*", 1, time.Minute)
	r.refused("a blocked key", r.enroll("hosts/simpleenroll", token, nil, leaked), 400, "the key is on the server's list of blocked keys")
	a := r.enroll("hosts/simpleenroll", token, nil, der)
	if a.status != 200 {
		t.Fatalf("the token with another key: %d %s", a.status, a.body)
	}
	pair := pairOf(a.certs[0], key)
	_, next := request(t, "host1.example.com", nil)
	r.refused("renewal to a blocked key", r.enroll("hosts/simplereenroll", "", pair, leaked), 400, "list of blocked keys")
	block(leaked, der)
	if changed, err := r.BlockedKeys().Reload(); err != nil || !changed {
		t.Fatal(changed, err)
	}
	r.refused("renewal from a blocked key", r.enroll("hosts/simplereenroll", "", pair, next), 403, "not a valid one")
}
