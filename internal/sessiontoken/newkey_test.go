package sessiontoken

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/keyring"
)

// A session that another process minted under a key that it has just made opens here at once: nothing watches the file in
// this test. A token under a key that is nowhere stays invalid.
func TestOpenUnderNewKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ring")
	ringA, err := keyring.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	ringB, err := keyring.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	minter, opener := New(ringA), New(ringB)
	now := time.Now()
	for range 3 {
		if _, err := ringA.Rotate(now); err != nil {
			t.Fatal(err)
		}
		in := certificateSession()
		in.ExpiresAt = now.Add(time.Hour)
		c, _, err := minter.Mint(now, in)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := ringB.Key(mintedUnder(t, c.SessionToken)); ok {
			t.Fatal("the other node has the key already: this test proves nothing")
		}
		if _, secret, err := opener.Open(now, c.AccessKeyID, c.SessionToken); err != nil || secret != c.SecretAccessKey {
			t.Errorf("another node's session: %v", err)
		}
		if _, _, err := opener.Open(now, c.AccessKeyID, flip(c.SessionToken, 1)); err != ErrInvalid {
			t.Errorf("a token under a key that is nowhere: %v, want ErrInvalid", err)
		}
	}
}
