package keyring

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rolecall/rolecall/internal/keyring/privatefile"
)

// What another process seals under a key that it has just made opens at once, however often that happens and however
// many ask: no watcher runs here.
func TestFindInFile(t *testing.T) {
	operator, path := create(t)
	server := load(t, path)
	for range 5 {
		k, err := operator.Rotate(time.Now())
		if err != nil {
			t.Fatal(err)
		}
		sealed := operator.Seal("job", nil, []byte("value"))
		if _, ok := server.Key(k.ID); ok {
			t.Fatal("the server knew the key before it was asked for: this test proves nothing")
		}
		var asking sync.WaitGroup
		for range 20 {
			asking.Go(func() {
				if plain, err := server.Open("job", nil, sealed); err != nil || string(plain) != "value" {
					t.Errorf("%q, %v", plain, err)
				}
			})
		}
		asking.Wait()
		if got := server.Active(time.Now()); got.ID != k.ID {
			t.Errorf("seals under %s, not under the new %s", got, k)
		}
	}
}

// A key that is nowhere is not found, whatever the file is like, and the ring stays as it is.
func TestFindNowhere(t *testing.T) {
	server, path := create(t)
	k := server.Keys()[0]
	if got, ok := server.Find(k.ID ^ 1); ok {
		t.Errorf("found %s", got)
	}
	other, err := os.ReadFile(createOther(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"damaged": []byte("{"), "another ring": other} {
		if err := privatefile.Write(path, data); err != nil {
			t.Fatal(err)
		}
		if _, err := server.Open("job", nil, append([]byte{sealVersion, 1, 2, 3, 4}, make([]byte, sealOverhead)...)); !errors.Is(err, ErrUnknownKey) {
			t.Errorf("%s: %v, want ErrUnknownKey", name, err)
		}
		if keys := server.Keys(); len(keys) != 1 || keys[0] != k {
			t.Errorf("%s: the ring has changed: %v", name, keys)
		}
	}
	if _, ok := Ephemeral().Find(1); ok {
		t.Error("a ring in memory found a key")
	}
}

func createOther(t *testing.T) string {
	t.Helper()
	_, path := create(t)
	return path
}

// Who asks during a look waits for the next one, and all of them share it.
func TestLooksAreShared(t *testing.T) {
	var l looks
	var n atomic.Int32
	begun, proceed := make(chan struct{}), make(chan struct{})
	var asking sync.WaitGroup
	asking.Go(func() {
		l.since(time.Now(), func() { n.Add(1); close(begun); <-proceed })
	})
	<-begun
	asked := time.Now()
	for range 50 {
		asking.Go(func() { l.since(asked, func() { n.Add(1) }) })
	}
	close(proceed)
	asking.Wait()
	if got := n.Load(); got != 2 {
		t.Errorf("%d looks for one caller and 50 after it, want 2", got)
	}
}

// However fast unknown keys are named, there is one look per pause, and the first does not wait.
func TestLooksArePaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l looks
		begin := time.Now()
		for i := range 100 {
			l.since(time.Now(), func() {
				if d := time.Since(begin); d != time.Duration(i)*lookPause {
					t.Errorf("look %d after %s", i, d)
				}
			})
		}
	})
}
