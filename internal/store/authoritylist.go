package store

import (
	"context"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

// AuthorityList is a revocation list of a private CA: its complete one, or that of a partition. Its bytes are stored in
// chunks under its number, so that a list of any size is written and read with bounded memory.
type AuthorityList struct {
	Account   arn.AccountID
	Region    arn.Region
	Authority string
	ID        string   // the CA's id for the complete list, a random UUID for a partition
	URI       string   // what certificates of the partition say; "" for the complete list
	Paths     []string // under which the list is published, the current one last
	Size      int      // certificates that were bound to the partition
	// Dirty is the time of the last revocation that the list may lack; zero for none.
	Dirty time.Time
	// RenewAt is when the list is due without a revocation; zero before the first.
	RenewAt    time.Time
	Number     int64 // of the current list; 0 while there is none
	NextUpdate time.Time
	Chunks     int
	Bytes      int64
	CreatedAt  time.Time
}

const authorityListColumns = `account, region, authority, id, uri, paths, size, dirty, renew_at, number, next_update, chunks, bytes, created_at`

func scanAuthorityList(s scanner, l *AuthorityList) error {
	return s.Scan(&l.Account, &l.Region, &l.Authority, &l.ID, &l.URI, list[string]{&l.Paths}, &l.Size, micros{&l.Dirty}, micros{&l.RenewAt},
		&l.Number, micros{&l.NextUpdate}, &l.Chunks, &l.Bytes, micros{&l.CreatedAt})
}

// PutAuthorityList adds or replaces a list's row.
func (tx *Tx) PutAuthorityList(l *AuthorityList) error {
	tx.changed(kindAuthorityCRL, "", "", l.ID)
	_, err := tx.exec(`INSERT INTO authority_lists (`+authorityListColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
		ON CONFLICT (account, region, authority, id) DO UPDATE SET uri = excluded.uri, paths = excluded.paths, size = excluded.size,
		dirty = excluded.dirty, renew_at = excluded.renew_at, number = excluded.number, next_update = excluded.next_update,
		chunks = excluded.chunks, bytes = excluded.bytes, created_at = excluded.created_at`,
		l.Account, l.Region, l.Authority, l.ID, l.URI, toList(l.Paths), l.Size, toMicros(l.Dirty), toMicros(l.RenewAt), l.Number,
		toMicros(l.NextUpdate), l.Chunks, l.Bytes, toMicros(l.CreatedAt))
	return err
}

// GrowAuthorityList counts one more certificate of a partition. Nodes need not know.
func (tx *Tx) GrowAuthorityList(l *AuthorityList) error {
	_, err := tx.exec(`UPDATE authority_lists SET size = size + 1 WHERE account = $1 AND region = $2 AND authority = $3 AND id = $4`, l.Account, l.Region, l.Authority, l.ID)
	return err
}

// SoilAuthorityList notes that a list lacks a revocation of the transaction's time. [ErrNotFound] without such a list.
func (tx *Tx) SoilAuthorityList(account arn.AccountID, region arn.Region, authority, id string) error {
	return tx.remove(`UPDATE authority_lists SET dirty = $5 WHERE account = $1 AND region = $2 AND authority = $3 AND id = $4`,
		account, region, authority, id, toMicros(tx.Now))
}

// RenewAuthorityLists makes all lists of a CA due.
func (tx *Tx) RenewAuthorityLists(account arn.AccountID, region arn.Region, authority string) error {
	_, err := tx.exec(`UPDATE authority_lists SET renew_at = 0 WHERE account = $1 AND region = $2 AND authority = $3`, account, region, authority)
	return err
}

// GetAuthorityList reads one list's row.
func (tx *Tx) GetAuthorityList(account arn.AccountID, region arn.Region, authority, id string) (*AuthorityList, error) {
	return one(tx, scanAuthorityList, `SELECT `+authorityListColumns+` FROM authority_lists WHERE account = $1 AND region = $2 AND authority = $3 AND id = $4`,
		account, region, authority, id)
}

// CurrentPartition is the newest partition of a CA; [ErrNotFound] if it has none.
func (tx *Tx) CurrentPartition(account arn.AccountID, region arn.Region, authority string) (*AuthorityList, error) {
	return one(tx, scanAuthorityList, `SELECT `+authorityListColumns+` FROM authority_lists WHERE account = $1 AND region = $2 AND authority = $3 AND id <> $3
		ORDER BY created_at DESC, id LIMIT 1`, account, region, authority)
}

// ListAuthorityLists pages through a CA's lists by id.
func (tx *Tx) ListAuthorityLists(account arn.AccountID, region arn.Region, authority string, limit int, after string) ([]AuthorityList, string, error) {
	return page(tx, scanAuthorityList, func(l *AuthorityList) string { return l.ID }, limit,
		`SELECT `+authorityListColumns+` FROM authority_lists WHERE account = $1 AND region = $2 AND authority = $3 AND id > $4 ORDER BY id LIMIT $5`,
		account, region, authority, after)
}

// PutListChunk stores part n of the list with the number. Nobody sees it before the list's row has that number.
func (tx *Tx) PutListChunk(id string, number int64, n int, data []byte) error {
	_, err := tx.exec(`INSERT INTO authority_list_chunks (list, number, n, data) VALUES ($1, $2, $3, $4)
		ON CONFLICT (list, number, n) DO UPDATE SET data = excluded.data`, id, number, n, notNil(data))
	return err
}

// GetListChunk reads part n of a list.
func (tx *Tx) GetListChunk(id string, number int64, n int) ([]byte, error) {
	data, err := one(tx, func(s scanner, b *[]byte) error { return s.Scan(blob{b}) },
		`SELECT data FROM authority_list_chunks WHERE list = $1 AND number = $2 AND n = $3`, id, number, n)
	if err != nil {
		return nil, err
	}
	return *data, nil
}

// DropListChunks removes the parts of lists with numbers below the given one.
func (tx *Tx) DropListChunks(id string, below int64) error {
	_, err := tx.exec(`DELETE FROM authority_list_chunks WHERE list = $1 AND number < $2`, id, below)
	return err
}

// PublishedList is a list as it is served. DER is there if the list has one chunk.
type PublishedList struct {
	AuthorityList
	DER []byte
}

// PublishedList returns the list with the id, whichever account and region it is in: who fetches a list knows nothing
// else. Ids are random. [ErrNotFound] while nothing was signed.
func (v *View) PublishedList(ctx context.Context, id string) (*Cached[PublishedList], error) {
	return lookup(v, ctx, change{kindAuthorityCRL, "", "", id}, func(tx *Tx, k change) (*PublishedList, error) {
		l, err := one(tx, scanAuthorityList, `SELECT `+authorityListColumns+` FROM authority_lists WHERE id = $1 AND number > 0 LIMIT 1`, k.id)
		if err != nil {
			return nil, err
		}
		p := &PublishedList{AuthorityList: *l}
		if l.Chunks == 1 {
			p.DER, err = tx.GetListChunk(l.ID, l.Number, 0)
		}
		return p, err
	})
}

// ListChunk reads part n of a published list from the store.
func (v *View) ListChunk(ctx context.Context, l *AuthorityList, n int) (data []byte, err error) {
	err = v.db.Read(ctx, func(tx *Tx) (err error) {
		data, err = tx.GetListChunk(l.ID, l.Number, n)
		return err
	})
	return data, err
}
