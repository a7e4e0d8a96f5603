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
	SealedKeytabs    SealedKind = "directory keytabs"
	SealedPasswords  SealedKind = "directory passwords"
	SealedIssuerKeys SealedKind = "OpenID Connect issuer keys"
	SealedServer     SealedKind = "server values"
)

// SealedKinds lists the kinds.
func SealedKinds() []SealedKind {
	return []SealedKind{SealedAccessKeys, SealedCAKeys, SealedResponders, SealedKeytabs, SealedPasswords, SealedIssuerKeys, SealedServer}
}

// SealedValue is one sealed value and where it is.
type SealedValue struct {
	Account arn.AccountID // not for access keys and server values
	Region  arn.Region    // nor for issuer keys
	ID      string        // what the value is bound to: an access key's id, a CA's, a server value's name
	Value   []byte
}

// sealedColumn is where the values of a kind are.
type sealedColumn struct {
	table, id, value string
	place            string // columns of account and region, or '' for none
	where            string
	changed          func(*Tx, *SealedValue) error // drops what the view holds of the row
}

// The columns of account and region that a kind has.
const (
	nowhere   = `'', ''`
	inAccount = `account, ''`
	inRegion  = `account, region`
)

// drops is for rows that the view holds under the value's own id.
func drops(kinds ...kind) func(*Tx, *SealedValue) error {
	return func(tx *Tx, v *SealedValue) error {
		for _, k := range kinds {
			tx.changed(k, v.Account, v.Region, v.ID)
		}
		return nil
	}
}

func dropsDirectory(tx *Tx, v *SealedValue) error {
	d, err := tx.GetDirectory(v.Account, v.Region, v.ID)
	if err == nil {
		tx.directoryChanged(d)
	}
	return err
}

func dropsIssuer(tx *Tx, v *SealedValue) error {
	tx.changed(kindOIDCIssuer, v.Account, "", "")
	return nil
}

func sealedColumns(k SealedKind) (sealedColumn, error) {
	switch k {
	case SealedAccessKeys:
		return sealedColumn{"access_keys", "id", "secret", nowhere, "TRUE", drops(kindAccessKey)}, nil
	case SealedCAKeys:
		return sealedColumn{"certificate_authorities", "id", "key_ref", inRegion, "TRUE", drops(kindAuthority, kindIssuing)}, nil
	case SealedResponders:
		return sealedColumn{"ocsp_responders", "authority", "key_ref", inRegion, "TRUE", drops(kindResponder)}, nil
	case SealedKeytabs:
		return sealedColumn{"directories", "id", "keytab", inRegion, "TRUE", dropsDirectory}, nil
	case SealedPasswords:
		return sealedColumn{"directories", "id", "bind_password", inRegion, "TRUE", dropsDirectory}, nil
	case SealedIssuerKeys:
		return sealedColumn{"oidc_issuer_keys", "id", "private", inAccount, "TRUE", dropsIssuer}, nil
	case SealedServer:
		return sealedColumn{"server_values", "name", "value", nowhere, "name = 'key-ring-check'", drops(kindOther)}, nil
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
	return all(tx, func(s scanner, v *SealedValue) error { return s.Scan(&v.Account, &v.Region, &v.ID, blob{&v.Value}) },
		`SELECT `+c.place+`, `+c.id+`, `+c.value+` FROM `+c.table+` WHERE `+c.where+` AND substr(`+c.value+`, 1, 5) = $1 ORDER BY `+c.id+` LIMIT $2`, head[:], limit)
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
	if err := c.changed(tx, v); err != nil {
		return err
	}
	q, args := `UPDATE `+c.table+` SET `+c.value+` = $1 WHERE `+c.id+` = $2 AND `+c.value+` = $3`, []any{with, v.ID, v.Value}
	switch c.place {
	case inRegion:
		q, args = q+` AND account = $4 AND region = $5`, append(args, v.Account, v.Region)
	case inAccount:
		q, args = q+` AND account = $4`, append(args, v.Account)
	}
	return tx.remove(q, args...)
}
