package store

import "time"

// EnrollmentToken is a secret that enrolls, as far as the store knows it.
type EnrollmentToken struct {
	ID           string // public
	Profile      string
	KeyID        uint32 // of the key ring
	MAC          []byte // of the secret
	Subject      string // pattern
	Alternatives []string
	UsesLeft     int
	CreatedAt    time.Time
	ExpiresAt    time.Time
}

const enrollmentTokenColumns = `id, profile, key_id, mac, subject, alternatives, uses_left, created_at, expires_at`

func scanEnrollmentToken(s scanner, t *EnrollmentToken) error {
	return s.Scan(&t.ID, &t.Profile, &t.KeyID, blob{&t.MAC}, &t.Subject, list[string]{&t.Alternatives}, &t.UsesLeft, micros{&t.CreatedAt}, micros{&t.ExpiresAt})
}

// CreateEnrollmentToken adds a token, and removes those that expired more than a day ago. Tokens are not in the cached view.
func (tx *Tx) CreateEnrollmentToken(t *EnrollmentToken) error {
	if _, err := tx.exec(`DELETE FROM enrollment_tokens WHERE expires_at < $1`, toMicros(tx.Now.Add(-24*time.Hour))); err != nil {
		return err
	}
	return tx.insert(`INSERT INTO enrollment_tokens (`+enrollmentTokenColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		t.ID, t.Profile, int64(t.KeyID), notNil(t.MAC), t.Subject, toList(t.Alternatives), t.UsesLeft, toMicros(t.CreatedAt), toMicros(t.ExpiresAt))
}

// GetEnrollmentToken reads one token, used up and expired ones included.
func (tx *Tx) GetEnrollmentToken(id string) (*EnrollmentToken, error) {
	return one(tx, scanEnrollmentToken, `SELECT `+enrollmentTokenColumns+` FROM enrollment_tokens WHERE id = $1`, id)
}

// UseEnrollmentToken takes one use off the token. [ErrNotFound] means that it is gone, used up or expired: of two
// transactions that want its last use, one gets it.
func (tx *Tx) UseEnrollmentToken(id string) error {
	return tx.remove(`UPDATE enrollment_tokens SET uses_left = uses_left - 1 WHERE id = $1 AND uses_left > 0 AND expires_at > $2`, id, toMicros(tx.Now))
}

// ListEnrollmentTokens pages by id.
func (tx *Tx) ListEnrollmentTokens(limit int, after string) ([]EnrollmentToken, string, error) {
	return page(tx, scanEnrollmentToken, func(t *EnrollmentToken) string { return t.ID }, limit,
		`SELECT `+enrollmentTokenColumns+` FROM enrollment_tokens WHERE id > $1 ORDER BY id LIMIT $2`, after)
}

// DeleteEnrollmentToken revokes a token.
func (tx *Tx) DeleteEnrollmentToken(id string) error {
	return tx.remove(`DELETE FROM enrollment_tokens WHERE id = $1`, id)
}
