package store

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

// MaxCredentials is how many recent certificates a subject keeps.
const MaxCredentials = 10

// Subject is what Roles Anywhere knows of one certificate subject. The caller derives ID from account, region and DN, so
// that nodes which see a subject first at the same time agree.
type Subject struct {
	Account     arn.AccountID
	Region      arn.Region
	ID          string // UUID
	DN          string
	Enabled     bool
	Tags        []Tag
	CreatedAt   time.Time
	UpdatedAt   time.Time
	LastSeenAt  time.Time
	Credentials []SubjectCredential // newest first, at most MaxCredentials
}

// SubjectCredential is a certificate the subject presented. One is told from another by issuer and serial number.
type SubjectCredential struct {
	Serial  string
	Issuer  string
	SeenAt  time.Time
	CertPEM string
	Enabled bool
	Failed  bool // its last attempt
}

const (
	subjectColumns     = `account, region, id, dn, enabled, tags, credentials, created_at, updated_at, last_seen_at`
	subjectListColumns = `account, region, id, dn, enabled, tags, '[]', created_at, updated_at, last_seen_at`
)

func scanSubject(s scanner, r *Subject) error {
	return s.Scan(&r.Account, &r.Region, &r.ID, &r.DN, &r.Enabled, list[Tag]{&r.Tags}, list[SubjectCredential]{&r.Credentials},
		micros{&r.CreatedAt}, micros{&r.UpdatedAt}, micros{&r.LastSeenAt})
}

func (r *Subject) args() []any {
	return []any{r.Account, r.Region, r.ID, clean(r.DN), r.Enabled, toList(r.Tags), toList(mergeCredentials(nil, r.Credentials)),
		toMicros(r.CreatedAt), toMicros(r.UpdatedAt), toMicros(r.LastSeenAt)}
}

// PutSubject adds or replaces a subject.
func (tx *Tx) PutSubject(s *Subject) error {
	tx.changed(kindOther, s.Account, s.Region, s.ID)
	return tx.writeSubjects([]*Subject{s})
}

// GetSubject reads one subject with its credentials.
func (tx *Tx) GetSubject(account arn.AccountID, region arn.Region, id string) (*Subject, error) {
	return one(tx, scanSubject, `SELECT `+subjectColumns+` FROM subjects WHERE account = $1 AND region = $2 AND id = $3`, account, region, id)
}

// ListSubjects pages by id. Credentials are left out: summaries have none.
func (tx *Tx) ListSubjects(account arn.AccountID, region arn.Region, limit int, after string) ([]Subject, string, error) {
	return page(tx, scanSubject, func(s *Subject) string { return s.ID }, limit,
		`SELECT `+subjectListColumns+` FROM subjects WHERE account = $1 AND region = $2 AND id > $3 ORDER BY id LIMIT $4`, account, region, after)
}

type subjectKey struct {
	account arn.AccountID
	region  arn.Region
	id      string
}

// UpsertSubjects merges a batch of sightings: a new subject is added as it is; of a known one, LastSeenAt and UpdatedAt move
// forward and the credentials are merged, the [MaxCredentials] most recently seen kept. DN, Enabled, Tags and CreatedAt of
// a known subject stay. Applying a batch twice changes nothing. Nothing of it is in the view, so that no revision is used up.
func (tx *Tx) UpsertSubjects(batch []Subject) error {
	for at, size := range chunks(len(batch), 256) {
		if err := tx.upsertSubjects(batch[at : at+size]); err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) upsertSubjects(batch []Subject) error {
	if !tx.write {
		return ErrReadOnly
	}
	known, err := tx.subjectsOf(batch)
	if err != nil {
		return err
	}
	var rows []*Subject
	written := make(map[subjectKey]bool, len(batch))
	for i := range batch {
		seen := &batch[i]
		key := subjectKey{seen.Account, seen.Region, seen.ID}
		row := known[key]
		if row == nil {
			row = new(Subject)
			*row = *seen
			row.Credentials = mergeCredentials(nil, seen.Credentials)
			known[key] = row
		} else {
			row.LastSeenAt = later(row.LastSeenAt, seen.LastSeenAt)
			row.UpdatedAt = later(row.UpdatedAt, seen.UpdatedAt)
			row.Credentials = mergeCredentials(row.Credentials, seen.Credentials)
		}
		if !written[key] {
			written[key] = true
			rows = append(rows, row)
		}
	}
	// One order of row locks on every node: fewer deadlocks on PostgreSQL.
	slices.SortFunc(rows, func(a, b *Subject) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Region, b.Region), cmp.Compare(a.ID, b.ID))
	})
	return tx.writeSubjects(rows)
}

// subjectsOf reads the stored rows of a batch.
func (tx *Tx) subjectsOf(batch []Subject) (map[subjectKey]*Subject, error) {
	known := make(map[subjectKey]*Subject, len(batch))
	if len(batch) == 0 {
		return known, nil
	}
	var q strings.Builder
	q.WriteString(`SELECT ` + subjectColumns + ` FROM subjects WHERE (account, region, id) IN (VALUES `)
	tx.eng.values(&q, len(batch), 3)
	q.WriteByte(')')
	args := make([]any, 0, 3*len(batch))
	for i := range batch {
		args = append(args, batch[i].Account, batch[i].Region, batch[i].ID)
	}
	rows, err := all(tx, scanSubject, q.String(), args...)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		known[subjectKey{rows[i].Account, rows[i].Region, rows[i].ID}] = &rows[i]
	}
	return known, nil
}

func (tx *Tx) writeSubjects(rows []*Subject) error {
	if len(rows) == 0 {
		return nil
	}
	const width = 10
	var q strings.Builder
	q.WriteString(`INSERT INTO subjects (` + subjectColumns + `) VALUES `)
	tx.eng.values(&q, len(rows), width)
	q.WriteString(` ON CONFLICT (account, region, id) DO UPDATE SET dn = excluded.dn, enabled = excluded.enabled, tags = excluded.tags,
		credentials = excluded.credentials, created_at = excluded.created_at, updated_at = excluded.updated_at,
		last_seen_at = excluded.last_seen_at`)
	args := make([]any, 0, width*len(rows))
	for _, r := range rows {
		args = append(args, r.args()...)
	}
	_, err := tx.exec(q.String(), args...)
	return err
}

// mergeCredentials keeps the latest sighting of each certificate, the newest first. The result shares nothing with its inputs.
func mergeCredentials(old, seen []SubjectCredential) []SubjectCredential {
	out := make([]SubjectCredential, 0, len(old)+len(seen))
	for _, c := range slices.Concat(old, seen) {
		c.Serial, c.Issuer, c.CertPEM = clean(c.Serial), clean(c.Issuer), clean(c.CertPEM)
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
