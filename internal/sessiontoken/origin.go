package sessiontoken

import (
	"encoding/hex"
	"fmt"
)

// origin writes what version 2 adds to a provenance.
func (e *encoder) origin(p *Provenance) error {
	account, ok := accountNumber(p.Account)
	if !ok || len(p.Links) > MaxLinks {
		return fmt.Errorf("%w: the trust anchor's account is missing, or the path is longer than %d certificates", ErrSession, MaxLinks)
	}
	e.number(account)
	e.number(uint64(len(p.Links)))
	for i := range p.Links {
		l := &p.Links[i]
		if len(l.IssuerKey) != 2*keyBytes || !isHex(l.IssuerKey) || len(l.Serial) < 2 {
			return fmt.Errorf("%w: link %d of the path is malformed", ErrSession, i)
		}
		e.b = append(e.b, l.IssuerName[:]...)
		e.hex(l.IssuerKey)
		e.string("serial", l.Serial, maxName)
	}
	return nil
}

const keyBytes = 32

// origin reads what version 2 adds to a provenance, which must be there.
func (d *decoder) origin(p *Provenance) {
	if p == nil {
		d.fail()
		return
	}
	p.Account = formatAccount(d.number(accountsBelow - 1))
	n := int(d.number(MaxLinks))
	if d.bad || n == 0 {
		return
	}
	p.Links = make([]Link, n)
	for i := range p.Links {
		l := &p.Links[i]
		if len(d.b) < len(l.IssuerName)+keyBytes {
			d.fail()
			return
		}
		copy(l.IssuerName[:], d.b)
		d.skip(len(l.IssuerName))
		l.IssuerKey = hex.EncodeToString(d.b[:keyBytes])
		d.skip(keyBytes)
		if l.Serial = d.string(maxName); len(l.Serial) < 2 {
			d.fail()
		}
	}
}
