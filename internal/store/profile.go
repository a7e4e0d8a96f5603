package store

import (
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

// Profile is a Roles Anywhere profile.
type Profile struct {
	Account                   arn.AccountID
	Region                    arn.Region
	ID                        string // UUID
	Name                      string
	Enabled                   bool
	RequireInstanceProperties bool
	SessionPolicy             string
	RoleARNs                  []string
	ManagedPolicyARNs         []string
	Duration                  int // seconds
	AcceptRoleSessionName     bool
	Mappings                  []AttributeMapping
	CreatedBy                 string
	Tags                      []Tag
	CreatedAt                 time.Time
	UpdatedAt                 time.Time
}

// AttributeMapping names the certificate attributes that become session tags.
type AttributeMapping struct {
	CertificateField string
	Specifiers       []string
}

const profileColumns = `account, region, id, name, enabled, require_instance_properties, session_policy, role_arns,
	managed_policy_arns, duration, accept_role_session_name, mappings, created_by, tags, created_at, updated_at`

func scanProfile(s scanner, p *Profile) error {
	return s.Scan(&p.Account, &p.Region, &p.ID, &p.Name, &p.Enabled, &p.RequireInstanceProperties, &p.SessionPolicy,
		list[string]{&p.RoleARNs}, list[string]{&p.ManagedPolicyARNs}, &p.Duration, &p.AcceptRoleSessionName,
		list[AttributeMapping]{&p.Mappings}, &p.CreatedBy, list[Tag]{&p.Tags}, micros{&p.CreatedAt}, micros{&p.UpdatedAt})
}

func (p *Profile) args() []any {
	return []any{p.Account, p.Region, p.ID, p.Name, p.Enabled, p.RequireInstanceProperties, p.SessionPolicy,
		toList(p.RoleARNs), toList(p.ManagedPolicyARNs), p.Duration, p.AcceptRoleSessionName,
		toList(p.Mappings), p.CreatedBy, toList(p.Tags), toMicros(p.CreatedAt), toMicros(p.UpdatedAt)}
}

const insertProfile = `INSERT INTO profiles (` + profileColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`

// CreateProfile adds a profile.
func (tx *Tx) CreateProfile(p *Profile) error {
	tx.changed(kindProfile, p.Account, p.Region, p.ID)
	return tx.insert(insertProfile, p.args()...)
}

// PutProfile adds or replaces a profile.
func (tx *Tx) PutProfile(p *Profile) error {
	tx.changed(kindProfile, p.Account, p.Region, p.ID)
	_, err := tx.exec(insertProfile+`
		ON CONFLICT (account, region, id) DO UPDATE SET name = excluded.name, enabled = excluded.enabled,
		require_instance_properties = excluded.require_instance_properties, session_policy = excluded.session_policy,
		role_arns = excluded.role_arns, managed_policy_arns = excluded.managed_policy_arns, duration = excluded.duration,
		accept_role_session_name = excluded.accept_role_session_name, mappings = excluded.mappings, created_by = excluded.created_by,
		tags = excluded.tags, created_at = excluded.created_at, updated_at = excluded.updated_at`, p.args()...)
	return err
}

// GetProfile reads one profile.
func (tx *Tx) GetProfile(account arn.AccountID, region arn.Region, id string) (*Profile, error) {
	return one(tx, scanProfile, `SELECT `+profileColumns+` FROM profiles WHERE account = $1 AND region = $2 AND id = $3`, account, region, id)
}

// DeleteProfile removes one profile.
func (tx *Tx) DeleteProfile(account arn.AccountID, region arn.Region, id string) error {
	tx.changed(kindProfile, account, region, id)
	return tx.remove(`DELETE FROM profiles WHERE account = $1 AND region = $2 AND id = $3`, account, region, id)
}

// ListProfiles pages by id.
func (tx *Tx) ListProfiles(account arn.AccountID, region arn.Region, limit int, after string) ([]Profile, string, error) {
	return page(tx, scanProfile, func(p *Profile) string { return p.ID }, limit,
		`SELECT `+profileColumns+` FROM profiles WHERE account = $1 AND region = $2 AND id > $3 ORDER BY id LIMIT $4`, account, region, after)
}

// CountProfiles counts those of a region, for quotas.
func (tx *Tx) CountProfiles(account arn.AccountID, region arn.Region) (int, error) {
	return tx.count(`SELECT COUNT(*) FROM profiles WHERE account = $1 AND region = $2`, account, region)
}
