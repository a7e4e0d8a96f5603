package revocation

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// hang answers when the test is over.
func hang(done <-chan struct{}) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-done:
		case <-r.Context().Done():
		}
	}
}

// A slow source costs the first CreateSession waitTime and those after it nothing; accounts do not wait for each other's.
func TestSlowSource(t *testing.T) {
	done := make(chan struct{})
	slow, quick := newSource(t, hang(done)), newSource(t, nil)
	defer close(done)
	c, _ := newTestChecker(t, slow.host(), quick.host())
	ca := makeCert(t, nil, isCA)
	hard := Options{Check: []Source{CRL}}
	cert := ca.issued(t, []string{slow.URL + "/ca.crl"}, nil)
	began := time.Now()
	wantFinding(t, "first", check(t, c, hard, ca, cert), "took too long")
	if took := time.Since(began); took < waitTime-time.Second || took > waitTime+3*time.Second {
		t.Errorf("waited %s, not %s", took, waitTime)
	}
	began = time.Now()
	wantFinding(t, "second", check(t, c, hard, ca, cert), "took too long")
	if f := check(t, c, Options{Check: []Source{CRL}, Soft: true}, ca, cert); f != nil {
		t.Errorf("soft: %+v", f)
	}
	if took := time.Since(began); took > waitTime-time.Second {
		t.Errorf("those who came later waited %s", took)
	}

	// An account whose sources hang takes its share of questions and no more.
	path := func(url string) []*x509.Certificate {
		return []*x509.Certificate{ca.issued(t, []string{url}, nil), ca.cert}
	}
	for i := range accountMost + 3 {
		p := path(slow.URL + "/" + strconv.Itoa(i))
		c.mu.Lock()
		st := &status{cert: p[0], issuer: p[1], sources: hard.Check, account: "111111111111"}
		c.askLocked(st)
		c.mu.Unlock()
	}
	for deadline := time.Now().Add(5 * time.Second); len(c.fetch.slots) < accountMost && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	quick.set(sends(ca.list(t, nil)))
	began = time.Now()
	if err := c.Check(t.Context(), testAnchor("222222222222"), &hard, path(quick.URL+"/ca.crl"), time.Now()); err != nil || time.Since(began) > waitTime-time.Second {
		t.Errorf("another account: %v after %s", err, time.Since(began))
	}
	if n := len(c.asking["111111111111"]); n != accountMost {
		t.Errorf("%d questions under way, want %d", n, accountMost)
	}
}

// Who gives up before the fetch has begun leaves it to those who come later.
func TestGivingUpOnAList(t *testing.T) {
	ca := makeCert(t, nil, isCA)
	source := newSource(t, sends(ca.list(t, nil)))
	c, _ := newTestChecker(t, source.host())
	gone, leave := context.WithCancel(t.Context())
	leave()
	for i := range 50 {
		k := listKey{source.URL + "/" + strconv.Itoa(i), keyID(ca.cert)}
		if l, err := c.list(gone, k, ca.cert); l == nil && !errors.Is(err, context.Canceled) {
			t.Fatalf("the caller who left: %v", err)
		}
		if l, err := c.list(t.Context(), k, ca.cert); err != nil || l == nil {
			t.Fatalf("the caller who stayed: %v", err)
		}
	}
}

// Of the addresses of a certificate a few are tried, one after the other.
func TestAddressesAreBounded(t *testing.T) {
	ca := makeCert(t, nil, isCA)
	good := newSource(t, sends(ca.list(t, nil)))
	bad := newSource(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	c, _ := newTestChecker(t, good.host(), bad.host())
	o := Options{Check: []Source{CRL}}
	addresses := func(failing int) (a []string) {
		for range failing {
			a = append(a, bad.URL+"/"+strings.Repeat("x", len(a)))
		}
		return append(a, good.URL+"/ca.crl")
	}
	wantFinding(t, "the third", check(t, c, o, ca, ca.issued(t, addresses(maxAddresses-1), nil)), "")
	before := bad.count()
	wantFinding(t, "the one after", check(t, c, o, ca, ca.issued(t, append([]string{"ldap:///x"}, addresses(40)...), nil)), "could not be found out")
	if n := bad.count() - before; n > maxAddresses {
		t.Errorf("%d addresses were tried", n)
	}
}
