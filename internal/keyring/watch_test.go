package keyring

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/keyring/privatefile"
)

func TestReload(t *testing.T) {
	r, path := create(t)
	k := r.Keys()[0]
	other, otherPath := create(t)
	otherData, err := os.ReadFile(otherPath)
	if err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		change func() error
		want   error
	}{
		"damaged":        {func() error { return privatefile.Write(path, []byte("{")) }, ErrCorrupt},
		"gone":           {func() error { return os.Remove(path) }, ErrMissing},
		"another ring":   {func() error { return privatefile.Write(path, otherData) }, ErrOtherRing},
		"another secret": {func() error { return privatefile.Write(path, withSecretOf(t, k, other.Keys()[0])) }, ErrOtherRing},
		"readable":       {func() error { return privatefile.WriteMode(path, good, 0o644) }, privatefile.ErrModes},
	} {
		if err := tc.change(); err != nil {
			t.Fatal(err)
		}
		if err := r.Reload(); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
		if got := r.Active(time.Now()); got != k {
			t.Errorf("%s: the ring changed", name)
		}
		if err := privatefile.Write(path, good); err != nil {
			t.Fatal(err)
		}
		if err := r.Reload(); err != nil {
			t.Errorf("%s, then good again: %v", name, err)
		}
		if got := r.Active(time.Now()); got != k {
			t.Errorf("%s: the key has another pointer now", name)
		}
	}
	if err := Ephemeral().Reload(); err != nil {
		t.Errorf("ephemeral: %v", err)
	}
}

// withSecretOf is a sound ring in which a's id has b's secret.
func withSecretOf(t *testing.T, a, b *Key) []byte {
	t.Helper()
	data, err := encode([]*Key{{ID: a.ID, Created: a.Created, ActiveFrom: a.ActiveFrom, secret: b.secret}})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestReloadDropsRemovedKeys(t *testing.T) {
	r, path := create(t)
	old := r.Keys()[0]
	k, err := r.Rotate(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	data, err := encode([]*Key{k})
	if err != nil {
		t.Fatal(err)
	}
	if err := privatefile.Write(path, data); err != nil {
		t.Fatal(err)
	}
	if err := r.Reload(); err != nil {
		t.Fatal(err)
	}
	if _, ok := r.Key(old.ID); ok || len(r.Keys()) != 1 {
		t.Errorf("the removed key is still there: %v", r.Keys())
	}
}

func TestWatch(t *testing.T) {
	operator, path := create(t)
	server := load(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	reports := make(chan error, 100)
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Watch(ctx, time.Millisecond, func(err error) { reports <- err })
	}()
	next := func(what string) error {
		t.Helper()
		select {
		case err := <-reports:
			return err
		case <-time.After(30 * time.Second):
			t.Fatalf("%s: nothing was reported", what)
			return nil
		}
	}
	k, err := operator.Rotate(time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if err := next("rotation"); err != nil {
		t.Errorf("rotation: %v", err)
	}
	if _, ok := server.Key(k.ID); !ok {
		t.Error("the new key did not arrive")
	}
	if got := server.Active(time.Now()); got.ID == k.ID {
		t.Error("the new key is active before its time")
	}
	if got := server.Active(time.Now().Add(2 * time.Hour)); got.ID != k.ID {
		t.Error("the new key is not active after its time")
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := privatefile.Write(path, good[:100]); err != nil {
		t.Fatal(err)
	}
	if err := next("damage"); !errors.Is(err, ErrCorrupt) {
		t.Errorf("damage: %v, want ErrCorrupt", err)
	}
	time.Sleep(20 * time.Millisecond) // many looks, one report
	if n := len(reports); n != 0 {
		t.Errorf("the same damage was reported %d more times", n)
	}
	if len(server.Keys()) != 2 {
		t.Error("the damaged file changed the ring")
	}
	if err := privatefile.Write(path, good); err != nil {
		t.Fatal(err)
	}
	if err := next("repair"); err != nil {
		t.Errorf("repair: %v", err)
	}
	if _, err := operator.Rotate(time.Now().Add(2 * time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := next("second rotation"); err != nil || len(server.Keys()) != 3 {
		t.Errorf("second rotation: %v, %d keys", err, len(server.Keys()))
	}
	cancel()
	<-done
}
