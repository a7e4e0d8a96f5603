package enroll

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/rolecall/rolecall/internal/blockedkeys"
	"github.com/rolecall/rolecall/internal/enroll/cmctest"
	"github.com/rolecall/rolecall/internal/enroll/hresult"
	"github.com/rolecall/rolecall/internal/issuance"
)

// A blocked key is a weak one to Windows, and gets no certificate.
func TestBlockedKey(t *testing.T) {
	w := newWorld(t)
	w.template(1, "User", nil, allowed(usersSID))
	leaked := key(t)
	der, err := x509.MarshalPKIXPublicKey(leaked.Public())
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(der)
	path := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(path, []byte(hex.EncodeToString(sum[:])+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := blockedkeys.Open([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	w.h.cfg.Issuer = issuance.New(w.keys).WithBlocked(list)
	w.refused(hresult.WeakKey, w.send(aliceSID, cesPath, rst(issueType, w.windows(cmctest.Request{Key: leaked}, 1), "")).Body.String())
	if e := w.event(); e["errorCode"] == nil {
		t.Errorf("event %v", e)
	}
	w.issuedCount(0)
	w.issued(aliceSID, w.windows(cmctest.Request{Key: key(t)}, 1))
}
