package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// The goals of CreateSession.
const (
	goalThroughput = 0.7 // of the bare handler's, warm
	goalWarm       = 3.0 // server CPU in raw P-256 verifications
	goalCold       = 6.0
)

func sessionTable(out io.Writer, title string) *table {
	return newTable(out, title, "chain", "req/s", "bare req/s", "throughput ratio", "CPU µs/req", "bare CPU µs/req", "× raw P-256", "× raw same kind", "client µs/req", "idle CPUs", "bare idle", "drain s", "fdatasync µs", "raw P-256 µs", "raw RSA µs")
}

func (t *table) session(p *pair, throughput, multiple string) {
	t.row(p.name, fmt.Sprintf("%.0f", p.real.rate()), fmt.Sprintf("%.0f", p.floor.rate()), throughput,
		micros(p.real.perRequest()), micros(p.floor.perRequest()), multiple,
		fmt.Sprintf("%.2f", float64(p.real.perRequest())/float64(p.raw.of(p.kind))), micros(p.real.clientPerRequest()),
		fmt.Sprintf("%.2f", p.real.idleCPUs()), fmt.Sprintf("%.2f", p.floor.idleCPUs()), fmt.Sprintf("%.1f", p.real.drained.Seconds()), micros(p.sync), micros(p.raw.p256), micros(p.raw.rsa2048))
}

// busy is how many times the usual connections a busy server has: few leave it idle while the disk syncs.
const busy = 4

// warm sends requests of one certificate, whose path the server has validated before.
func (b *bench) warm(ctx context.Context, out io.Writer, say func(string, ...any)) error {
	t := sessionTable(out, "CreateSession, warm chain (keep-alive TLS, audit included) against a bare handler that verifies one signature")
	for _, kind := range []keyKind{p256, rsa2048} {
		say("CreateSession warm %s", kind)
		p := b.target.pkis[kind]
		requests := b.target.sessionPool(p, []*x509.Certificate{p.leaf})
		for _, connections := range []int{b.options.conns, busy * b.options.conns} {
			row, err := b.measureOver(ctx, connections, fmt.Sprintf("warm %s, %d connections", kind, connections), kind, requests, p.key.Public())
			if err != nil {
				return err
			}
			t.session(row, atLeast("%.2f", row.ratio(), goalThroughput), atMost("%.2f", row.multiple(), goalWarm))
		}
		if b.options.cpuprofile != "" {
			if err := b.profile(ctx, requests, b.options.cpuprofile+"."+string(kind), say); err != nil {
				return err
			}
		}
	}
	t.note("CPU includes what it takes after the load to bring the audit log into the store; drain is how long that went on.")
	t.note("Idle CPUs under the load mean that the server waits for the disk, or the machine was not quiet if the bare handler leaves some too.")
	return t.flush()
}

// cold sends requests of so many certificates, in turn, that the server has forgotten each when it comes again.
func (b *bench) cold(ctx context.Context, out io.Writer, say func(string, ...any)) error {
	t := sessionTable(out, fmt.Sprintf("CreateSession, cold chain (%d certificates in turn)", b.options.coldLeaves))
	for _, kind := range []keyKind{p256, rsa2048} {
		p := b.target.pkis[kind]
		if err := b.issueCold(p, say); err != nil {
			return err
		}
		say("CreateSession cold %s", kind)
		row, err := b.measure(ctx, "cold "+string(kind), kind, b.target.sessionPool(p, p.leaves), p.key.Public())
		if err != nil {
			return err
		}
		t.session(row, fmt.Sprintf("%.2f", row.ratio()), atMost("%.2f", row.multiple(), goalCold))
	}
	return t.flush()
}

func (b *bench) issueCold(p *pki, say func(string, ...any)) error {
	if p.leaves != nil {
		return nil
	}
	say("issuing %d %s certificates", b.options.coldLeaves, p.kind)
	return p.issueMany(b.options.coldLeaves)
}

// profile loads the server once more while it profiles itself: the figures above stay undisturbed.
func (b *bench) profile(ctx context.Context, p *pool, file string, say func(string, ...any)) error {
	seconds := max(1, int(b.options.time/time.Second))
	say("CPU profile of %d s into %s", seconds, file)
	conns, err := dial(ctx, b.target.server.address, b.options.conns)
	if err != nil {
		return err
	}
	defer conns.close()
	done := make(chan error, 1)
	go func() {
		done <- fetch(ctx, fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", b.target.server.metrics, seconds), file)
	}()
	_, err = window(ctx, b.target.server, conns, p, time.Duration(seconds)*time.Second+500*time.Millisecond, maxRequests)
	if fetched := <-done; err == nil {
		err = fetched
	}
	if err != nil {
		return err
	}
	return fetch(ctx, fmt.Sprintf("http://%s/debug/pprof/allocs", b.target.server.metrics), file+".allocs")
}

func fetch(ctx context.Context, url, file string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, resp.Body); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
