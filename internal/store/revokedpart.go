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
	// longPart is how many revocations make a part a long one.
	longPart = 8
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
	issuer := issuerName{account, region, issuerKey}
	var c *Cached[RevokedPart]
	var err error
	if e := v.cache.get(key); e != nil {
		c, err = answer[RevokedPart](e.row, nil)
	} else {
		c, err = miss(v, ctx, key, func(tx *Tx, _ change) (*RevokedPart, error) { return v.loadRevoked(tx, issuer, serial) })
	}
	if err != nil || c.Row.fine == nil {
		return c, err
	}
	return c.Row.fine.find(ctx, v, issuer, serial)
}

// loadRevoked reads the serial's part, or the finer part of it.
func (v *View) loadRevoked(tx *Tx, issuer issuerName, serial string) (*RevokedPart, error) {
	digits := v.depths.of(issuer)
	p, err := v.readRevoked(tx, issuer, serial, digits)
	if err != nil || digits == revokedDigits {
		return p, err
	}
	f := &fineParts{digits: digits, parts: map[string]*Cached[RevokedPart]{}, loads: map[string]*call{}}
	f.parts[strings.Clone(leading(serial, digits))] = &Cached[RevokedPart]{Row: *p}
	return &RevokedPart{fine: f}, nil
}

// readRevoked reads the revocations whose serials begin with as many digits like this one, and notes if they are many.
func (v *View) readRevoked(tx *Tx, name issuerName, serial string, digits int) (*RevokedPart, error) {
	issuer, err := tx.issuerNumber(name)
	if errors.Is(err, ErrNotFound) {
		return &RevokedPart{}, nil
	}
	if err != nil {
		return nil, err
	}
	first, end, err := serialRange(serial, digits)
	if err != nil {
		return nil, err
	}
	entries, err := all(tx, func(s scanner, e *revokedEntry) error { return s.Scan(serialText{&e.serial}, &e.at, &e.reason) },
		`SELECT serial, revoked_at, reason FROM revoked_certificates WHERE issuer = $1 AND serial >= $2 AND serial < $3 ORDER BY serial`, issuer, first, end)
	if err != nil {
		return nil, err
	}
	if len(entries) > longPart && digits < finestDigits {
		v.depths.deepen(name, digits+1)
	}
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
	digits int

	mu    sync.Mutex // guards both maps
	parts map[string]*Cached[RevokedPart]
	loads map[string]*call // under way, for this part alone
}

func (f *fineParts) find(ctx context.Context, v *View, issuer issuerName, serial string) (*Cached[RevokedPart], error) {
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
		v.loaders.run(func() { f.load(v, l, id, issuer, serial) })
	}
	f.mu.Unlock()
	select {
	case <-l.done:
		return answer[RevokedPart](l.row, l.err)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (f *fineParts) load(v *View, l *call, id string, issuer issuerName, serial string) {
	p, err := loadRow(v.db, change{}, func(tx *Tx, _ change) (*RevokedPart, error) { return v.readRevoked(tx, issuer, serial, f.digits) })
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

// depths says by how many digits the parts of an issuer are read: more than revokedDigits for those that have had a long
// part, of which there are no more than CAs. It is this node's own knowledge and decides speed alone.
type depths struct {
	mu     sync.RWMutex // guards digits
	digits map[issuerName]int
}

func (d *depths) of(issuer issuerName) int {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return max(revokedDigits, d.digits[issuer])
}

func (d *depths) deepen(issuer issuerName, digits int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.digits == nil {
		d.digits = map[issuerName]int{}
	}
	d.digits[issuer.clone()] = max(d.digits[issuer], digits)
}
