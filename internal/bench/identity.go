package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"time"
)

// goalIdentity is the CPU time of a signed GetCallerIdentity beyond a bare handler's.
const goalIdentity = 25 * time.Microsecond

// identity measures requests signed with session credentials against a handler that does nothing.
func (b *bench) identity(ctx context.Context, out io.Writer, say func(string, ...any)) error {
	say("GetCallerIdentity")
	p := b.target.pkis[p256]
	answer, err := b.target.once(ctx, b.target.sessionPool(p, []*x509.Certificate{p.leaf}))
	if err != nil {
		return err
	}
	creds, err := sessionCredentials(answer)
	if err != nil {
		return err
	}
	requests := b.target.identityPool(creds)
	row, err := b.measure(ctx, "GetCallerIdentity", p256, requests, nil)
	if err != nil {
		return err
	}
	if b.options.cpuprofile != "" {
		if err := b.profile(ctx, requests, b.options.cpuprofile+".identity", say); err != nil {
			return err
		}
	}
	t := newTable(out, "GetCallerIdentity signed with session credentials, against a bare handler that does nothing",
		"req/s", "bare req/s", "throughput ratio", "CPU µs/req", "bare CPU µs/req", "CPU µs beyond it", "idle CPUs", "drain s", "fdatasync µs", "raw P-256 µs")
	beyond := row.real.perRequest() - row.floor.perRequest()
	t.row(fmt.Sprintf("%.0f", row.real.rate()), fmt.Sprintf("%.0f", row.floor.rate()), fmt.Sprintf("%.2f", row.ratio()),
		micros(row.real.perRequest()), micros(row.floor.perRequest()),
		atMost("%.1f", float64(beyond)/1e3, float64(goalIdentity)/1e3),
		fmt.Sprintf("%.2f", row.real.idleCPUs()), fmt.Sprintf("%.1f", row.real.drained.Seconds()), micros(row.sync), micros(row.raw.p256))
	return t.flush()
}
