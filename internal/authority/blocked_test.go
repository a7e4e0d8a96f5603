package authority

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rolecall/rolecall/internal/blockedkeys"
)

// blocking is a list of the keys.
func blocking(t *testing.T, keys ...crypto.PublicKey) *blockedkeys.List {
	t.Helper()
	var lines strings.Builder
	for _, k := range keys {
		der, err := x509.MarshalPKIXPublicKey(k)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(der)
		lines.WriteString(hex.EncodeToString(sum[:]) + "\n")
	}
	path := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(path, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := blockedkeys.Open([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Blocked keys are certified by no template, for leaves and CAs alike, and a CA that has one certifies nobody.
func TestBlockedKeys(t *testing.T) {
	root, other := newRoot(t, P256), newIssuer(t, "other", P256)
	bad, good := newIssuer(t, "bad", P256), newIssuer(t, "good", P384)
	for what, c := range map[string]struct {
		by     *Issuer
		of     *Issuer
		tmpl   string
		reason Reason
		fault  KeyFault
	}{
		"leaf":        {root, bad, "EndEntityCertificate", BadCSR, WeakKey},
		"subordinate": {root, bad, "SubordinateCACertificate_PathLen0", BadCSR, WeakKey},
		"responder":   {root, bad, "OCSPSigningCertificate", BadCSR, WeakKey},
		"root":        {other, other, "RootCACertificate", BadCSR, WeakKey},
	} {
		c.by.RootType = true
		req := &Request{CSR: c.of.csr(t), Template: template(t, c.tmpl), Validity: Validity{Years, 1}}
		c.by.Blocked = nil
		if _, err := try(c.by, req); err != nil {
			t.Errorf("%s without a list: %v", what, err)
		}
		c.by.Blocked = blocking(t, c.of.PublicKey)
		_, err := try(c.by, req)
		var e *Error
		if !errors.As(err, &e) || e.Reason != c.reason || e.Key != c.fault || e.Text != blockedkeys.Reason {
			t.Errorf("%s: got %v", what, err)
		}
	}
	root.Blocked = blocking(t, bad.PublicKey)
	if _, err := try(root, &Request{CSR: good.csr(t), Template: template(t, "EndEntityCertificate"), Validity: Validity{Years, 1}}); err != nil {
		t.Errorf("another key: %v", err)
	}
	root.Blocked = blocking(t, root.PublicKey)
	_, err := try(root, &Request{CSR: good.csr(t), Template: template(t, "EndEntityCertificate"), Validity: Validity{Years, 1}})
	var e *Error
	if !errors.As(err, &e) || e.Reason != BadArgument || e.Key != "" || !strings.Contains(e.Text, blockedkeys.Reason) {
		t.Errorf("the CA's own key: got %v", err)
	}
}

// A CA's certificate is not imported with a blocked key in it or above it.
func TestImportOfBlockedKeys(t *testing.T) {
	root := newRoot(t, P256)
	sub := newSubordinate(t, root, P256, "SubordinateCACertificate_PathLen0")
	cert, chain := certPEM(sub.Certificate), certPEM(root.Certificate)
	sub.Blocked = blocking(t, newIssuer(t, "x", P256).PublicKey)
	if _, _, err := sub.CheckImport(cert, chain, now); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		key  crypto.PublicKey
		name string
	}{{sub.PublicKey, "CN=sub"}, {root.PublicKey, "CN=root"}} {
		sub.Blocked = blocking(t, c.key)
		_, _, err := sub.CheckImport(cert, chain, now)
		var e *Error
		if !errors.As(err, &e) || e.Reason != BadCertificate || !strings.Contains(e.Text, c.name) || !strings.Contains(e.Text, blockedkeys.Reason) {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
}
