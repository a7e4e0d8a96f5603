package directory_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rolecall/rolecall/internal/enroll/directory"
	"github.com/rolecall/rolecall/internal/testad"
)

// Many callers share few connections, and a caller that gives up disturbs no other.
func TestConcurrent(t *testing.T) {
	d := testad.Start(t)
	var open, most atomic.Int64
	cfg := config(t)
	cfg.MaxConns = 3
	cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := d.Dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		n := open.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		return &counted{Conn: c, open: &open}, nil
	}
	c := dial(t, cfg)
	sids := []string{sid(t, "alice"), sid(t, "bob"), sid(t, "WS2$")}
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() {
			id := sids[i%len(sids)]
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			switch i % 5 {
			case 0:
				cancel()
				if _, err := c.Fresh(ctx, id); !errors.Is(err, directory.ErrUnavailable) {
					t.Errorf("given up: %v", err)
				}
			case 1:
				if e, err := c.Lookup(ctx, id); err != nil || e.SID != id {
					t.Errorf("%+v, %v", e, err)
				}
			default:
				if e, err := c.Fresh(ctx, id); err != nil || e.SID != id {
					t.Errorf("%+v, %v", e, err)
				}
			}
		})
	}
	wg.Wait()
	if most.Load() > 3 {
		t.Errorf("%d connections at once, at most 3 are allowed", most.Load())
	}
	c.Close()
	if _, err := c.Fresh(t.Context(), sids[0]); !errors.Is(err, directory.ErrUnavailable) {
		t.Errorf("after Close: %v", err)
	}
}

type counted struct {
	net.Conn
	open *atomic.Int64
	once sync.Once
}

func (c *counted) Close() error {
	c.once.Do(func() { c.open.Add(-1) })
	return c.Conn.Close()
}
