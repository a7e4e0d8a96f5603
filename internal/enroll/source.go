package enroll

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Wrong passwords of one source: a burst, then one every few seconds. Right ones are not counted, so that many users behind
// one address do not keep each other out.
const (
	wrongBurst    = 10
	wrongInterval = 6 * time.Second
	maxSources    = 10_000
)

// sources limits wrong passwords by the client's address, so that one stranger cannot use up what all have together.
type sources struct {
	mu sync.Mutex // guards by
	by map[netip.Addr]*rate.Limiter
}

// begin counts an attempt. It is given back by forgive, unless the password was wrong.
func (s *sources) begin(remote string, now time.Time) (forgive func(), ok bool) {
	source := sourceOf(remote)
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.by[source]
	if l == nil {
		if len(s.by) >= maxSources {
			for k, old := range s.by {
				if old.TokensAt(now) >= wrongBurst { // nothing to remember
					delete(s.by, k)
				}
			}
		}
		if len(s.by) >= maxSources {
			source = netip.Addr{} // they share one limit until some are forgotten
			l = s.by[source]
		}
		if l == nil {
			l = rate.NewLimiter(rate.Every(wrongInterval), wrongBurst)
			if s.by == nil {
				s.by = map[netip.Addr]*rate.Limiter{}
			}
			s.by[source] = l
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
