package certchain

import (
	"crypto/x509"
	"math/big"
	"sync"
	"testing"
	"time"
)

func cachedLeaves(v *Verifier) int {
	n := 0
	for i := range v.cache.shards {
		n += len(*v.cache.shards[i].current.Load())
	}
	return n
}

func TestWarmVerifyReturnsTheSameAndParsesNothing(t *testing.T) {
	root := newRoot(t)
	mid := root.ca(t, "Mid")
	leaf := mid.leaf(t)
	v := NewVerifier(0)
	in := &Input{Leaf: leaf.cert.Raw, Chain: ders(mid), Anchors: anchorsOf(t, root), Now: testNow}
	first, err := v.Verify(in)
	if err != nil {
		t.Fatal(err)
	}
	// Anchors of the same content are the same anchors.
	in.Anchors = anchorsOf(t, root)
	in.CRLs = []*CRL{parseCRLForTest(t, makeCRL(t, mid, nil, big.NewInt(1)))}
	var second *Verified
	allocs := testing.AllocsPerRun(100, func() {
		if in.Parsed, err = v.Leaf(in.Leaf); err == nil {
			second, err = v.Verify(in)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if first != second || in.Parsed != first.Parsed() {
		t.Error("the warm call made a new result")
	}
	if allocs > 1 { // the chain's hash state; parsing one certificate makes dozens
		t.Errorf("a warm call allocates %v times", allocs)
	}
}

func TestCacheHonoursTheClock(t *testing.T) {
	root := newRoot(t)
	mid := root.ca(t, "Mid", func(c *x509.Certificate) { c.NotAfter = testNow.Add(time.Minute) })
	leaf := mid.leaf(t)
	v := NewVerifier(0)
	in := &Input{Leaf: leaf.cert.Raw, Chain: ders(mid), Anchors: anchorsOf(t, root), Now: testNow}
	got, err := v.Verify(in)
	if err != nil {
		t.Fatal(err)
	}
	if want := testNow.Add(time.Minute); !got.ValidUntil().Equal(want) {
		t.Errorf("ValidUntil = %v, want %v", got.ValidUntil(), want)
	}
	in.Now = testNow.Add(time.Minute + 1)
	_, err = v.Verify(in)
	wantError(t, err, Expired, msgUntrusted, "Mid")
	in.Now = testNow.Add(-48 * time.Hour)
	_, err = v.Verify(in)
	wantError(t, err, NotYetValid, msgNotYetValid, "workload")
}

func TestCacheIsPerAnchors(t *testing.T) {
	root, other := newRoot(t), newRoot(t, func(c *x509.Certificate) { c.Subject.CommonName = "Other" })
	leaf := root.leaf(t)
	v := NewVerifier(0)
	if _, err := v.Verify(&Input{Leaf: leaf.cert.Raw, Anchors: anchorsOf(t, root), Now: testNow}); err != nil {
		t.Fatal(err)
	}
	_, err := v.Verify(&Input{Leaf: leaf.cert.Raw, Anchors: anchorsOf(t, other), Now: testNow})
	wantError(t, err, Untrusted, msgUntrusted, "Root")
}

func TestOnlyVerifiedPathsAreCached(t *testing.T) {
	root := newRoot(t)
	anchors := anchorsOf(t, root)
	v := NewVerifier(8)
	if _, err := v.Verify(&Input{Leaf: root.leaf(t).cert.Raw, Anchors: anchors, Now: testNow}); err != nil {
		t.Fatal(err)
	}
	stranger := newRoot(t)
	for range 30 {
		leaf := stranger.leaf(t)
		if _, err := v.Leaf(leaf.cert.Raw); err != nil {
			t.Fatal(err)
		}
		if _, err := v.Verify(&Input{Leaf: leaf.cert.Raw, Anchors: anchors, Now: testNow}); err == nil {
			t.Fatal("accepted")
		}
	}
	revoked := root.leaf(t)
	crls := []*CRL{parseCRLForTest(t, makeCRL(t, root, nil, revoked.cert.SerialNumber))}
	if _, err := v.Verify(&Input{Leaf: revoked.cert.Raw, Anchors: anchors, CRLs: crls, Now: testNow}); err == nil {
		t.Fatal("accepted")
	}
	if got := cachedLeaves(v); got != 1 {
		t.Errorf("%d leaves cached, want 1", got)
	}
}

func TestCacheIsBounded(t *testing.T) {
	root := newRoot(t)
	anchors := anchorsOf(t, root)
	for _, max := range []int{-1, 1, 3, 70, 1000} {
		v := NewVerifier(max)
		leaf, err := v.Leaf(root.leaf(t).cert.Raw)
		if err != nil {
			t.Fatal(err)
		}
		verified, err := v.Verify(&Input{Parsed: leaf, Anchors: anchors, Now: testNow})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3000 { // the cache does not care whose fingerprint it is
			l := &Leaf{cert: leaf.cert}
			l.fingerprint[0], l.fingerprint[1] = byte(i), byte(i>>8)
			v.cache.put(l, pathKey{}, verified)
		}
		if got := cachedLeaves(v); got > max && max > 0 || max < 0 && got != 0 {
			t.Errorf("max %d: %d leaves cached", max, got)
		}
	}
}

func TestOneLeafHasFewCachedPaths(t *testing.T) {
	root := newRoot(t)
	leaf := root.leaf(t)
	v := NewVerifier(0)
	anchors := anchorsOf(t, root)
	for i := range 20 { // chains that differ only in garbage
		if _, err := v.Verify(&Input{Leaf: leaf.cert.Raw, Chain: [][]byte{{byte(i)}}, Anchors: anchors, Now: testNow}); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(v.cache.get(fingerprintOf(leaf.cert.Raw)).paths); got != maxPathsPerLeaf {
		t.Errorf("%d paths cached, want %d", got, maxPathsPerLeaf)
	}
}

func TestEvictionPrefersTheUnread(t *testing.T) {
	m := map[[32]byte]*cacheEntry{{1}: {}, {2}: {}, {3}: {}}
	m[[32]byte{1}].used.Store(true)
	m[[32]byte{3}].used.Store(true)
	evict(m)
	if _, ok := m[[32]byte{2}]; ok || len(m) != 2 {
		t.Errorf("the unread entry stayed: %v", m)
	}
	evict(m)
	if len(m) != 1 {
		t.Errorf("%d entries left, want 1", len(m))
	}
}

func TestConcurrentVerify(t *testing.T) {
	root := newRoot(t)
	anchors := anchorsOf(t, root)
	v := NewVerifier(16)
	leaves := make([]*entity, 32)
	for i := range leaves {
		leaves[i] = root.leaf(t)
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				leaf := leaves[(i*7+g)%len(leaves)]
				got, err := v.Verify(&Input{Leaf: leaf.cert.Raw, Anchors: anchors, Now: testNow})
				if err != nil {
					t.Error(err)
					return
				}
				if got.Memo(func() any { return got.SerialHex() }) != got.SerialHex() {
					t.Error("another certificate's memo")
				}
			}
		})
	}
	wg.Wait()
}

func TestChainHashKeepsCutsApart(t *testing.T) {
	a, b := chainHash([][]byte{{1, 2}, {3}}), chainHash([][]byte{{1}, {2, 3}})
	if a == b || a == chainHash(nil) {
		t.Error("different chains have one hash")
	}
}
