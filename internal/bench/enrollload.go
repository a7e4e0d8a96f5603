package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// dialFrom opens a connection from a loopback address of the client's own: the server limits requests by their source.
func (e *enrollWorld) dialFrom(ctx context.Context, client int) (*clientConn, error) {
	d := net.Dialer{Timeout: dialTimeout, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+client%250))}}
	raw, err := d.DialContext(ctx, "tcp", e.target.server.address)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(raw, enrollTLS())
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, err
	}
	return &clientConn{tls: conn, in: bufio.NewReaderSize(conn, 16<<10)}, nil
}

// body sends one request and returns the body of its answer.
func (c *clientConn) body(request []byte) ([]byte, error) {
	if err := c.tls.SetDeadline(time.Now().Add(startTimeout)); err != nil {
		return nil, err
	}
	if _, err := c.tls.Write(request); err != nil {
		return nil, err
	}
	status, length, err := c.readHead()
	if err != nil {
		return nil, err
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(c.in, body); err != nil {
		return nil, err
	}
	if status != 200 {
		return nil, fmt.Errorf("status %d: %.2000s", status, body)
	}
	return body, nil
}

// inConnections calls fn with 0 to n-1 over as many connections as there are clients. What panics below fails it.
func (e *enrollWorld) inConnections(ctx context.Context, n int, fn func(conn *clientConn, i int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for client := range e.conns {
		g.Go(func() (err error) {
			defer func() {
				if p := recover(); p != nil {
					err = fmt.Errorf("making requests: %v", p)
				}
			}()
			conn, err := e.dialFrom(ctx, client)
			if err != nil {
				return err
			}
			defer conn.tls.Close()
			for i := int(next.Add(1) - 1); i < n && ctx.Err() == nil; i = int(next.Add(1) - 1) {
				if err := fn(conn, i); err != nil {
					return err
				}
			}
			return ctx.Err()
		})
	}
	return g.Wait()
}

// calibration is how many requests tell the rate, so that enough of them are made for the window.
const calibration = 400

// measure loads the server for about d.
func (e *enrollWorld) measure(ctx context.Context, kind keyKind, legs bool, d time.Duration) (side, error) {
	first, err := e.window(ctx, kind, legs, calibration, d)
	if err != nil {
		return side{}, err
	}
	return e.window(ctx, kind, legs, max(calibration, int(first.rate()*1.1*d.Seconds())), d)
}

// window sends at most n requests within d and reads the clocks around them. Making requests comes before.
func (e *enrollWorld) window(ctx context.Context, kind keyKind, legs bool, n int, d time.Duration) (side, error) {
	requests, stranger := make([][]byte, n), requestHead(policyPath, "", soapMessage(policyMessage))
	if kind != "" {
		stranger = requestHead(e.paths[kind], "", e.renewals[kind][0])
	}
	err := inParallel(n, func(i int) (err error) {
		who := i % len(e.tickets)
		if kind == "" {
			requests[i], err = e.post(who, policyPath, soapMessage(policyMessage))
		} else {
			requests[i], err = e.post(who, e.paths[kind], e.renewals[kind][who])
		}
		return err
	})
	if err != nil {
		return side{}, err
	}
	c := e.target.server
	before, err := readClocks(c)
	if err != nil {
		return side{}, err
	}
	var l load
	if legs {
		l, err = e.run(ctx, requests, stranger, d)
	} else {
		l, err = e.run(ctx, requests, nil, d)
	}
	if err != nil {
		return side{}, err
	}
	after, err := readClocks(c)
	if err != nil {
		return side{}, err
	}
	drained, err := c.drain(ctx)
	if err != nil {
		return side{}, err
	}
	cpu, err := c.cpu()
	return side{l, cpu - before.server, after.client - before.client, after.idle - before.idle, drained}, err
}

// run sends each request once. With a stranger's request, every request begins with that one, which is refused, and both have a
// connection of their own; without, a client has one connection for all.
func (e *enrollWorld) run(ctx context.Context, requests [][]byte, stranger []byte, d time.Duration) (load, error) {
	g, ctx := errgroup.WithContext(ctx)
	var next, sent atomic.Int64
	start := time.Now()
	deadline := start.Add(d)
	for client := range e.conns {
		g.Go(func() error {
			var kept *clientConn
			defer func() {
				if kept != nil {
					kept.tls.Close()
				}
			}()
			for time.Now().Before(deadline) && ctx.Err() == nil {
				i := int(next.Add(1) - 1)
				if i >= len(requests) {
					break
				}
				var err error
				switch {
				case stranger != nil:
					if err = e.alone(ctx, client, stranger, 401); err == nil {
						err = e.alone(ctx, client, requests[i], 200)
					}
				case kept == nil:
					if kept, err = e.dialFrom(ctx, client); err != nil {
						return err
					}
					fallthrough
				default:
					err = kept.exchange(requests[i], 200, deadline.Add(dialTimeout))
				}
				if err != nil {
					return err
				}
				sent.Add(1)
			}
			return ctx.Err()
		})
	}
	if err := g.Wait(); err != nil {
		return load{}, err
	}
	return load{requests: int(sent.Load()), wall: time.Since(start)}, nil
}

// alone sends one request on a connection of its own.
func (e *enrollWorld) alone(ctx context.Context, client int, request []byte, status int) error {
	conn, err := e.dialFrom(ctx, client)
	if err != nil {
		return err
	}
	defer conn.tls.Close()
	return conn.exchange(request, status, time.Now().Add(dialTimeout))
}

// profile writes a CPU profile of renewals at the P-256 CA.
func (e *enrollWorld) profile(ctx context.Context, file string, d time.Duration, say func(string, ...any)) error {
	seconds := max(1, int(d/time.Second))
	say("CPU profile of %d s into %s", seconds, file)
	var wg sync.WaitGroup
	var fetched error
	wg.Go(func() {
		fetched = fetch(ctx, fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", e.target.server.metrics, seconds), file)
	})
	_, err := e.measure(ctx, p256, false, time.Duration(seconds)*time.Second)
	wg.Wait()
	if err == nil {
		err = fetched
	}
	return err
}
