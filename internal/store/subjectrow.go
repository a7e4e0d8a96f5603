package store

import (
	"cmp"
	"encoding/pem"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// credentialRow is a SubjectCredential with the key of its rows.
type credentialRow struct {
	SubjectCredential
	key    subjectKey
	number int64 // random, below 2^63
}

const credentialColumns = `c.account, c.region, c.subject, c.number, c.serial, c.issuer, c.enabled, c.cert_pem, x.seen_at, x.failed
	FROM subject_credentials c JOIN subject_sightings x ON x.credential = c.number`

func scanCredential(s scanner, r *credentialRow) error {
	var failed int64
	err := s.Scan(&r.key.account, &r.key.region, &r.key.id, &r.number, &r.Serial, &r.Issuer, &r.Enabled, &r.CertPEM, micros{&r.SeenAt}, &failed)
	r.Failed = failed != 0
	return err
}

func newCredentialRow(s *Subject, c SubjectCredential) *credentialRow {
	return &credentialRow{c, subjectKey{s.Account, s.Region, s.ID}, rand.Int64()}
}

// writeSubjects upserts the rows of subjects, without their credentials.
func (tx *Tx) writeSubjects(subjects []*Subject) error {
	const width, most = 9, 256
	for at, size := range chunks(len(subjects), most) {
		var q strings.Builder
		q.WriteString(`INSERT INTO subjects (account, region, id, dn, enabled, tags, created_at, updated_at, last_seen_at) VALUES `)
		tx.eng.values(&q, size, width)
		q.WriteString(` ON CONFLICT (account, region, id) DO UPDATE SET dn = excluded.dn, enabled = excluded.enabled, tags = excluded.tags,
			created_at = excluded.created_at, updated_at = excluded.updated_at, last_seen_at = excluded.last_seen_at`)
		args := make([]any, 0, width*size)
		for _, r := range subjects[at : at+size] {
			args = append(args, r.Account, r.Region, r.ID, clean(r.DN), r.Enabled, toList(r.Tags),
				toMicros(r.CreatedAt), toMicros(r.UpdatedAt), toMicros(r.LastSeenAt))
		}
		if _, err := tx.exec(q.String(), args...); err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) insertCredentials(rows []*credentialRow) error {
	const width, most = 8, 256
	for at, size := range chunks(len(rows), most) {
		var q strings.Builder
		q.WriteString(`INSERT INTO subject_credentials (number, account, region, subject, serial, issuer, enabled, cert_pem) VALUES `)
		tx.eng.values(&q, size, width)
		args := make([]any, 0, width*size)
		for _, r := range rows[at : at+size] {
			args = append(args, r.number, r.key.account, r.key.region, r.key.id, r.Serial, r.Issuer, r.Enabled, r.CertPEM)
		}
		if _, err := tx.exec(q.String(), args...); err != nil {
			return err
		}
	}
	return nil
}

// writeSightings sets when credentials were seen last, and how that went.
func (tx *Tx) writeSightings(rows []*credentialRow) error {
	const width, most = 3, 512
	for at, size := range chunks(len(rows), most) {
		var q strings.Builder
		q.WriteString(`INSERT INTO subject_sightings (credential, seen_at, failed) VALUES `)
		tx.eng.values(&q, size, width)
		q.WriteString(` ON CONFLICT (credential) DO UPDATE SET seen_at = excluded.seen_at, failed = excluded.failed`)
		args := make([]any, 0, width*size)
		for _, r := range rows[at : at+size] {
			args = append(args, r.number, toMicros(r.SeenAt), asNumber(r.Failed))
		}
		if _, err := tx.exec(q.String(), args...); err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) deleteCredentials(rows []*credentialRow) error {
	for _, r := range rows {
		if _, err := tx.exec(`DELETE FROM subject_sightings WHERE credential = $1`, r.number); err != nil {
			return err
		}
		if _, err := tx.exec(`DELETE FROM subject_credentials WHERE number = $1`, r.number); err != nil {
			return err
		}
	}
	return nil
}

func asNumber(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// mergeCredentials keeps the latest sighting of each certificate, the newest first. The result shares nothing with its inputs.
func mergeCredentials(old, seen []SubjectCredential) []SubjectCredential {
	out := make([]SubjectCredential, 0, len(old)+len(seen))
	for _, c := range slices.Concat(old, seen) {
		c.Serial, c.Issuer, c.CertPEM = clean(c.Serial), clean(c.Issuer), clean(c.CertPEM)
		if c.CertPEM == "" && len(c.CertDER) > 0 {
			c.CertPEM = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.CertDER}))
		}
		c.CertDER = nil
		c.SeenAt = c.SeenAt.UTC().Truncate(time.Microsecond)
		i := slices.IndexFunc(out, func(o SubjectCredential) bool { return o.Serial == c.Serial && o.Issuer == c.Issuer })
		switch {
		case i < 0:
			out = append(out, c)
		case !c.SeenAt.Before(out[i].SeenAt):
			out[i] = c
		}
	}
	slices.SortStableFunc(out, func(a, b SubjectCredential) int {
		return cmp.Or(b.SeenAt.Compare(a.SeenAt), cmp.Compare(a.Serial, b.Serial), cmp.Compare(a.Issuer, b.Issuer))
	})
	return slices.Clip(out[:min(len(out), MaxCredentials)])
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// derOf is the certificate of a PEM text, nil if it is none.
func derOf(text string) []byte {
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" || len(block.Headers) > 0 || len(rest) > 0 {
		return nil
	}
	return block.Bytes
}
