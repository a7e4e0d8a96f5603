package enrollclient

import (
	"testing"
	"time"
)

// StoreExpired puts a pair into the folder whose certificate ended an hour ago.
func StoreExpired(t testing.TB, f Folder) {
	t.Helper()
	if err := f.store(certified(t, "P-256", time.Now().Add(-time.Hour))); err != nil {
		t.Fatal(err)
	}
}
