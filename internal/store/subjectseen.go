package store

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

type subjectKey struct {
	account arn.AccountID
	region  arn.Region
	id      string
}

func (k subjectKey) compare(o subjectKey) int {
	return cmp.Or(cmp.Compare(k.account, o.account), cmp.Compare(k.region, o.region), cmp.Compare(k.id, o.id))
}

// UpsertSubjects merges a batch of sightings: a new subject is added as it is; of a known one, LastSeenAt and UpdatedAt move
// forward and the credentials are merged, the [MaxCredentials] most recently seen kept. DN, Enabled, Tags and CreatedAt of
// a known subject stay. Applying a batch twice changes nothing. Nothing of it is in the view, so that no revision is used up.
//
// A credential that this node has written or read before costs one small row.
func (tx *Tx) UpsertSubjects(batch []Subject) error {
	if !tx.write {
		return ErrReadOnly
	}
	seen, rest := tx.db.known.split(batch)
	if len(seen) > 0 {
		n, err := tx.updateSightings(seen)
		if err != nil {
			return err
		}
		if n != int64(len(seen)) {
			// Another node has replaced one of them, or a transaction that made one has failed.
			tx.db.known.forget(batch)
			rest = batch
		}
	}
	for at, size := range chunks(len(rest), 256) {
		if err := tx.mergeSubjects(rest[at : at+size]); err != nil {
			return err
		}
	}
	return nil
}

