package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"pgregory.net/rapid"
)

// The example of the AWS documentation on deriving a signing key.
func TestDeriveKey(t *testing.T) {
	k := DeriveKey(suiteSecret, "20120215", "us-east-1", "iam")
	const want = "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d"
	if got := hex.EncodeToString(k[:]); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestHMACAgainstStandardLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "key")
		msg := rapid.SliceOfN(rapid.Byte(), 0, 2000).Draw(t, "msg")
		m := hmac.New(sha256.New, key)
		m.Write(msg)
		got := hmacSHA256(key, msg)
		if !hmac.Equal(m.Sum(nil), got[:]) {
			t.Fatalf("key %x, message %x", key, msg)
		}
	})
}
