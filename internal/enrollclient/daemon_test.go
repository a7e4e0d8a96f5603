package enrollclient

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"testing"
	"time"
)

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// script is an issuer and a clock: every request has the next answer, every sleep passes at once.
type script struct {
	answers []error
	at      time.Time
	naps    []time.Duration
	olds    []*Pair
}

func (s *script) Enroll(_ context.Context, _ []byte, old *Pair) (*x509.Certificate, []*x509.Certificate, error) {
	s.olds = append(s.olds, old)
	err := s.answers[0]
	s.answers = s.answers[1:]
	if err == nil {
		err = errors.New("this issuer has no certificates")
	}
	return nil, nil, err
}

func (s *script) now() time.Time { return s.at }

func (s *script) sleep(_ context.Context, d time.Duration) error {
	s.naps = append(s.naps, d)
	s.at = s.at.Add(d)
	if len(s.answers) == 0 {
		return context.Canceled
	}
	return nil
}

// TestDaemon: it waits for the certificate's time in naps of an hour, tries again in growing pauses, more often the less is
// left, never at the same second as others, and ends when trying is no use.
func TestDaemon(t *testing.T) {
	down := errors.New("the server is down")
	s := &script{at: time.Now(), answers: []error{down, down, down, down, down, down, down, down, down, down}}
	c := &Client{Folder: Folder{Path: t.TempDir()}, Issuer: s, KeyType: "P-256", Renew: true}
	if err := c.Folder.store(certified(t, "P-256", s.at.Add(12*time.Hour))); err != nil { // of 36 hours
		t.Fatal(err)
	}
	c.RenewBefore = 6 * time.Hour
	looks, failures := 0, 0
	d := &Daemon{Client: c, clock: s, Failed: func(error) { failures++ }, Done: func(_ context.Context, changed bool, _ time.Time) {
		looks++
		if changed {
			t.Error("nothing was issued")
		}
	}}
	began := s.at
	if err := d.Run(t.Context()); err != nil || failures != 10 || looks < 5 || looks > 7 {
		t.Fatalf("%v, %d failures, %d looks", err, failures, looks)
	}
	var first time.Duration
	for i, nap := range s.naps {
		if i < looks {
			first += nap
			if nap > time.Hour*11/10+time.Second {
				t.Errorf("nap %d of %s", i, nap)
			}
		}
	}
	if first < 6*time.Hour || first > 6*time.Hour*12/10 {
		t.Errorf("the first try after %s, want about 6h", first)
	}
	want := firstRetry
	for i, nap := range s.naps[looks:] {
		if nap < want || nap > want*11/10+1 {
			t.Errorf("pause %d of %s, want %s to a tenth more", i, nap, want)
		}
		want = min(2*want, lastRetry)
	}
	if s.at.Sub(began) > 12*time.Hour {
		t.Error("the certificate is gone")
	}
	for _, old := range s.olds {
		if old == nil {
			t.Error("a renewal without the old certificate")
		}
	}

	// Two hours before the end of a certificate of hours, no pause is longer than an eighth of what is left.
	s.naps, s.at, s.answers = nil, time.Now().Add(11*time.Hour), []error{down, down, down, down, down, down, down, down, down, down, down, down, down, down}
	if err := d.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	at, end := time.Now().Add(11*time.Hour), began.Add(12*time.Hour)
	for i, nap := range s.naps {
		if most := max(end.Sub(at)/8, firstRetry) * 11 / 10; end.After(at) && nap > most+time.Second {
			t.Errorf("pause %d of %s with %s left", i, nap, end.Sub(at))
		}
		at = at.Add(nap)
	}

	final := &Error{Problem: "refused", Permanent: true}
	s.naps, s.answers = nil, []error{down, final}
	if err := d.Run(t.Context()); !errors.Is(err, final) || len(s.naps) != 1 {
		t.Errorf("what cannot get better: %v after %v", err, s.naps)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.answers = []error{down}
	if err := d.Run(ctx); err != nil {
		t.Errorf("stopped: %v", err)
	}
}

// TestSpread: of many daemons that were started together no two come back at the same moment.
func TestSpread(t *testing.T) {
	seen := map[time.Duration]bool{}
	for range 50 {
		s := &script{at: time.Now(), answers: []error{errors.New("down")}}
		d := &Daemon{Client: &Client{Folder: Folder{Path: t.TempDir()}, Issuer: s, KeyType: "P-256", Renew: true, Names: &Names{Subject: []byte{0x30, 0}}}, clock: s, Failed: func(error) {}}
		if err := d.Run(t.Context()); err != nil || len(s.naps) != 1 {
			t.Fatal(err, s.naps)
		}
		seen[s.naps[0]] = true
	}
	if len(seen) < 45 {
		t.Errorf("%d different pauses of 50", len(seen))
	}
}
