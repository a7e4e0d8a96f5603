package store

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/rolecall/rolecall/internal/arn"
)

// issuerName is what serial numbers are unique within: the id of a private CA for its certificates, an issuer key for
// revocations. The tenant is part of it, so that a number belongs to one account and region.
type issuerName struct {
	account arn.AccountID
	region  arn.Region
	name    string
}

// clone is for who keeps the name: it may be a piece of a whole request.
func (n issuerName) clone() issuerName {
	return issuerName{arn.AccountID(strings.Clone(string(n.account))), arn.Region(strings.Clone(string(n.region))), strings.Clone(n.name)}
}

// issuerNumbers remembers the numbers that rows are kept under. A committed number never changes and is never removed, so
// that nothing has to be forgotten; there are as many as CAs that have issued or revoked.
type issuerNumbers struct {
	mu    sync.RWMutex // guards known
	known map[issuerName]int64
}

func (n *issuerNumbers) find(name issuerName) (int64, bool) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	number, ok := n.known[name]
	return number, ok
}

func (n *issuerNumbers) add(name issuerName, number int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.known == nil {
		n.known = map[issuerName]int64{}
	}
	n.known[name.clone()] = number
}

// issuerNumber returns the issuer's number; [ErrNotFound] if it has none, and so no rows.
func (tx *Tx) issuerNumber(name issuerName) (int64, error) {
	if number, ok := tx.numbered[name]; ok {
		return number, nil
	}
	if number, ok := tx.db.numbers.find(name); ok {
		return number, nil
	}
	number, err := tx.readIssuerNumber(name)
	if err != nil {
		return 0, err
	}
	tx.db.numbers.add(name, number) // not this transaction's own: those are in numbered
	return number, nil
}

func (tx *Tx) readIssuerNumber(name issuerName) (int64, error) {
	number, err := one(tx, func(s scanner, n *int64) error { return s.Scan(n) },
		`SELECT number FROM issuer_numbers WHERE account = $1 AND region = $2 AND name = $3`, name.account, name.region, name.name)
	if err != nil {
		return 0, err
	}
	return *number, nil
}

// needIssuerNumber is issuerNumber for who adds a row. A new number is the transaction's own until it is committed: after a
// rollback another issuer may get it.
func (tx *Tx) needIssuerNumber(name issuerName) (int64, error) {
	if !tx.write {
		return 0, ErrReadOnly
	}
	number, err := tx.issuerNumber(name)
	if !errors.Is(err, ErrNotFound) {
		return number, err
	}
	err = tx.insert(`INSERT INTO issuer_numbers (number, account, region, name) SELECT COALESCE(MAX(number), 0) + 1, $1, $2, $3 FROM issuer_numbers WHERE TRUE`,
		string(name.account), string(name.region), name.name)
	if err == nil {
		number, err = tx.readIssuerNumber(name)
	}
	if err != nil {
		return 0, err
	}
	if tx.numbered == nil {
		tx.numbered = map[issuerName]int64{}
	}
	tx.numbered[name] = number
	return number, nil
}

// maxSerial bounds serial numbers, in bytes. RFC 5280 §4.1.2.2 allows 20.
const maxSerial = 64

// serialBytes is a serial as rows are kept. A serial has one spelling, because the view knows it as text.
func serialBytes(serial string) ([]byte, error) {
	b, err := hex.DecodeString(serial)
	if err != nil || len(b) > maxSerial || strings.ContainsAny(serial, "ABCDEF") {
		return nil, fmt.Errorf("store: %.40q is not a serial number in lower-case hex digits", serial)
	}
	return b, nil
}

// serialKey is what a row is found by; [ErrNotFound] if the issuer has no rows.
func (tx *Tx) serialKey(name issuerName, serial string) (issuer int64, key []byte, err error) {
	if key, err = serialBytes(serial); err == nil {
		issuer, err = tx.issuerNumber(name)
	}
	return issuer, key, err
}

// pageOf is page for an issuer's rows after a serial: $1 and $2 of the query.
func pageOf[T any](tx *Tx, name issuerName, after string, scan func(scanner, *T) error, key func(*T) string, limit int, q string, args ...any) ([]T, string, error) {
	issuer, from, err := tx.serialKey(name, after)
	if errors.Is(err, ErrNotFound) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	return page(tx, scan, key, limit, q, append([]any{issuer, from}, args...)...)
}

// serialText scans the bytes of a serial into lower-case hex.
type serialText struct{ s *string }

func (t serialText) Scan(v any) error {
	b, ok := v.([]byte)
	if !ok && v != nil { // empty bytes are nil with SQLite
		return fmt.Errorf("serial number column holds %T", v)
	}
	*t.s = hex.EncodeToString(b)
	return nil
}
