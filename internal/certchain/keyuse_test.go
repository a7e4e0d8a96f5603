package certchain

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/fips140"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"testing"
)

// busy verifies the leaf's path n times and returns what was parsed of it.
func busy(t *testing.T, v *Verifier, in *Input, n int) *Leaf {
	t.Helper()
	leaf, err := v.Leaf(in.Leaf)
	if err != nil {
		t.Fatal(err)
	}
	in.Parsed = leaf
	for range n {
		if _, err := v.Verify(in); err != nil {
			t.Fatal(err)
		}
	}
	return leaf
}

func verifies(l *Leaf, digest, sig []byte) bool {
	switch pub := l.PublicKey().(type) {
	case *rsa.PublicKey:
		return l.VerifyRSA(pub, digest, sig)
	case *ecdsa.PublicKey:
		return l.VerifyECDSA(pub, digest, sig)
	}
	return false
}

func TestBusyKeysArePrepared(t *testing.T) {
	root := newRoot(t)
	for _, c := range []struct {
		name     string
		key      crypto.Signer
		prepared bool
	}{
		{"P-256", newECKey(t, elliptic.P256()), true},
		{"P-384", newECKey(t, elliptic.P384()), false},
		{"RSA-2048", newRSAKey(t, 2048), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := NewVerifier(0)
			e := sign(t, leafTemplate("workload"), root, c.key)
			in := &Input{Leaf: e.cert.Raw, Anchors: anchorsOf(t, root), Now: testNow}
			digest := sha256.Sum256([]byte("message"))
			sig, err := c.key.Sign(rand.Reader, digest[:], crypto.SHA256)
			if err != nil {
				t.Fatal(err)
			}
			leaf := busy(t, v, in, preparedAfter) // the first one only remembers the path
			if leaf.keyUse.prepared.Load() != nil {
				t.Error("the key is prepared too early")
			}
			busy(t, v, in, 1)
			if got := leaf.keyUse.prepared.Load() != nil; got != (c.prepared && !fips140.Enabled()) {
				t.Errorf("prepared = %v", got)
			}
			if !verifies(leaf, digest[:], sig) {
				t.Error("a good signature is refused")
			}
			bad := bytes.Clone(sig)
			bad[len(bad)-1] ^= 1
			if verifies(leaf, digest[:], bad) {
				t.Error("a tampered signature is accepted")
			}
		})
	}
}

// TestPreparedKeyIsForItsOwnKeyOnly asks a prepared leaf about another key's signature.
func TestPreparedKeyIsForItsOwnKeyOnly(t *testing.T) {
	root := newRoot(t)
	own, other := newRSAKey(t, 2048), newRSAKey(t, 2048)
	e := sign(t, leafTemplate("workload"), root, own)
	leaf := busy(t, NewVerifier(0), &Input{Leaf: e.cert.Raw, Anchors: anchorsOf(t, root), Now: testNow}, preparedAfter+1)
	digest := sha256.Sum256([]byte("message"))
	sig, err := other.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	if verifies(leaf, digest[:], sig) {
		t.Error("another key's signature is accepted as the leaf's")
	}
	if !leaf.VerifyRSA(other.Public().(*rsa.PublicKey), digest[:], sig) {
		t.Error("a signature is refused under its own key")
	}
}

// TestBusyHeadersAreNotDecoded gives the header of a prepared leaf, in its own spelling and in others.
func TestBusyHeadersAreNotDecoded(t *testing.T) {
	if fips140.Enabled() {
		t.Skip("no keys are prepared in FIPS 140 mode")
	}
	root := newRoot(t)
	mid := root.ca(t, "Mid")
	e := mid.leaf(t)
	v := NewVerifier(0)
	header, chain := base64.StdEncoding.EncodeToString(e.cert.Raw), base64.StdEncoding.EncodeToString(mid.cert.Raw)
	decode := func(header, chain string) *Leaf {
		t.Helper()
		der, ders, parsed, err := v.DecodeHeaders(header, chain)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(der, e.cert.Raw) || len(ders) != 1 || !bytes.Equal(ders[0], mid.cert.Raw) {
			t.Errorf("decoded other certificates")
		}
		return parsed
	}
	if decode(header, chain) != nil {
		t.Error("a leaf is known before it was used")
	}
	leaf := busy(t, v, &Input{Leaf: e.cert.Raw, Chain: ders(mid), Anchors: anchorsOf(t, root), Now: testNow}, preparedAfter+1)
	if decode(header, chain) != leaf {
		t.Error("the busy leaf is decoded again")
	}
	if decode(" "+header, chain) != nil {
		t.Error("another spelling is taken for the same")
	}
	for name, bad := range map[string][2]string{"leaf": {header[1:], chain}, "chain": {header, chain[1:]}} {
		if der, ders, parsed, err := v.DecodeHeaders(bad[0], bad[1]); err == nil || der != nil || ders != nil || parsed != nil {
			t.Errorf("a malformed %s: %v, and certificates %v", name, err, parsed)
		}
	}
}

func TestPreparedKeysAreBounded(t *testing.T) {
	root := newRoot(t)
	v := NewVerifier(0)
	anchors := anchorsOf(t, root)
	var leaves []*Leaf
	for i := range maxPrepared + 3 {
		e := sign(t, leafTemplate(fmt.Sprint("workload ", i)), root, newECKey(t, elliptic.P256()))
		leaves = append(leaves, busy(t, v, &Input{Leaf: e.cert.Raw, Anchors: anchors, Now: testNow}, preparedAfter+1))
	}
	for i, leaf := range leaves {
		if got := leaf.keyUse.prepared.Load() != nil; got != (i >= 3 && !fips140.Enabled()) {
			t.Errorf("leaf %d of %d: prepared = %v", i, len(leaves), got)
		}
		if found := v.prepared.find(base64.StdEncoding.EncodeToString(leaf.cert.Raw)); (found == leaf) != (i >= 3 && !fips140.Enabled()) {
			t.Errorf("leaf %d of %d: found by its header: %v", i, len(leaves), found)
		}
	}
}
