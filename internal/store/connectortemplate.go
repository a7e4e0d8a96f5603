package store

import (
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

// ConnectorTemplate is a certificate template of a connector.
type ConnectorTemplate struct {
	Account          arn.AccountID
	Region           arn.Region
	Connector        string // id
	ID               string // UUID
	Name             string // unique within the connector, in any case
	Definition       string // JSON of the API's TemplateDefinition
	PolicySchema     int    // 2, 3 or 4
	Major            int    // a new one makes holders enroll again
	Minor            int
	ObjectIdentifier string // unique in the store
	Status           string // ACTIVE or DELETING
	Tags             []Tag
	CreatedAt        time.Time
	UpdatedAt        time.Time
}

const templateColumns = `account, region, connector, id, name, definition, policy_schema, major, minor, object_identifier, status, tags, created_at, updated_at`

const templateInsert = `INSERT INTO connector_templates (` + templateColumns + `, name_key)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`

func scanTemplate(s scanner, t *ConnectorTemplate) error {
	return s.Scan(&t.Account, &t.Region, &t.Connector, &t.ID, &t.Name, &t.Definition, &t.PolicySchema, &t.Major, &t.Minor,
		&t.ObjectIdentifier, &t.Status, list[Tag]{&t.Tags}, micros{&t.CreatedAt}, micros{&t.UpdatedAt})
}

func (t *ConnectorTemplate) args() []any {
	return []any{t.Account, t.Region, t.Connector, t.ID, t.Name, t.Definition, t.PolicySchema, t.Major, t.Minor,
		t.ObjectIdentifier, t.Status, toList(t.Tags), toMicros(t.CreatedAt), toMicros(t.UpdatedAt), nameKey(t.Name)}
}

// CreateConnectorTemplate adds a template.
func (tx *Tx) CreateConnectorTemplate(t *ConnectorTemplate) error {
	if err := tx.policyChanged(t.Account, t.Region, t.Connector); err != nil {
		return err
	}
	return tx.insert(templateInsert, t.args()...)
}

// PutConnectorTemplate adds or replaces a template. Its name and object identifier never change.
func (tx *Tx) PutConnectorTemplate(t *ConnectorTemplate) error {
	if err := tx.policyChanged(t.Account, t.Region, t.Connector); err != nil {
		return err
	}
	_, err := tx.exec(templateInsert+` ON CONFLICT (account, region, connector, id) DO UPDATE SET definition = excluded.definition,
		policy_schema = excluded.policy_schema, major = excluded.major, minor = excluded.minor, status = excluded.status,
		tags = excluded.tags, created_at = excluded.created_at, updated_at = excluded.updated_at`, t.args()...)
	return err
}

// GetConnectorTemplate reads one template.
func (tx *Tx) GetConnectorTemplate(account arn.AccountID, region arn.Region, connector, id string) (*ConnectorTemplate, error) {
	return one(tx, scanTemplate, `SELECT `+templateColumns+` FROM connector_templates WHERE account = $1 AND region = $2 AND connector = $3 AND id = $4`,
		account, region, connector, id)
}

// DeleteConnectorTemplate removes one template with its access entries.
func (tx *Tx) DeleteConnectorTemplate(account arn.AccountID, region arn.Region, connector, id string) error {
	if err := tx.policyChanged(account, region, connector); err != nil {
		return err
	}
	if _, err := tx.exec(`DELETE FROM template_access WHERE account = $1 AND region = $2 AND connector = $3 AND template = $4`,
		account, region, connector, id); err != nil {
		return err
	}
	return tx.remove(`DELETE FROM connector_templates WHERE account = $1 AND region = $2 AND connector = $3 AND id = $4`, account, region, connector, id)
}

// ListConnectorTemplates pages by id.
func (tx *Tx) ListConnectorTemplates(account arn.AccountID, region arn.Region, connector string, limit int, after string) ([]ConnectorTemplate, string, error) {
	return page(tx, scanTemplate, func(t *ConnectorTemplate) string { return t.ID }, limit,
		`SELECT `+templateColumns+` FROM connector_templates WHERE account = $1 AND region = $2 AND connector = $3 AND id > $4 ORDER BY id LIMIT $5`,
		account, region, connector, after)
}

// CountConnectorTemplates counts those of a connector, for quotas.
func (tx *Tx) CountConnectorTemplates(account arn.AccountID, region arn.Region, connector string) (int, error) {
	return tx.count(`SELECT COUNT(*) FROM connector_templates WHERE account = $1 AND region = $2 AND connector = $3`, account, region, connector)
}

// ListUnsettledTemplates are those, of all accounts, that are DELETING, oldest first.
func (tx *Tx) ListUnsettledTemplates(limit int) ([]ConnectorTemplate, error) {
	return all(tx, scanTemplate, `SELECT `+templateColumns+` FROM connector_templates WHERE status = 'DELETING' ORDER BY updated_at LIMIT $1`, limit)
}
