package rolesanywhere_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rolecall/rolecall/internal/server"
	"github.com/rolecall/rolecall/internal/testserver"
)

// Whoever signs with a key that everybody has is nobody: as leaf, as intermediate CA, as trust anchor; also after the list has
// changed beneath a server that has granted sessions before. The server's files are not told.
func TestBlockedKeys(t *testing.T) {
	list := filepath.Join(t.TempDir(), "list")
	block := func(entities ...*entity) {
		t.Helper()
		lines := "# compromised\n" + strings.Repeat("0", 64) + "\n"
		for _, e := range entities {
			sum := sha256.Sum256(e.cert.RawSubjectPublicKeyInfo)
			lines += hex.EncodeToString(sum[:]) + "\n"
		}
		if err := os.WriteFile(list+".new", []byte(lines), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(list+".new", list); err != nil {
			t.Fatal(err)
		}
	}
	block()
	srv := testserver.StartWith(t, func(c *server.Config) { c.BlockedKeys = []string{list} })
	root := newCA(t, "Root", nil, nil)
	mid := newCA(t, "Mid", root, nil)
	who, other := mid.issue(t, nil), mid.issue(t, nil)
	w := newWorld(t, srv, root, func(w *world) { w.role.TrustPolicy = trustPolicy(w.anchorARN(), "Mid") })
	reload := func(entities ...*entity) {
		t.Helper()
		block(entities...)
		if changed, err := srv.BlockedKeys().Reload(); err != nil || !changed {
			t.Fatal(changed, err)
		}
	}
	for range 40 { // so that its key is a prepared one as well
		granted(t, w.send(t, w.call(who, mid)))
	}
	for _, c := range []struct {
		blocked *entity
		message string
	}{
		{who, "Untrusted certificate. Insufficient certificate: the key is on the server's list of blocked keys"},
		{mid, `Untrusted signing certificate: "CN=Mid`},
		{root, `Untrusted signing certificate: "CN=Root`},
	} {
		reload(c.blocked)
		e := errorOf(t, w.send(t, w.call(who, mid)))
		if e.status != http.StatusForbidden || e.code != "AccessDeniedException" || !strings.HasPrefix(e.message, c.message) ||
			!strings.HasSuffix(e.message, "the key is on the server's list of blocked keys") {
			t.Errorf("%s is blocked: got %+v", c.blocked.cert.Subject, e)
		}
		if event := waitFor(t, srv, e.requestID)[e.requestID]; event["errorMessage"] != e.message {
			t.Errorf("the event says %v", event["errorMessage"])
		}
		if c.blocked == who {
			granted(t, w.send(t, w.call(other, mid)))
		}
	}
	anchor := map[string]any{"name": "a", "enabled": true, "source": map[string]any{"sourceType": "CERTIFICATE_BUNDLE", "sourceData": map[string]any{"x509CertificateData": root.pem()}}}
	resp := srv.REST(t, srv.Root, "rolesanywhere", http.MethodPost, "/trustanchors", anchor)
	if resp.Status != http.StatusBadRequest || !strings.Contains(string(resp.Body), "Invalid CA certificate") || !strings.Contains(string(resp.Body), "list of blocked keys") {
		t.Errorf("a blocked anchor: %d %s", resp.Status, resp.Body)
	}
	resp = srv.REST(t, srv.Root, "rolesanywhere", http.MethodPatch, "/trustanchor/"+w.anchor.ID, map[string]any{"source": anchor["source"]})
	if resp.Status != http.StatusBadRequest || !strings.Contains(string(resp.Body), "list of blocked keys") {
		t.Errorf("an anchor changed to a blocked one: %d %s", resp.Status, resp.Body)
	}
	reload()
	granted(t, w.send(t, w.call(who, mid)))
	if resp := srv.REST(t, srv.Root, "rolesanywhere", http.MethodPost, "/trustanchors", anchor); resp.Status != http.StatusCreated {
		t.Errorf("no longer blocked: %d %s", resp.Status, resp.Body)
	}
}
