package store

import (
	"context"
	"errors"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

// ConnectorBundle is a connector with everything that decides what its clients may enroll. It is one entry of the view:
// what a reader compiles from it with [Cached.Compiled] is made again exactly when any of it has changed.
type ConnectorBundle struct {
	Connector Connector
	// Principal is the connector's service principal name; its Status is "" while there is none.
	Principal ServicePrincipalName
	Templates []TemplateBundle // the ACTIVE ones, by id
}

// TemplateBundle is a template with its access entries.
type TemplateBundle struct {
	Template ConnectorTemplate
	Access   []TemplateAccess // by SID
}

// Revision names this state of the connector: it differs from that of every other state the connector has been in. Later
// states have greater PolicyChangedAt, which is what the text says: RFC 3339 in UTC with microseconds.
func (b *ConnectorBundle) Revision() string {
	return b.Connector.PolicyChangedAt.Format("2006-01-02T15:04:05.000000Z")
}

// ChangedSince tells whether clients who asked at t have to be told again. A state that is as old as t counts as changed:
// the client may have asked just before the change.
func (b *ConnectorBundle) ChangedSince(t time.Time) bool {
	return !b.Connector.PolicyChangedAt.Before(t)
}

// Connector returns a connector in any state, with its ACTIVE templates and their access entries.
func (v *View) Connector(ctx context.Context, account arn.AccountID, region arn.Region, id string) (*Cached[ConnectorBundle], error) {
	return lookup(v, ctx, change{kindConnector, account, region, id}, loadConnector)
}

// DirectoryConnectors returns the ids of a directory's connectors, in any state, in order; none is an empty list, not
// [ErrNotFound].
func (v *View) DirectoryConnectors(ctx context.Context, account arn.AccountID, region arn.Region, directory string) (*Cached[[]string], error) {
	return lookup(v, ctx, change{kindConnectors, account, region, directory}, func(tx *Tx, k change) (*[]string, error) {
		rows, err := tx.ListDirectoryConnectors(k.account, k.region, k.id)
		ids := make([]string, len(rows))
		for i := range rows {
			ids[i] = rows[i].ID
		}
		return &ids, err
	})
}

func loadConnector(tx *Tx, k change) (*ConnectorBundle, error) {
	c, err := tx.GetConnector(k.account, k.region, k.id)
	if err != nil {
		return nil, err
	}
	b := &ConnectorBundle{Connector: *c}
	p, err := tx.GetServicePrincipalName(k.account, k.region, c.Directory, c.ID)
	if err == nil {
		b.Principal = *p
	} else if !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	templates, err := all(tx, scanTemplate, `SELECT `+templateColumns+` FROM connector_templates
		WHERE account = $1 AND region = $2 AND connector = $3 AND status = 'ACTIVE' ORDER BY id`, k.account, k.region, k.id)
	if err != nil {
		return nil, err
	}
	entries, err := all(tx, scanAccess, `SELECT `+accessColumns+` FROM template_access
		WHERE account = $1 AND region = $2 AND connector = $3 ORDER BY template, sid`, k.account, k.region, k.id)
	if err != nil {
		return nil, err
	}
	of := make(map[string][]TemplateAccess)
	for _, e := range entries {
		of[e.Template] = append(of[e.Template], e)
	}
	for _, t := range templates {
		b.Templates = append(b.Templates, TemplateBundle{Template: t, Access: of[t.ID]})
	}
	return b, nil
}
