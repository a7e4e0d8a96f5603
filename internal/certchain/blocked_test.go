package certchain

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rolecall/rolecall/internal/blockedkeys"
)

// blockList writes the file of a list with the entities' keys.
func blockList(t *testing.T, path string, entities ...*entity) {
	t.Helper()
	lines := strings.Repeat("0", 64) + "\n"
	for _, e := range entities {
		sum := sha256.Sum256(e.cert.RawSubjectPublicKeyInfo)
		lines += hex.EncodeToString(sum[:]) + "\n"
	}
	fresh := path + ".new"
	if err := os.WriteFile(fresh, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(fresh, path); err != nil {
		t.Fatal(err)
	}
}

func blocking(t *testing.T, entities ...*entity) *blockedkeys.List {
	t.Helper()
	path := filepath.Join(t.TempDir(), "list")
	blockList(t, path, entities...)
	l, err := blockedkeys.Open([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// A blocked key counts wherever it is in the path, and nowhere else.
func TestBlockedKeys(t *testing.T) {
	root := newRoot(t)
	mid := root.ca(t, "Mid")
	leaf, stranger := mid.leaf(t), newRoot(t)
	in := &Input{Leaf: leaf.cert.Raw, Chain: ders(mid, stranger), Anchors: anchorsOf(t, root), Now: testNow}
	for _, c := range []struct {
		who          *entity
		message, why string
	}{
		{leaf, msgInsufficient, blockedkeys.Reason},
		{mid, msgUntrusted, `"CN=Mid,O=Example": ` + blockedkeys.Reason},
		{root, msgUntrusted, blockedkeys.Reason},
	} {
		_, err := NewVerifier(0).WithBlocked(blocking(t, c.who)).Verify(in)
		wantError(t, err, Weak, c.message, c.why)
	}
	if _, err := NewVerifier(0).WithBlocked(blocking(t, stranger)).Verify(in); err != nil {
		t.Errorf("a certificate that the path does not need: %v", err)
	}
	if err := anchorsOf(t, root).CheckKeys(blocking(t, leaf)); err != nil {
		t.Error(err)
	}
	wantError(t, anchorsOf(t, stranger, root).CheckKeys(blocking(t, root)), Weak, msgBadAnchor, blockedkeys.Reason)
}

// The same CA with a blocked key and with a sound one: the path goes through the latter.
func TestPathAroundBlockedKey(t *testing.T) {
	root := newRoot(t)
	mid := root.ca(t, "Mid")
	other := newRoot(t)
	again := sign(t, caTemplate("Mid"), other, mid.key) // mid's key, certified by another root
	leaf := mid.leaf(t)
	in := &Input{Leaf: leaf.cert.Raw, Chain: ders(mid, again), Anchors: anchorsOf(t, root, other), Now: testNow}
	got, err := NewVerifier(0).WithBlocked(blocking(t, root)).Verify(in)
	if err != nil {
		t.Fatal(err)
	}
	if path := got.path; !path[len(path)-1].Equal(other.cert) {
		t.Errorf("the path ends at %s", path[len(path)-1].Subject)
	}
}

// What was remembered under another list is not answered from memory.
func TestBlockedLater(t *testing.T) {
	root := newRoot(t)
	leaf, path := root.leaf(t), filepath.Join(t.TempDir(), "list")
	blockList(t, path)
	list, err := blockedkeys.Open([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	v := NewVerifier(0).WithBlocked(list)
	in := &Input{Leaf: leaf.cert.Raw, Anchors: anchorsOf(t, root), Now: testNow}
	first, err := v.Verify(in)
	if err != nil {
		t.Fatal(err)
	}
	if in.Parsed, err = v.Leaf(in.Leaf); err != nil { // as a warm caller has it
		t.Fatal(err)
	}
	if again, err := v.Verify(in); err != nil || again != first {
		t.Errorf("nothing was remembered: %v", err)
	}
	reload := func(entities ...*entity) {
		t.Helper()
		blockList(t, path, entities...)
		if changed, err := list.Reload(); err != nil || !changed {
			t.Fatal(changed, err)
		}
	}
	reload(leaf)
	_, err = v.Verify(in)
	wantError(t, err, Weak, msgInsufficient, blockedkeys.Reason)
	reload()
	if again, err := v.Verify(in); err != nil || again == first {
		t.Errorf("no longer blocked: %v", err)
	}
}
