package sessiontoken

import (
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/keyring"
)

func TestCacheIsBounded(t *testing.T) {
	const entries, tokens = 64, 2000
	s := NewSize(keyring.Ephemeral(), entries)
	creds := make([]Credentials, tokens)
	for i := range creds {
		creds[i] = mint(t, s, certificateSession())
		if _, _, err := s.Open(testNow, creds[i].AccessKeyID, creds[i].SessionToken); err != nil {
			t.Fatal(err)
		}
		if n := s.Cached(); n > entries {
			t.Fatalf("%d tokens are remembered, the bound is %d", n, entries)
		}
	}
	if n := s.Cached(); n < entries*3/4 {
		t.Errorf("only %d tokens are remembered of %d possible", n, entries)
	}
	for _, c := range creds { // forgotten or not, all open
		if _, secret, err := s.Open(testNow, c.AccessKeyID, c.SessionToken); err != nil || secret != c.SecretAccessKey {
			t.Fatalf("Open: %v", err)
		}
	}
}

// A session in use stays while others come and go.
func TestCacheKeepsWhatIsUsed(t *testing.T) {
	s := NewSize(keyring.Ephemeral(), 64)
	hot := mint(t, s, certificateSession())
	first, _, err := s.Open(testNow, hot.AccessKeyID, hot.SessionToken)
	if err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		c := mint(t, s, certificateSession())
		if _, _, err := s.Open(testNow, c.AccessKeyID, c.SessionToken); err != nil {
			t.Fatal(err)
		}
		again, _, err := s.Open(testNow, hot.AccessKeyID, hot.SessionToken)
		if err != nil {
			t.Fatal(err)
		}
		if again != first {
			t.Fatal("the session in use was forgotten")
		}
	}
}

func TestCacheDropsExpired(t *testing.T) {
	s := NewSize(keyring.Ephemeral(), 1024)
	for range 500 {
		c := mint(t, s, certificateSession())
		if _, _, err := s.Open(testNow, c.AccessKeyID, c.SessionToken); err != nil {
			t.Fatal(err)
		}
	}
	later := testNow.Add(90 * time.Minute)
	const fresh = 600
	for range fresh {
		in := certificateSession()
		in.ExpiresAt = later.Add(time.Hour)
		c := mint(t, s, in)
		if _, _, err := s.Open(later, c.AccessKeyID, c.SessionToken); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.Cached(); n > fresh+20 {
		t.Errorf("%d are remembered, %d of them live", n, fresh)
	}
}

// Distinct sessions must not grow memory, however many. The full million of the issue is BenchmarkMillionSessions.
func TestMemoryBound(t *testing.T) {
	s := New(keyring.Ephemeral())
	open := func(n int) uint64 {
		for range n {
			c := mint(t, s, certificateSession())
			if _, _, err := s.Open(testNow, c.AccessKeyID, c.SessionToken); err != nil {
				t.Fatal(err)
			}
		}
		return heap()
	}
	full := open(2 * DefaultCacheEntries)
	after := open(3 * DefaultCacheEntries)
	if after > full+full/4+1<<20 {
		t.Errorf("heap grew from %d to %d KiB", full>>10, after>>10)
	}
	if after > 16<<20 {
		t.Errorf("heap is %d KiB", after>>10)
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// The ring of one node is rotated while two nodes mint and open: nothing that was minted may fail anywhere, before or
// after the key is active. Run with -race.
func TestRotationUnderLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ring")
	ringA, err := keyring.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	ringB, err := keyring.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	nodes := []*Sealer{New(ringA), NewSize(ringB, 128)}
	var clock atomic.Int64 // seconds behind the time of the newest key
	start := time.Now()
	now := func() time.Time { return start.Add(time.Duration(clock.Load()) * time.Second) }
	stop := make(chan struct{})
	errs := make(chan error, 4)
	var wg sync.WaitGroup
	var opens atomic.Int64
	for i := range 4 {
		wg.Go(func() {
			minter, other := nodes[i%2], nodes[(i+1)%2]
			var held []Credentials
			for {
				select {
				case <-stop:
					return
				default:
				}
				in := certificateSession()
				in.ExpiresAt = now().Add(12 * time.Hour)
				c, _, err := minter.Mint(now(), in)
				if err != nil {
					errs <- err
					return
				}
				held = append(held, c)
				if len(held) > 50 {
					held = held[25:]
				}
				for _, c := range held {
					if _, secret, err := other.Open(now(), c.AccessKeyID, c.SessionToken); err != nil || secret != c.SecretAccessKey {
						errs <- fmt.Errorf("open: %w", err)
						return
					}
					opens.Add(1)
				}
			}
		})
	}
	first := ringA.Keys()[0]
	for i := range 20 {
		at := int64(60 * (i + 1))
		if _, err := ringA.Rotate(start.Add(time.Duration(at) * time.Second)); err != nil {
			t.Fatal(err)
		}
		if err := ringB.Reload(); err != nil { // each node has the file before its time comes
			t.Fatal(err)
		}
		clock.Store(at)
		time.Sleep(5 * time.Millisecond)
	}
	close(stop)
	wg.Wait()
	close(errs)
	for err := range errs {
		t.Error(err)
	}
	if opens.Load() == 0 {
		t.Error("nothing was opened")
	}
	if k := ringB.Active(now()); k.ID == first.ID || len(ringB.Keys()) != 21 {
		t.Errorf("active is %v of %d keys", k, len(ringB.Keys()))
	}
}

// Taking a key out of the file ends its sessions at once, remembered or not.
func TestRemovedKeyEndsSessions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ring")
	ring, err := keyring.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	s := New(ring)
	old := mint(t, s, certificateSession())
	if _, _, err := s.Open(testNow, old.AccessKeyID, old.SessionToken); err != nil {
		t.Fatal(err)
	}
	if _, err := ring.Rotate(testNow.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	removeKey(t, path, mintedUnder(t, old.SessionToken))
	if err := ring.Reload(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, _, err := s.Open(testNow, old.AccessKeyID, old.SessionToken); err != ErrInvalid {
			t.Errorf("got %v, want ErrInvalid", err)
		}
	}
	c := mint(t, s, certificateSession())
	if _, _, err := s.Open(testNow, c.AccessKeyID, c.SessionToken); err != nil {
		t.Errorf("under the key that is left: %v", err)
	}
	if n := len(*s.keys.Load()); n != 1 {
		t.Errorf("%d working keys are held, want 1", n)
	}
}
