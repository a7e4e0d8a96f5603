package store

import (
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

// ServicePrincipalName says that a connector answers to Kerberos tickets of its directory.
type ServicePrincipalName struct {
	Account   arn.AccountID
	Region    arn.Region
	Directory string // id
	Connector string // id
	Status    string // CREATING, ACTIVE, DELETING or FAILED
	Reason    string // why FAILED
	CreatedAt time.Time
	UpdatedAt time.Time
}

const principalColumns = `account, region, directory, connector, status, reason, created_at, updated_at`

const principalInsert = `INSERT INTO service_principal_names (` + principalColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`

func scanPrincipal(s scanner, p *ServicePrincipalName) error {
	return s.Scan(&p.Account, &p.Region, &p.Directory, &p.Connector, &p.Status, &p.Reason, micros{&p.CreatedAt}, micros{&p.UpdatedAt})
}

func (p *ServicePrincipalName) args() []any {
	return []any{p.Account, p.Region, p.Directory, p.Connector, p.Status, p.Reason, toMicros(p.CreatedAt), toMicros(p.UpdatedAt)}
}

// CreateServicePrincipalName adds the name of a connector.
func (tx *Tx) CreateServicePrincipalName(p *ServicePrincipalName) error {
	if err := tx.policyChanged(p.Account, p.Region, p.Connector); err != nil {
		return err
	}
	return tx.insert(principalInsert, p.args()...)
}

// PutServicePrincipalName adds or replaces the name of a connector.
func (tx *Tx) PutServicePrincipalName(p *ServicePrincipalName) error {
	if err := tx.policyChanged(p.Account, p.Region, p.Connector); err != nil {
		return err
	}
	_, err := tx.exec(principalInsert+` ON CONFLICT (account, region, directory, connector) DO UPDATE SET status = excluded.status,
		reason = excluded.reason, created_at = excluded.created_at, updated_at = excluded.updated_at`, p.args()...)
	return err
}

// GetServicePrincipalName reads the name of a connector.
func (tx *Tx) GetServicePrincipalName(account arn.AccountID, region arn.Region, directory, connector string) (*ServicePrincipalName, error) {
	return one(tx, scanPrincipal, `SELECT `+principalColumns+` FROM service_principal_names WHERE account = $1 AND region = $2 AND directory = $3 AND connector = $4`,
		account, region, directory, connector)
}

// DeleteServicePrincipalName removes the name of a connector.
func (tx *Tx) DeleteServicePrincipalName(account arn.AccountID, region arn.Region, directory, connector string) error {
	if err := tx.policyChanged(account, region, connector); err != nil {
		return err
	}
	return tx.remove(`DELETE FROM service_principal_names WHERE account = $1 AND region = $2 AND directory = $3 AND connector = $4`,
		account, region, directory, connector)
}

// ListServicePrincipalNames pages through those of a directory by the connector's id.
func (tx *Tx) ListServicePrincipalNames(account arn.AccountID, region arn.Region, directory string, limit int, after string) ([]ServicePrincipalName, string, error) {
	return page(tx, scanPrincipal, func(p *ServicePrincipalName) string { return p.Connector }, limit,
		`SELECT `+principalColumns+` FROM service_principal_names WHERE account = $1 AND region = $2 AND directory = $3 AND connector > $4 ORDER BY connector LIMIT $5`,
		account, region, directory, after)
}

// ListUnsettledPrincipalNames are those, of all accounts, that are CREATING or DELETING, oldest first.
func (tx *Tx) ListUnsettledPrincipalNames(limit int) ([]ServicePrincipalName, error) {
	return all(tx, scanPrincipal, `SELECT `+principalColumns+` FROM service_principal_names WHERE status IN ('CREATING', 'DELETING') ORDER BY updated_at LIMIT $1`, limit)
}
