package main

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// side is what one server did in its windows.
type side struct {
	load
	// serverCPU includes what the server did after the load to bring the audit log into the store.
	serverCPU, clientCPU time.Duration
	idle                 time.Duration // of all CPUs, under the load
	drained              time.Duration // how long the rest of the audit log took
}

func (s *side) add(o side) {
	s.requests += o.requests
	s.wall += o.wall
	s.serverCPU += o.serverCPU
	s.clientCPU += o.clientCPU
	s.idle += o.idle
	s.drained += o.drained
}

// idleCPUs is how many CPUs had nothing to do: a server that leaves some waits for something else.
func (s side) idleCPUs() float64 { return s.idle.Seconds() / s.wall.Seconds() }

// perRequest is the server's CPU time of one request.
func (s side) perRequest() time.Duration {
	return s.serverCPU / time.Duration(max(1, s.requests))
}

func (s side) clientPerRequest() time.Duration {
	return s.clientCPU / time.Duration(max(1, s.requests))
}

// pair is rolecalld and the floor under the same load.
type pair struct {
	name  string
	kind  keyKind
	real  side
	floor side
	raw   rawTimes
	sync  time.Duration // of one small append on the idle disk, which group commit waits for
}

// ratio is rolecalld's throughput as a part of the floor's.
func (p *pair) ratio() float64 { return p.real.rate() / p.floor.rate() }

// multiple is rolecalld's CPU time of a request in raw P-256 verifications.
func (p *pair) multiple() float64 { return float64(p.real.perRequest()) / float64(p.raw.p256) }

// warmUp is how long a server gets the load before anything counts.
const warmUp = 500 * time.Millisecond

// turns is how often the two servers are measured alternately, so that a drifting clock meets both.
const turns = 2

// bench is what all measurements share.
type bench struct {
	options   *options
	primitive *primitive
	target    *target
}

// reading is a look at the clocks of all that takes part.
type reading struct{ server, client, idle time.Duration }

func readClocks(c *child) (r reading, err error) {
	if r.server, err = c.cpu(); err != nil {
		return r, err
	}
	if r.client, err = cpuTime(unix.RUSAGE_SELF); err != nil {
		return r, err
	}
	r.idle, err = idleTime()
	return r, err
}

// window loads one server for d, or with most requests if that is sooner, and reads the clocks around it.
func window(ctx context.Context, c *child, conns *clients, p *pool, d time.Duration, most int64) (side, error) {
	requests, err := p.fresh()
	if err != nil {
		return side{}, err
	}
	before, err := readClocks(c)
	if err != nil {
		return side{}, err
	}
	l, err := conns.run(ctx, requests, p.status, d, most)
	if err != nil {
		return side{}, fmt.Errorf("%s: %w", c.name, err)
	}
	after, err := readClocks(c)
	if err != nil {
		return side{}, err
	}
	drained, err := c.drain(ctx)
	if err != nil {
		return side{}, err
	}
	server, err := c.cpu()
	return side{l, server - before.server, after.client - before.client, after.idle - before.idle, drained}, err
}

// measure loads rolecalld and a bare handler in turns. Without a key the bare handler verifies nothing.
func (b *bench) measure(ctx context.Context, name string, kind keyKind, p *pool, key crypto.PublicKey) (*pair, error) {
	return b.measureOver(ctx, b.options.conns, name, kind, p, key)
}

func (b *bench) measureOver(ctx context.Context, connections int, name string, kind keyKind, p *pool, key crypto.PublicKey) (_ *pair, err error) {
	answer, err := b.target.once(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	floor, err := startFloor(ctx, key, p.status, len(answer))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, floor.stop()) }()
	servers := [2]*child{floor, b.target.server}
	var conns [2]*clients
	for i, s := range servers {
		if conns[i], err = dial(ctx, s.address, connections); err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		defer conns[i].close()
		if _, err := window(ctx, s, conns[i], p, warmUp, maxRequests); err != nil {
			return nil, err
		}
	}
	out := &pair{name: name, kind: kind}
	sides := [2]*side{&out.floor, &out.real}
	before, err := b.primitive.times()
	if err != nil {
		return nil, err
	}
	syncBefore, err := syncTime(b.target.dataDir)
	if err != nil {
		return nil, err
	}
	for range turns {
		for i, s := range servers {
			one, err := window(ctx, s, conns[i], p, b.options.time/turns, maxRequests)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			sides[i].add(one)
		}
	}
	after, err := b.primitive.times()
	if err != nil {
		return nil, err
	}
	syncAfter, err := syncTime(b.target.dataDir)
	out.raw, out.sync = mean(before, after), (syncBefore+syncAfter)/2
	return out, err
}
