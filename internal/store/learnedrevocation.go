package store

import (
	"context"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

// LearnedRevocation is a revocation that a node learnt from a CA's distribution point or responder, for one trust anchor.
// It is there to end sessions on all nodes. New ones are refused, too, until the source says otherwise later.
type LearnedRevocation struct {
	Account   arn.AccountID
	Region    arn.Region
	AnchorID  string // of the trust anchor
	IssuerKey string // hex SHA-256 of the issuer's public key
	Serial    string // lower-case hex of even length
	LearnedAt time.Time
}

const learnedColumns = `account, region, anchor, issuer_key, serial, learned_at`

// learnedBucket is the view's key: an anchor's learnt revocations are cached in 256 parts.
func learnedBucket(anchor, serial string) string {
	if len(serial) > 2 {
		serial = serial[:2]
	}
	return anchor + "/" + serial
}

// PutLearnedRevocation adds a revocation, or moves the time of one that is there.
func (tx *Tx) PutLearnedRevocation(r *LearnedRevocation) error {
	tx.changed(kindLearned, r.Account, r.Region, learnedBucket(r.AnchorID, r.Serial))
	_, err := tx.exec(`INSERT INTO learned_revocations (`+learnedColumns+`) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (account, region, anchor, serial, issuer_key) DO UPDATE SET learned_at = excluded.learned_at`,
		r.Account, r.Region, r.AnchorID, r.IssuerKey, r.Serial, toMicros(r.LearnedAt))
	return err
}

// DeleteLearnedRevocation removes one: its certificate was on hold and is good again.
func (tx *Tx) DeleteLearnedRevocation(r *LearnedRevocation) error {
	tx.changed(kindLearned, r.Account, r.Region, learnedBucket(r.AnchorID, r.Serial))
	return tx.remove(`DELETE FROM learned_revocations WHERE account = $1 AND region = $2 AND anchor = $3 AND issuer_key = $4 AND serial = $5`,
		r.Account, r.Region, r.AnchorID, r.IssuerKey, r.Serial)
}

// DeleteLearnedRevocationsBefore removes those learnt before t. What the view still holds of them does no harm: the
// sessions are over.
func (tx *Tx) DeleteLearnedRevocationsBefore(t time.Time) error {
	_, err := tx.exec(`DELETE FROM learned_revocations WHERE learned_at < $1`, toMicros(t))
	return err
}

// LearnedPart is what is remembered of one bucket: when each revocation was learnt.
type LearnedPart struct{ at map[learnedKey]int64 }

type learnedKey struct{ issuerKey, serial string }

// Learned returns when the revocation was learnt; false if there is none.
func (v *View) Learned(ctx context.Context, account arn.AccountID, region arn.Region, anchorID, issuerKey, serial string) (time.Time, bool, error) {
	c, err := lookup(v, ctx, change{kindLearned, account, region, learnedBucket(anchorID, serial)}, loadLearned)
	if err != nil {
		return time.Time{}, false, err
	}
	at, found := c.Row.at[learnedKey{issuerKey, serial}]
	return fromMicros(at), found, nil
}

func loadLearned(tx *Tx, k change) (*LearnedPart, error) {
	anchor, prefix := k.id[:36], k.id[37:] // an id of a trust anchor is a UUID
	rows, err := all(tx, func(s scanner, r *LearnedRevocation) error {
		return s.Scan(&r.IssuerKey, &r.Serial, micros{&r.LearnedAt})
	}, `SELECT issuer_key, serial, learned_at FROM learned_revocations WHERE account = $1 AND region = $2 AND anchor = $3 AND serial >= $4 AND serial < $5`,
		k.account, k.region, anchor, prefix, prefix+"~")
	p := &LearnedPart{at: make(map[learnedKey]int64, len(rows))}
	for i := range rows {
		p.at[learnedKey{rows[i].IssuerKey, rows[i].Serial}] = toMicros(rows[i].LearnedAt)
	}
	return p, err
}
