package store

import (
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

// Connector joins a directory and a private CA.
type Connector struct {
	Account        arn.AccountID
	Region         arn.Region
	ID             string // UUID
	Directory      string // id
	Authority      string // ARN of the CA
	Status         string // CREATING, ACTIVE, DELETING or FAILED
	Reason         string // why FAILED
	AddressType    string // IPV4 or DUALSTACK; "" if not given
	SecurityGroups []string
	Tags           []Tag
	CreatedAt      time.Time
	UpdatedAt      time.Time
	// PolicyChangedAt is when what clients are told last changed: the connector, its service principal name, its templates
	// or their access entries. It only grows: every such change moves it, by a microsecond at least.
	PolicyChangedAt time.Time
}

const connectorColumns = `account, region, id, directory, authority, status, reason, address_type, security_groups, tags, created_at, updated_at, policy_changed_at`

const connectorInsert = `INSERT INTO connectors (` + connectorColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`

func scanConnector(s scanner, c *Connector) error {
	return s.Scan(&c.Account, &c.Region, &c.ID, &c.Directory, &c.Authority, &c.Status, &c.Reason, &c.AddressType,
		list[string]{&c.SecurityGroups}, list[Tag]{&c.Tags}, micros{&c.CreatedAt}, micros{&c.UpdatedAt}, micros{&c.PolicyChangedAt})
}

func (c *Connector) args() []any {
	return []any{c.Account, c.Region, c.ID, c.Directory, c.Authority, c.Status, c.Reason, c.AddressType,
		toList(c.SecurityGroups), toList(c.Tags), toMicros(c.CreatedAt), toMicros(c.UpdatedAt), toMicros(c.PolicyChangedAt)}
}

func (tx *Tx) connectorChanged(account arn.AccountID, region arn.Region, directory, id string) {
	tx.changed(kindConnector, account, region, id)
	tx.changed(kindConnectors, account, region, directory)
}

// policyChanged notes a change of what belongs to a connector, which need not be there any more.
func (tx *Tx) policyChanged(account arn.AccountID, region arn.Region, connector string) error {
	tx.changed(kindConnector, account, region, connector)
	_, err := tx.exec(`UPDATE connectors SET policy_changed_at = CASE WHEN policy_changed_at < $4 THEN $4 ELSE policy_changed_at + 1 END
		WHERE account = $1 AND region = $2 AND id = $3`, account, region, connector, toMicros(tx.Now))
	return err
}

// CreateConnector adds a connector.
func (tx *Tx) CreateConnector(c *Connector) error {
	tx.connectorChanged(c.Account, c.Region, c.Directory, c.ID)
	return tx.insert(connectorInsert, c.args()...)
}

// PutConnector adds or replaces a connector. Its directory never changes. A PolicyChangedAt that is not later than the
// stored one is taken as the next microsecond.
func (tx *Tx) PutConnector(c *Connector) error {
	tx.connectorChanged(c.Account, c.Region, c.Directory, c.ID)
	_, err := tx.exec(connectorInsert+` ON CONFLICT (account, region, id) DO UPDATE SET authority = excluded.authority,
		status = excluded.status, reason = excluded.reason, address_type = excluded.address_type,
		security_groups = excluded.security_groups, tags = excluded.tags, created_at = excluded.created_at, updated_at = excluded.updated_at,
		policy_changed_at = CASE WHEN connectors.policy_changed_at < excluded.policy_changed_at THEN excluded.policy_changed_at
			ELSE connectors.policy_changed_at + 1 END`, c.args()...)
	return err
}

// GetConnector reads one connector.
func (tx *Tx) GetConnector(account arn.AccountID, region arn.Region, id string) (*Connector, error) {
	return one(tx, scanConnector, `SELECT `+connectorColumns+` FROM connectors WHERE account = $1 AND region = $2 AND id = $3`, account, region, id)
}

// DeleteConnector removes one connector. What belongs to it is the caller's to remove first.
func (tx *Tx) DeleteConnector(account arn.AccountID, region arn.Region, id string) error {
	c, err := tx.GetConnector(account, region, id)
	if err != nil {
		return err
	}
	tx.connectorChanged(account, region, c.Directory, id)
	return tx.remove(`DELETE FROM connectors WHERE account = $1 AND region = $2 AND id = $3`, account, region, id)
}

// ListConnectors pages by id.
func (tx *Tx) ListConnectors(account arn.AccountID, region arn.Region, limit int, after string) ([]Connector, string, error) {
	return page(tx, scanConnector, func(c *Connector) string { return c.ID }, limit,
		`SELECT `+connectorColumns+` FROM connectors WHERE account = $1 AND region = $2 AND id > $3 ORDER BY id LIMIT $4`, account, region, after)
}

// ListDirectoryConnectors are the connectors of one directory, in all states, by id; at most [MaxPage].
func (tx *Tx) ListDirectoryConnectors(account arn.AccountID, region arn.Region, directory string) ([]Connector, error) {
	return all(tx, scanConnector, `SELECT `+connectorColumns+` FROM connectors WHERE account = $1 AND region = $2 AND directory = $3 ORDER BY id LIMIT $4`,
		account, region, directory, MaxPage)
}

// CountConnectors counts those of a region, for quotas.
func (tx *Tx) CountConnectors(account arn.AccountID, region arn.Region) (int, error) {
	return tx.count(`SELECT COUNT(*) FROM connectors WHERE account = $1 AND region = $2`, account, region)
}

// ListUnsettledConnectors are those, of all accounts, that are CREATING or DELETING, oldest first.
func (tx *Tx) ListUnsettledConnectors(limit int) ([]Connector, error) {
	return all(tx, scanConnector, `SELECT `+connectorColumns+` FROM connectors WHERE status IN ('CREATING', 'DELETING') ORDER BY updated_at LIMIT $1`, limit)
}
