package revocation

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/rolecall/rolecall/internal/certchain"
)

// maxAddresses bounds the addresses of one kind that are tried for a certificate.
const maxAddresses = 3

// maxAllLists bounds the lists in memory, in bytes of DER; an index of 8 to 16 bytes per entry comes on top.
const maxAllLists = 128 << 20

type listKey struct{ address, issuerKey string }

// list is a fetched CRL, which never changes.
type list struct {
	crl       *certchain.CRL
	from      validators
	refreshAt time.Time
}

// until is how long the list counts.
func (l *list) until() time.Time {
	if n := l.crl.NextUpdate(); !n.IsZero() {
		return n
	}
	return l.crl.ThisUpdate().Add(withoutNext)
}

// askList looks the certificate up in the lists that it names.
func (c *Checker) askList(ctx context.Context, cert, issuer *x509.Certificate) (verdict, error) {
	if len(cert.CRLDistributionPoints) == 0 {
		return verdict{}, errors.New("the certificate names no CRL distribution point")
	}
	var last error
	for _, address := range cert.CRLDistributionPoints[:min(len(cert.CRLDistributionPoints), maxAddresses)] {
		var l *list
		if l, last = c.list(ctx, listKey{address, keyID(issuer)}, issuer); last == nil {
			if yes, reason := l.crl.Revoked(cert.SerialNumber, cert.RawIssuer); yes {
				return verdict{state: revoked, updated: l.crl.ThisUpdate(), until: l.until(), detail: fmt.Sprintf(
					"the CRL at %s lists the certificate with serial number %s, reason %s", clip(address), serialHex(cert), reason)}, nil
			}
			if l.crl.Covers(cert) {
				return verdict{state: good, updated: l.crl.ThisUpdate(), until: l.until()}, nil
			}
			last = errors.New("it is for other certificates")
		}
		last = fmt.Errorf("the CRL at %s: %w", clip(address), last)
	}
	return verdict{}, last
}

// list returns the list at the address, from memory while it need not be refreshed. One fetch serves all who wait.
func (c *Checker) list(ctx context.Context, k listKey, issuer *x509.Certificate) (*list, error) {
	now := c.cfg.Clock()
	c.listMu.Lock()
	old := c.lists[k]
	if old != nil && now.Before(old.refreshAt) && now.Before(old.until()) {
		c.listMu.Unlock()
		return old, nil
	}
	f := c.fetching[k]
	if f == nil {
		f = &fetching{done: make(chan struct{})}
		c.fetching[k] = f
		c.work.Go(func() { c.fetchList(k, issuer, old, f) }) // by a question under way, which is waited for
	}
	c.listMu.Unlock()
	var fetched *list
	var err error
	select {
	case <-f.done:
		fetched, err = f.list, f.err
	case <-ctx.Done(): // f is still its fetcher's alone
		err = ctx.Err()
	}
	if err != nil && old != nil && now.Before(old.until()) {
		return old, nil // what is there still counts
	}
	return fetched, err
}

type fetching struct {
	done chan struct{} // closed when the others are set
	list *list
	err  error
}

func (c *Checker) fetchList(k listKey, issuer *x509.Certificate, old *list, f *fetching) {
	ctx, cancel := context.WithTimeout(c.ctx, fetchTime)
	defer cancel()
	f.list, f.err = c.load(ctx, k.address, issuer, old)
	if f.err != nil {
		c.failures[CRL].Add(1)
		c.cfg.Log.Warn("a CRL could not be fetched", "address", clip(k.address), "error", f.err)
	}
	c.listMu.Lock()
	delete(c.fetching, k)
	if f.err == nil {
		c.keepLocked(k, f.list)
	}
	c.listMu.Unlock()
	close(f.done)
}

func (c *Checker) load(ctx context.Context, address string, issuer *x509.Certificate, old *list) (*list, error) {
	var from validators
	if old != nil {
		from = old.from
	}
	a, err := c.fetch.get(ctx, address, from)
	now := c.cfg.Clock()
	l := &list{}
	switch {
	case errors.Is(err, errUnchanged) && old != nil:
		l.crl, l.from = old.crl, old.from
	case err != nil:
		return nil, err
	default:
		defer a.release()
		l.from = a.from
		if l.crl, err = certchain.TakeCRL(a.body, maxListBytes); err != nil {
			return nil, err
		}
		if err := l.crl.CheckSignatureFrom(issuer); err != nil {
			return nil, err
		}
		// An older list must not take a revocation back.
		if old != nil && l.crl.ThisUpdate().Before(old.crl.ThisUpdate()) {
			l.crl, l.from = old.crl, validators{}
		}
	}
	if l.crl.ThisUpdate().After(now.Add(skew)) || !l.until().After(now) {
		return nil, fmt.Errorf("it is for the time from %s to %s", stamp(l.crl.ThisUpdate()), stamp(l.until()))
	}
	l.refreshAt = c.refreshTime(now, l.until())
	return l, nil
}

// keepLocked remembers a list and forgets others until the bytes fit.
func (c *Checker) keepLocked(k listKey, l *list) {
	if old := c.lists[k]; old != nil {
		c.listBytes -= len(old.crl.DER())
	}
	c.lists[k] = l
	c.listBytes += len(l.crl.DER())
	for other, v := range c.lists {
		if c.listBytes <= maxAllLists {
			return
		}
		if other != k {
			delete(c.lists, other)
			c.listBytes -= len(v.crl.DER())
		}
	}
}