// updateSightings moves known credentials forward and returns how many of them exist.
func (tx *Tx) updateSightings(seen []sighting) (total int64, err error) {
	for at, size := range chunks(len(seen), 512) {
		var q strings.Builder
		q.WriteString(`UPDATE subject_sightings SET
			failed = CASE WHEN seen_at <= v.column2 THEN v.column3 ELSE failed END,
			seen_at = CASE WHEN seen_at <= v.column2 THEN v.column2 ELSE seen_at END FROM (VALUES `)
		tx.eng.bigintValues(&q, size, 3)
		q.WriteString(`) AS v WHERE credential = v.column1`)
		args := make([]any, 0, 3*size)
		for i := range seen[at : at+size] {
			s := &seen[at+i]
			args = append(args, s.credential, s.at, s.failed)
		}
		n, err := tx.exec(q.String(), args...)
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

// bigintValues is values for numbers outside of an INSERT, where PostgreSQL has to be told their type once.
func (e *engine) bigintValues(b *strings.Builder, rows, width int) {
	var all strings.Builder
	e.values(&all, rows, width)
	text := all.String()
	end := strings.IndexByte(text, ')')
	b.WriteString("(CAST(" + strings.ReplaceAll(text[1:end], ",", " AS BIGINT),CAST(") + " AS BIGINT)")
	b.WriteString(text[end:])
}

// mergeSubjects is UpsertSubjects the long way, for what this node does not know.
func (tx *Tx) mergeSubjects(batch []Subject) error {
	subjects, err := tx.subjectsOf(batch)
	if err != nil {
		return err
	}
	credentials, err := tx.credentialsOf(batch)
	if err != nil {
		return err
	}
	touched := map[subjectKey]*Subject{}
	merged := map[subjectKey][]SubjectCredential{}
	for i := range batch {
		seen := &batch[i]
		key := subjectKey{seen.Account, seen.Region, seen.ID}
		row := subjects[key]
		if row == nil {
			row = new(Subject)
			*row = *seen
			subjects[key] = row
		}
		row.LastSeenAt = later(row.LastSeenAt, seen.LastSeenAt)
		row.UpdatedAt = later(row.UpdatedAt, seen.UpdatedAt)
		if touched[key] == nil {
			for _, c := range credentials[key] {
				merged[key] = append(merged[key], c.SubjectCredential)
			}
		}
		touched[key] = row
		merged[key] = mergeCredentials(merged[key], seen.Credentials)
	}
	var rows []*Subject
	for _, s := range touched {
		rows = append(rows, s)
	}
	// One order of row locks on every node: fewer deadlocks on PostgreSQL.
	slices.SortFunc(rows, func(a, b *Subject) int {
		return subjectKey{a.Account, a.Region, a.ID}.compare(subjectKey{b.Account, b.Region, b.ID})
	})
	if err := tx.writeSubjects(rows); err != nil {
		return err
	}
	return tx.writeMerged(rows, merged, credentials)
}

// writeMerged brings the rows of credentials from old to merged.
func (tx *Tx) writeMerged(subjects []*Subject, merged map[subjectKey][]SubjectCredential, old map[subjectKey][]*credentialRow) error {
	var fresh, gone, kept []*credentialRow
	for _, s := range subjects {
		key := subjectKey{s.Account, s.Region, s.ID}
		had := old[key]
		for _, c := range merged[key] {
			i := slices.IndexFunc(had, func(o *credentialRow) bool { return o.Serial == c.Serial && o.Issuer == c.Issuer })
			switch {
			case i < 0:
				row := newCredentialRow(s, c)
				fresh, kept = append(fresh, row), append(kept, row)
				continue
			case had[i].CertPEM != c.CertPEM || had[i].Enabled != c.Enabled:
				row := newCredentialRow(s, c) // another number, so that no other node's cache takes it for the old one
				gone, fresh, kept = append(gone, had[i]), append(fresh, row), append(kept, row)
			default:
				kept = append(kept, &credentialRow{c, key, had[i].number})
			}
			had = slices.Delete(slices.Clone(had), i, i+1)
		}
		gone = append(gone, had...)
	}
	if err := tx.deleteCredentials(gone); err != nil {
		return err
	}
	if err := tx.insertCredentials(fresh); err != nil {
		return err
	}
	if err := tx.writeSightings(kept); err != nil {
		return err
	}
	tx.db.known.remember(kept)
	return nil
}

func (tx *Tx) subjectsOf(batch []Subject) (map[subjectKey]*Subject, error) {
	rows, err := all(tx, scanSubject, tx.ofBatch(`SELECT `+subjectColumns+` FROM subjects s WHERE (s.account, s.region, s.id)`, batch), batchKeys(batch)...)
	if err != nil {
		return nil, err
	}
	found := make(map[subjectKey]*Subject, len(rows))
	for i := range rows {
		found[subjectKey{rows[i].Account, rows[i].Region, rows[i].ID}] = &rows[i]
	}
	return found, nil
}

func (tx *Tx) credentialsOf(batch []Subject) (map[subjectKey][]*credentialRow, error) {
	rows, err := all(tx, scanCredential, tx.ofBatch(`SELECT `+credentialColumns+` WHERE (c.account, c.region, c.subject)`, batch), batchKeys(batch)...)
	if err != nil {
		return nil, err
	}
	found := map[subjectKey][]*credentialRow{}
	for i := range rows {
		found[rows[i].key] = append(found[rows[i].key], &rows[i])
	}
	return found, nil
}

func (tx *Tx) ofBatch(query string, batch []Subject) string {
	var q strings.Builder
	q.WriteString(query + ` IN (VALUES `)
	tx.eng.values(&q, len(batch), 3)
	q.WriteByte(')')
	return q.String()
}

func batchKeys(batch []Subject) []any {
	args := make([]any, 0, 3*len(batch))
	for i := range batch {
		args = append(args, batch[i].Account, batch[i].Region, batch[i].ID)
	}
	return args
}

// knownCredentials remembers rows of subject_credentials by what identifies them, certificate included. It may be wrong about what
// exists: updateSightings counts. It is never wrong about which row is meant, since rows do not change.
type knownCredentials struct {
	mu   sync.Mutex
	rows map[credentialSum]int64
}

// maxKnown bounds the memory, at some 50 bytes each.
const maxKnown = 100_000

// credentialSum stands for account, region, subject, issuer, serial, certificate and Enabled.
type credentialSum [16]byte

type sighting struct{ credential, at, failed int64 }

// split tells sightings of known credentials from the rest of a batch, in ascending order of their rows.
func (k *knownCredentials) split(batch []Subject) (seen []sighting, rest []Subject) {
	k.mu.Lock()
	defer k.mu.Unlock()
	latest := make(map[int64]int, len(batch))
	var buf []byte
next:
	for i := range batch {
		s := &batch[i]
		var newest time.Time
		start := len(seen)
		for j := range s.Credentials {
			c := &s.Credentials[j]
			var sum credentialSum
			sum, buf = c.sum(subjectKey{s.Account, s.Region, s.ID}, buf)
			number, ok := k.rows[sum]
			if !ok {
				seen, rest = seen[:start], append(rest, *s)
				continue next
			}
			newest = later(newest, c.SeenAt)
			seen = append(seen, sighting{number, toMicros(c.SeenAt), asNumber(c.Failed)})
		}
		if s.LastSeenAt.After(newest) || s.UpdatedAt.After(newest) { // this is in no sighting
			seen, rest = seen[:start], append(rest, *s)
		}
	}
	out := seen[:0]
	for _, s := range seen {
		at, ok := latest[s.credential]
		switch {
		case !ok:
			latest[s.credential] = len(out)
			out = append(out, s)
		case s.at >= out[at].at:
			out[at] = s
		}
	}
	slices.SortFunc(out, func(a, b sighting) int { return cmp.Compare(a.credential, b.credential) })
	return out, rest
}

func (k *knownCredentials) remember(rows []*credentialRow) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.rows == nil || len(k.rows)+len(rows) > maxKnown {
		k.rows = make(map[credentialSum]int64)
	}
	var buf []byte
	for _, r := range rows {
		var sum credentialSum
		sum, buf = r.sum(r.key, buf)
		k.rows[sum] = r.number
	}
}

func (k *knownCredentials) forget(batch []Subject) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var buf []byte
	for i := range batch {
		s := &batch[i]
		for j := range s.Credentials {
			var sum credentialSum
			sum, buf = s.Credentials[j].sum(subjectKey{s.Account, s.Region, s.ID}, buf)
			delete(k.rows, sum)
		}
	}
}

func (c *SubjectCredential) sum(key subjectKey, buf []byte) (credentialSum, []byte) {
	buf = append(buf[:0], byte(asNumber(c.Enabled)))
	for _, s := range [...]string{string(key.account), string(key.region), key.id, clean(c.Issuer), clean(c.Serial)} {
		buf = binary.AppendUvarint(buf, uint64(len(s)))
		buf = append(buf, s...)
	}
	if c.CertPEM == "" {
		buf = append(buf, c.CertDER...)
	} else if der := derOf(c.CertPEM); der != nil {
		buf = append(buf, der...)
	} else {
		buf = append(buf, clean(c.CertPEM)...)
	}
	sum := sha256.Sum256(buf)
	return credentialSum(sum[:16]), buf
}
