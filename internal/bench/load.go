package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// clients are open connections to one server. They write requests that were made beforehand and read answers with as
// little work as that takes, so that the machine's CPU is left to the servers.
type clients struct {
	conns []*clientConn
	next  atomic.Int64 // index of the next request; goes round all of them before one is repeated
}

type clientConn struct {
	tls *tls.Conn
	in  *bufio.Reader
}

const dialTimeout = 10 * time.Second

// dial opens n connections to a child on loopback and completes their handshakes.
func dial(ctx context.Context, address string, n int) (*clients, error) {
	c := &clients{}
	for range n {
		var d net.Dialer
		dctx, cancel := context.WithTimeout(ctx, dialTimeout)
		raw, err := d.DialContext(dctx, "tcp", address)
		if err != nil {
			cancel()
			c.close()
			return nil, err
		}
		// The child is this program's own, on loopback: there is nobody to authenticate.
		conn := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"}}) //nolint:gosec
		err = conn.HandshakeContext(dctx)
		cancel()
		if err != nil {
			raw.Close()
			c.close()
			return nil, err
		}
		c.conns = append(c.conns, &clientConn{tls: conn, in: bufio.NewReaderSize(conn, 16<<10)})
	}
	return c, nil
}

func (c *clients) close() {
	for _, conn := range c.conns {
		conn.tls.Close()
	}
}

// load is what one run sent.
type load struct {
	requests int
	wall     time.Duration
}

func (l load) rate() float64 { return float64(l.requests) / l.wall.Seconds() }

// maxRequests in run means that only the deadline ends it.
const maxRequests = 1 << 40

// run sends requests on all connections until the time is over or most requests were sent. An answer with another
// status than the one wanted is an error and ends the run.
func (c *clients) run(ctx context.Context, requests [][]byte, status int, d time.Duration, most int64) (load, error) {
	var sent atomic.Int64
	var once sync.Once
	var failure error
	var stopped atomic.Bool
	fail := func(err error) {
		once.Do(func() { failure = err })
		stopped.Store(true)
	}
	cancel := context.AfterFunc(ctx, func() { fail(ctx.Err()) })
	defer cancel()
	timer := time.AfterFunc(d, func() { stopped.Store(true) })
	defer timer.Stop()
	start := time.Now()
	var wg sync.WaitGroup
	for _, conn := range c.conns {
		wg.Go(func() {
			for !stopped.Load() {
				if sent.Add(1) > most {
					sent.Add(-1)
					return
				}
				request := requests[(c.next.Add(1)-1)%int64(len(requests))]
				if err := conn.exchange(request, status, start.Add(d+dialTimeout)); err != nil {
					fail(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if failure != nil {
		return load{}, failure
	}
	return load{requests: int(sent.Load()), wall: time.Since(start)}, nil
}

// exchange sends one request and reads its answer.
func (c *clientConn) exchange(request []byte, status int, deadline time.Time) error {
	if err := c.tls.SetDeadline(deadline); err != nil {
		return err
	}
	if _, err := c.tls.Write(request); err != nil {
		return err
	}
	got, length, err := c.readHead()
	if err != nil {
		return err
	}
	if got != status {
		body := make([]byte, min(length, 2048))
		io.ReadFull(c.in, body) //nolint:errcheck // the status says enough
		return fmt.Errorf("a request was answered with status %d instead of %d: %s", got, status, bytes.TrimSpace(body))
	}
	_, err = c.in.Discard(length)
	return err
}

// Limits of an answer. A line is limited by the reader's buffer.
const (
	maxHeaderLines = 64
	maxAnswer      = 1 << 20 // bytes
)

// readHead reads the status line and headers; the body follows. Answers without a length are refused.
func (c *clientConn) readHead() (status, length int, err error) {
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return 0, 0, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, 0, fmt.Errorf("not an HTTP/1.1 status line: %.40q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, 0, err
	}
	length = -1
	for range maxHeaderLines {
		if line, err = c.in.ReadSlice('\n'); err != nil {
			return 0, 0, err
		}
		if len(line) <= 2 {
			if length < 0 || length > maxAnswer {
				return 0, 0, fmt.Errorf("an answer with status %d has no Content-Length up to %d", status, maxAnswer)
			}
			return status, length, nil
		}
		const name = "content-length:"
		if len(line) > len(name) && strings.EqualFold(string(line[:len(name)]), name) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[len(name):]))); err != nil {
				return 0, 0, err
			}
		}
	}
	return 0, 0, fmt.Errorf("an answer with status %d has more than %d header lines", status, maxHeaderLines)
}
