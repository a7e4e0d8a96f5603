package store

import (
	"bytes"
	"fmt"

	"github.com/rolecall/rolecall/internal/arn"
)

// SealedKind is a sort of values that are sealed under the server's master keys.
type SealedKind string

// The kinds. Every column that holds sealed values has one.
const (
	SealedAccessKeys SealedKind = "access keys"
	SealedCAKeys     SealedKind = "CA keys"
	SealedResponders SealedKind = "OCSP responder keys"
	SealedServer     SealedKind = "server values"
)

// SealedKinds lists the kinds.
func SealedKinds() []SealedKind {
	return []SealedKind{SealedAccessKeys, SealedCAKeys, SealedResponders, SealedServer}
}

// SealedValue is one sealed value and where it is.
type SealedValue struct {
	Account arn.AccountID // not for access keys and server values
	Region  arn.Region
	ID      string // what the value is bound to: an access key's id, a CA's, a server value's name
	Value   []byte
}

// sealedColumn is where the values of a kind are.
type sealedColumn struct {
	table, id, value string
	located          bool // has account and region
	cached           []kind
	where            string
}

func sealedColumns(k SealedKind) (sealedColumn, error) {
	switch k {
	case SealedAccessKeys:
		return sealedColumn{"access_keys", "id", "secret", false, []kind{kindAccessKey}, "TRUE"}, nil
	case SealedCAKeys:
		return sealedColumn{"certificate_authorities", "id", "key_ref", true, []kind{kindAuthority, kindIssuing}, "TRUE"}, nil
	case SealedResponders:
		return sealedColumn{"ocsp_responders", "authority", "key_ref", true, []kind{kindResponder}, "TRUE"}, nil
	case SealedServer:
		return sealedColumn{"server_values", "name", "value", false, []kind{kindOther}, "name = 'key-ring-check'"}, nil
	}
	return sealedColumn{}, fmt.Errorf("store: no sealed values of kind %q", k)
}

// SealHead is how sealed values of one master key begin.
const SealHead = 5

// SealHeads counts the values of a kind by their first [SealHead] bytes. Shorter values are not sealed.
func (tx *Tx) SealHeads(k SealedKind) (map[[SealHead]byte]int, error) {
	c, err := sealedColumns(k)
	if err != nil {
		return nil, err
	}
	type row struct {
		head []byte
		n    int
	}
	rows, err := all(tx, func(s scanner, r *row) error { return s.Scan(blob{&r.head}, &r.n) },
		`SELECT substr(`+c.value+`, 1, 5), COUNT(*) FROM `+c.table+` WHERE `+c.where+` GROUP BY substr(`+c.value+`, 1, 5)`)
	heads := map[[SealHead]byte]int{}
	for _, r := range rows {
		if len(r.head) == SealHead {
			heads[[SealHead]byte(r.head)] = r.n
		}
	}
	return heads, err
}

// ListSealed returns up to limit values of a kind with the head.
func (tx *Tx) ListSealed(k SealedKind, head [SealHead]byte, limit int) ([]SealedValue, error) {
	c, err := sealedColumns(k)
	if err != nil {
		return nil, err
	}
	place := `'', ''`
	if c.located {
		place = `account, region`
	}
	return all(tx, func(s scanner, v *SealedValue) error { return s.Scan(&v.Account, &v.Region, &v.ID, blob{&v.Value}) },
		`SELECT `+place+`, `+c.id+`, `+c.value+` FROM `+c.table+` WHERE `+c.where+` AND substr(`+c.value+`, 1, 5) = $1 ORDER BY `+c.id+` LIMIT $2`, head[:], limit)
}

// ReplaceSealed gives a value another form if it is still what v says; ErrNotFound otherwise.
func (tx *Tx) ReplaceSealed(k SealedKind, v *SealedValue, with []byte) error {
	c, err := sealedColumns(k)
	if err != nil {
		return err
	}
	if bytes.Equal(v.Value, with) {
		return nil
	}
	for _, kind := range c.cached {
		tx.changed(kind, v.Account, v.Region, v.ID)
	}
	q, args := `UPDATE `+c.table+` SET `+c.value+` = $1 WHERE `+c.id+` = $2 AND `+c.value+` = $3`, []any{with, v.ID, v.Value}
	if c.located {
		q, args = q+` AND account = $4 AND region = $5`, append(args, v.Account, v.Region)
	}
	return tx.remove(q, args...)
}
