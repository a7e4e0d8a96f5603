package enroll

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limits of one node. None is shared by all clients together: then a stranger could use it up for everybody.
const (
	// Requests of one source, whoever sends them; a proxy, or a site behind one address, is one.
	sourceRate, sourceBurst = 1000, 1000
	// Requests of one account: a machine asks for policies and a few certificates a day, and may do that again.
	callerRate, callerBurst = 1, 100
	// Wrong passwords of one source. Right ones are not counted, so that many users behind one address do not keep each other
	// out.
	wrongRate, wrongBurst = 1.0 / 6, 10

	maxLimits = 10_000
)

// limits are rates of several keys: sources or accounts.
type limits[K comparable] struct {
	perSecond float64
	burst     int

	mu     sync.Mutex // guards what is below
	by     map[K]*rate.Limiter
	pruned time.Time
}

func newLimits[K comparable](perSecond float64, burst int) *limits[K] {
	return &limits[K]{perSecond: perSecond, burst: burst, by: map[K]*rate.Limiter{}}
}

// begin counts an attempt. It is given back by forgive.
func (s *limits[K]) begin(key K, now time.Time) (forgive func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.by[key]
	if l == nil {
		if len(s.by) >= maxLimits && now.Sub(s.pruned) > time.Second {
			s.pruned = now
			for k, old := range s.by {
				if old.TokensAt(now) >= float64(s.burst) { // nothing to remember
					delete(s.by, k)
				}
			}
		}
		if len(s.by) >= maxLimits {
			var rest K // they share one limit until some are forgotten
			key = rest
			l = s.by[key]
		}
		if l == nil {
			l = rate.NewLimiter(rate.Limit(s.perSecond), s.burst)
			s.by[key] = l
		}
	}
	r := l.ReserveN(now, 1)
	if !r.OK() || r.DelayFrom(now) > 0 {
		r.CancelAt(now)
		return nil, false
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		r.CancelAt(now) // at the time of the attempt: later, it would not be given back
	}, true
}

// allow is begin for attempts that are never given back.
func (s *limits[K]) allow(key K, now time.Time) bool {
	_, ok := s.begin(key, now)
	return ok
}

// sourceOf is the client's address; of IPv6 the network, as one host has all addresses of a /64.
func sourceOf(remote string) netip.Addr {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			a = p.Addr()
		}
	}
	return a
}
