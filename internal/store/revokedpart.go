package store

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

// An issuer's revocations are cached in parts, by the first digits of the serial, so that one more makes the nodes read few
// of them again. There are 4,096 parts; a revocation drops its part from every node's view. Where such a part would be long,
// it is read and kept in finer parts, each as it is asked for: the first question costs the same among ten million
// certificates as among a thousand.
const (
	// revokedDigits is how many hex digits of a serial tell its part.
	revokedDigits = 3
	// finestDigits bounds the digits of finer parts.
	finestDigits = 6
	// longPart is how many revocations the parts of an issuer may have on average.
	longPart = 16
	// maxFineParts bounds the finer parts that are kept of each part.
	maxFineParts = 64
)

// revokedBucket is the view's key of a serial's part.
func revokedBucket(issuerKey, serial string) string {
	return issuerKey + "/" + leading(serial, revokedDigits)
}

func leading(serial string, digits int) string { return serial[:min(len(serial), digits)] }

// RevokedPart is what is remembered of one part: its revocations by serial.
type RevokedPart struct {
	entries []revokedEntry
	fine    *fineParts // the parts that it is kept in; then there are no entries
}

type revokedEntry struct {
	serial string
	at     int64 // microseconds
	reason int
}

// Find returns the time and the reason of a revocation.
func (p *RevokedPart) Find(serial string) (at time.Time, reason int, found bool) {
	n, found := slices.BinarySearchFunc(p.entries, serial, func(e revokedEntry, s string) int { return strings.Compare(e.serial, s) })
	if !found {
		return time.Time{}, 0, false
	}
	return fromMicros(p.entries[n].at), p.entries[n].reason, true
}

// Revoked reports whether the certificate with the serial (lower-case hex of even length) has been revoked by the owner
// of the issuer key. It answers from memory once the serial's part of the issuer's revocations is there.
func (v *View) Revoked(ctx context.Context, account arn.AccountID, region arn.Region, issuerKey, serial string) (bool, error) {
	c, err := v.RevokedPart(ctx, account, region, issuerKey, serial)
	if err != nil {
		return false, err
	}
	_, _, found := c.Row.Find(serial)
	return found, nil
}

// RevokedPart returns the part of an issuer's revocations that the serial belongs to. It is another one after each
// revocation in it, so that what was made from a part can be dropped with it.
func (v *View) RevokedPart(ctx context.Context, account arn.AccountID, region arn.Region, issuerKey, serial string) (*Cached[RevokedPart], error) {
	key := change{kindRevoked, account, region, revokedBucket(issuerKey, serial)}
	var c *Cached[RevokedPart]
	var err error
	if e := v.cache.get(key); e != nil { // as lookup does, without making a closure for what is there
		c, err = answer[RevokedPart](e.row, nil)
	} else {
		c, err = miss(v, ctx, key, func(tx *Tx, _ change) (*RevokedPart, error) {
			return v.loadRevoked(tx, issuerName{account, region, issuerKey}, serial)
		})
	}
	if err != nil || c.Row.fine == nil {
		return c, err
	}
	return c.Row.fine.find(ctx, v, serial)
}

// loadRevoked reads the serial's part, or the finer part of it.
func (v *View) loadRevoked(tx *Tx, name issuerName, serial string) (*RevokedPart, error) {
	issuer, err := tx.issuerNumber(name)
	if errors.Is(err, ErrNotFound) {
		return &RevokedPart{}, nil
	}
	if err != nil {
		return nil, err
	}
	digits := v.depths.of(issuer)
	p, err := v.readRevoked(tx, issuer, serial, digits)
	if err != nil || digits == revokedDigits {
		return p, err
	}
	f := &fineParts{issuer: issuer, digits: digits, parts: map[string]*Cached[RevokedPart]{}, loads: map[string]*call{}}
	f.parts[strings.Clone(leading(serial, digits))] = &Cached[RevokedPart]{Row: *p}
	return &RevokedPart{fine: f}, nil
}

