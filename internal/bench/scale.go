package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
)

// goalScale is how much more a request may cost in a full store than in a nearly empty one.
const goalScale = 1.2

// scale measures warm sessions with ever more rows in the store.
func (b *bench) scale(ctx context.Context, out io.Writer, say func(string, ...any)) error {
	t := newTable(out, "CreateSession, warm P-256, by the number of anchors, of roles and of subjects in the store",
		"rows of each", "req/s", "CPU µs/req", "× raw P-256", "ratio to the first", "resident", "fdatasync µs", "raw P-256 µs")
	var first float64
	p := b.target.pkis[p256]
	for _, n := range b.options.scale {
		say("filling the store with %d anchors, roles and subjects", n)
		if err := b.target.fill(ctx, n); err != nil {
			return err
		}
		row, err := b.measure(ctx, fmt.Sprint(n), p256, b.target.sessionPool(p, []*x509.Certificate{p.leaf}), p.key.Public())
		if err != nil {
			return err
		}
		resident, err := b.target.server.resident("VmRSS")
		if err != nil {
			return err
		}
		ratio := "1.00"
		if first == 0 {
			first = row.multiple()
		} else {
			ratio = atMost("%.2f", row.multiple()/first, goalScale)
		}
		t.row(fmt.Sprint(n), fmt.Sprintf("%.0f", row.real.rate()), micros(row.real.perRequest()), fmt.Sprintf("%.2f", row.multiple()), ratio, mib(resident), micros(row.sync), micros(row.raw.p256))
	}
	return t.flush()
}
