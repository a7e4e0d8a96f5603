package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"time"

	"github.com/rolecall/rolecall/internal/store"
)

// goalResident is the server's resident memory after many sessions, in bytes.
const goalResident = 40 << 20

// quiet is how long the server has no work before its memory is read again: it gives back what the load had needed.
const quiet = 30 * time.Second

// memory counts sessions on a server that was just started.
func (b *bench) memory(ctx context.Context, out io.Writer, say func(string, ...any)) error {
	if err := b.target.whileStopped(ctx, func(*store.DB) error { return nil }); err != nil {
		return err
	}
	t := newTable(out, "Resident memory of rolecalld", "after", "resident", "highest", "req/s")
	line := func(name string, rate float64, goal bool) error {
		now, err := b.target.server.resident("VmRSS")
		if err != nil {
			return err
		}
		most, err := b.target.server.resident("VmHWM")
		if err != nil {
			return err
		}
		text := mib(now)
		if goal {
			text = atMost("%.1f MiB", float64(now)/(1<<20), goalResident>>20)
		}
		speed := ""
		if rate > 0 {
			speed = fmt.Sprintf("%.0f", rate)
		}
		t.row(name, text, mib(most), speed)
		return nil
	}
	if err := line("its start", 0, false); err != nil {
		return err
	}
	p := b.target.pkis[p256]
	say("%d sessions", b.options.sessions)
	rate, err := b.sessions(ctx, b.target.sessionPool(p, []*x509.Certificate{p.leaf}), b.options.sessions)
	if err != nil {
		return err
	}
	if err := line(fmt.Sprintf("%d sessions of one workload", b.options.sessions), rate, false); err != nil {
		return err
	}
	say("quiet")
	time.Sleep(quiet)
	if err := line("a quiet half minute", 0, true); err != nil {
		return err
	}
	if err := b.issueCold(p, say); err != nil {
		return err
	}
	say("%d sessions of as many workloads", len(p.leaves))
	if rate, err = b.sessions(ctx, b.target.sessionPool(p, p.leaves), len(p.leaves)); err != nil {
		return err
	}
	if err := line(fmt.Sprintf("%d more of as many workloads", len(p.leaves)), rate, false); err != nil {
		return err
	}
	say("quiet")
	time.Sleep(quiet)
	if err := line("a quiet half minute", 0, false); err != nil {
		return err
	}
	return t.flush()
}

// sessions makes n sessions in slices short enough for the signatures to stay valid, and returns the rate.
func (b *bench) sessions(ctx context.Context, p *pool, n int) (float64, error) {
	conns, err := dial(ctx, b.target.server.address, b.options.conns)
	if err != nil {
		return 0, err
	}
	defer conns.close()
	var all side
	for all.requests < n {
		one, err := window(ctx, b.target.server, conns, p, time.Minute, int64(n-all.requests))
		if err != nil {
			return 0, err
		}
		all.add(one)
	}
	return all.rate(), nil
}