// readRevoked reads the revocations whose serials begin with as many digits like this one.
func (v *View) readRevoked(tx *Tx, issuer int64, serial string, digits int) (*RevokedPart, error) {
	first, end, err := serialRange(serial, digits)
	if err != nil {
		return nil, err
	}
	entries, err := all(tx, func(s scanner, e *revokedEntry) error { return s.Scan(serialText{&e.serial}, &e.at, &e.reason) },
		`SELECT serial, revoked_at, reason FROM revoked_certificates WHERE issuer = $1 AND serial >= $2 AND serial < $3 ORDER BY serial`, issuer, first, end)
	if err != nil {
		return nil, err
	}
	v.depths.note(issuer, digits, len(entries))
	return &RevokedPart{entries: entries}, nil
}

// serialRange are the serials, from first to before end, that begin with as many hex digits like this one. A shorter one
// is alone.
func serialRange(serial string, digits int) (first, end []byte, err error) {
	if len(serial) < digits {
		first, err = serialBytes(serial)
		return first, append(bytes.Clone(first), 0), err
	}
	low, high := serial[:digits], serial[:digits]
	if digits%2 == 1 {
		low, high = low+"0", high+"f"
	}
	if first, err = serialBytes(low); err != nil {
		return nil, nil, err
	}
	if end, err = serialBytes(high); err != nil {
		return nil, nil, err
	}
	return first, append(end, bytes.Repeat([]byte{0xff}, maxSerial)...), nil // longer than every serial
}

// fineParts are the finer parts of a part. They are dropped with it: a part that is in the view has seen every revocation
// that dropped it before, and so has whatever is read for it later.
type fineParts struct {
	issuer int64
	digits int

	mu    sync.Mutex // guards both maps
	parts map[string]*Cached[RevokedPart]
	loads map[string]*call // under way, for this part alone
}

func (f *fineParts) find(ctx context.Context, v *View, serial string) (*Cached[RevokedPart], error) {
	id := leading(serial, f.digits)
	f.mu.Lock()
	if p := f.parts[id]; p != nil {
		f.mu.Unlock()
		return p, nil
	}
	l := f.loads[id]
	if l == nil {
		id, serial = strings.Clone(id), strings.Clone(serial) // they may be pieces of a whole request
		l = &call{done: make(chan struct{})}
		f.loads[id] = l
		v.loaders.run(func() { f.load(v, l, id, serial) })
	}
	f.mu.Unlock()
	select {
	case <-l.done:
		return answer[RevokedPart](l.row, l.err)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (f *fineParts) load(v *View, l *call, id, serial string) {
	p, err := loadRow(v.db, change{}, func(tx *Tx, _ change) (*RevokedPart, error) { return v.readRevoked(tx, f.issuer, serial, f.digits) })
	v.loads.Add(1)
	f.mu.Lock()
	delete(f.loads, id)
	if l.err = err; err == nil {
		l.row = p
		for other := range f.parts {
			if len(f.parts) < maxFineParts {
				break
			}
			delete(f.parts, other) // whichever comes first
		}
		f.parts[id] = p
	}
	f.mu.Unlock()
	close(l.done)
}

// depths says by how many digits the revocations of each issuer are read: more where parts have turned out long on average.
// It is this node's own knowledge and decides speed alone.
type depths struct {
	mu    sync.RWMutex // guards known
	known map[int64]depth
}

// depth is what was read of an issuer's revocations by so many digits.
type depth struct{ digits, loads, rows int }

func (d *depths) of(issuer int64) int {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return max(revokedDigits, d.known[issuer].digits)
}

// note counts what was read. The first few parts say little, unless they are very long.
func (d *depths) note(issuer int64, digits, rows int) {
	const few = 4
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known == nil {
		d.known = map[int64]depth{}
	}
	now := d.known[issuer]
	now.digits = max(now.digits, revokedDigits)
	if digits != now.digits {
		return // it began before the others went deeper
	}
	now.loads++
	now.rows += rows
	if now.rows > longPart*(now.loads+few) && digits < finestDigits {
		now = depth{digits: digits + 1}
	}
	d.known[issuer] = now
}
