package store

import (
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

// SourceType says where a trust anchor's certificates come from: CERTIFICATE_BUNDLE, AWS_ACM_PCA or SELF_SIGNED_REPOSITORY.
type SourceType string

// TrustAnchor is a Roles Anywhere trust anchor.
type TrustAnchor struct {
	Account       arn.AccountID
	Region        arn.Region
	ID            string // UUID
	Name          string
	Enabled       bool
	SourceType    SourceType
	SourceData    string // PEM bundle or the CA's ARN
	Notifications []NotificationSetting
	Tags          []Tag
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

// NotificationSetting is a customised notification of a trust anchor. Defaults are not stored.
type NotificationSetting struct {
	Event        string
	Channel      string
	Threshold    int // days; 0 if not given
	Enabled      bool
	ConfiguredBy string
}

const anchorColumns = `account, region, id, name, enabled, source_type, source_data, notifications, tags, created_at, updated_at`

func scanTrustAnchor(s scanner, a *TrustAnchor) error {
	return s.Scan(&a.Account, &a.Region, &a.ID, &a.Name, &a.Enabled, &a.SourceType, &a.SourceData,
		list[NotificationSetting]{&a.Notifications}, list[Tag]{&a.Tags}, micros{&a.CreatedAt}, micros{&a.UpdatedAt})
}

func (a *TrustAnchor) args() []any {
	return []any{a.Account, a.Region, a.ID, a.Name, a.Enabled, string(a.SourceType), a.SourceData,
		toList(a.Notifications), toList(a.Tags), toMicros(a.CreatedAt), toMicros(a.UpdatedAt)}
}

// CreateTrustAnchor adds a trust anchor.
func (tx *Tx) CreateTrustAnchor(a *TrustAnchor) error {
	tx.changed(kindTrustAnchor, a.Account, a.Region, a.ID)
	return tx.insert(`INSERT INTO trust_anchors (`+anchorColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`, a.args()...)
}

// PutTrustAnchor adds or replaces a trust anchor.
func (tx *Tx) PutTrustAnchor(a *TrustAnchor) error {
	tx.changed(kindTrustAnchor, a.Account, a.Region, a.ID)
	_, err := tx.exec(`INSERT INTO trust_anchors (`+anchorColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
		ON CONFLICT (account, region, id) DO UPDATE SET name = excluded.name, enabled = excluded.enabled,
		source_type = excluded.source_type, source_data = excluded.source_data, notifications = excluded.notifications,
		tags = excluded.tags, created_at = excluded.created_at, updated_at = excluded.updated_at`, a.args()...)
	return err
}

// GetTrustAnchor reads one trust anchor.
func (tx *Tx) GetTrustAnchor(account arn.AccountID, region arn.Region, id string) (*TrustAnchor, error) {
	return one(tx, scanTrustAnchor, `SELECT `+anchorColumns+` FROM trust_anchors WHERE account = $1 AND region = $2 AND id = $3`,
		account, region, id)
}

// DeleteTrustAnchor removes one trust anchor. Its CRLs stay, as in AWS.
func (tx *Tx) DeleteTrustAnchor(account arn.AccountID, region arn.Region, id string) error {
	tx.changed(kindTrustAnchor, account, region, id)
	return tx.remove(`DELETE FROM trust_anchors WHERE account = $1 AND region = $2 AND id = $3`, account, region, id)
}

// ListTrustAnchors pages by id.
func (tx *Tx) ListTrustAnchors(account arn.AccountID, region arn.Region, limit int, after string) ([]TrustAnchor, string, error) {
	return page(tx, scanTrustAnchor, func(a *TrustAnchor) string { return a.ID }, limit,
		`SELECT `+anchorColumns+` FROM trust_anchors WHERE account = $1 AND region = $2 AND id > $3 ORDER BY id LIMIT $4`,
		account, region, after)
}

// ListAllTrustAnchors pages through the anchors of every account and region by account, region and id. after is what the
// page before ended with, "" for the first one.
func (tx *Tx) ListAllTrustAnchors(limit int, after string) ([]TrustAnchor, string, error) {
	account, rest, _ := strings.Cut(after, "/")
	region, id, _ := strings.Cut(rest, "/")
	return page(tx, scanTrustAnchor, func(a *TrustAnchor) string { return string(a.Account) + "/" + string(a.Region) + "/" + a.ID }, limit,
		`SELECT `+anchorColumns+` FROM trust_anchors WHERE (account, region, id) > ($1, $2, $3) ORDER BY account, region, id LIMIT $4`,
		account, region, id)
}

// CountTrustAnchors counts those of a region, for quotas.
func (tx *Tx) CountTrustAnchors(account arn.AccountID, region arn.Region) (int, error) {
	return tx.count(`SELECT COUNT(*) FROM trust_anchors WHERE account = $1 AND region = $2`, account, region)
}
