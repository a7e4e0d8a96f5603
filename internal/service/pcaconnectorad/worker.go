package pcaconnectorad

import (
	"context"
	"errors"
	"time"

	"github.com/rolecall/rolecall/internal/awsapi/model/acmpca"
	ad "github.com/rolecall/rolecall/internal/awsapi/model/pcaconnectorad"
	"github.com/rolecall/rolecall/internal/issuance"
	"github.com/rolecall/rolecall/internal/store"
)

const (
	busyInterval = 20 * time.Millisecond
	workBatch    = 20
)

// Run finishes what is CREATING or DELETING. It returns when ctx ends. Every node may run it: each step is checked again
// in its own transaction.
func (s *Service) Run(ctx context.Context) {
	s.worker.Run(ctx, busyInterval, s.Work, func(err error) {
		s.cfg.Log.Warn("work for connectors failed and will be tried again", "error", err)
	})
}

// Work does what there is to do now: registrations first, as what is built upon one is judged by it. One resource's
// trouble does not keep the others waiting.
func (s *Service) Work(ctx context.Context) error {
	var registrations []store.DirectoryRegistration
	var connectors []store.Connector
	var principals []store.ServicePrincipalName
	var templates []store.ConnectorTemplate
	err := s.cfg.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if registrations, err = tx.ListUnsettledRegistrations(workBatch); err != nil {
			return err
		}
		if connectors, err = tx.ListUnsettledConnectors(workBatch); err != nil {
			return err
		}
		if principals, err = tx.ListUnsettledPrincipalNames(workBatch); err != nil {
			return err
		}
		templates, err = tx.ListUnsettledTemplates(workBatch)
		return err
	})
	if err != nil {
		return err
	}
	var errs []error
	step := func(fn func(*store.Tx) error) {
		err := s.cfg.DB.Update(ctx, fn)
		if !errors.Is(err, store.ErrNotFound) { // another node was first
			errs = append(errs, err)
		}
	}
	for _, r := range registrations {
		step(func(tx *store.Tx) error { return settleRegistration(tx, &r) })
	}
	for _, c := range connectors {
		step(func(tx *store.Tx) error { return settleConnector(tx, &c) })
	}
	for _, p := range principals {
		step(func(tx *store.Tx) error { return settlePrincipal(tx, &p) })
	}
	for _, t := range templates {
		step(func(tx *store.Tx) error {
			now, err := tx.GetConnectorTemplate(t.Account, t.Region, t.Connector, t.ID)
			if err != nil || now.Status != deleting {
				return err
			}
			return tx.DeleteConnectorTemplate(t.Account, t.Region, t.Connector, t.ID)
		})
	}
	return errors.Join(errs...)
}

func settleRegistration(tx *store.Tx, was *store.DirectoryRegistration) error {
	r, err := tx.GetDirectoryRegistration(was.Account, was.Region, was.Directory)
	if err != nil {
		return err
	}
	switch r.Status {
	case deleting:
		return tx.DeleteDirectoryRegistration(r.Account, r.Region, r.Directory)
	case creating:
		r.Status = active
		if _, err := tx.GetDirectory(r.Account, r.Region, r.Directory); errors.Is(err, store.ErrNotFound) {
			r.Status, r.Reason = failed, string(ad.DirectoryRegistrationStatusReasonDirectoryResourceNotFound)
		} else if err != nil {
			return err
		}
		r.UpdatedAt = tx.Now
		return tx.PutDirectoryRegistration(r)
	}
	return nil
}

// settlePrincipal fails a name that the server has no key for: no ticket for it could be opened.
func settlePrincipal(tx *store.Tx, was *store.ServicePrincipalName) error {
	p, err := tx.GetServicePrincipalName(was.Account, was.Region, was.Directory, was.Connector)
	if err != nil {
		return err
	}
	switch p.Status {
	case deleting:
		return tx.DeleteServicePrincipalName(p.Account, p.Region, p.Directory, p.Connector)
	case creating:
		p.Status, p.UpdatedAt = active, tx.Now
		d, err := tx.GetDirectory(p.Account, p.Region, p.Directory)
		switch {
		case errors.Is(err, store.ErrNotFound):
			p.Status, p.Reason = failed, string(ad.ServicePrincipalNameStatusReasonDirectoryResourceNotFound)
		case err != nil:
			return err
		case len(d.Keytab) == 0:
			p.Status, p.Reason = failed, string(ad.ServicePrincipalNameStatusReasonDirectoryAccessDenied)
		}
		return tx.PutServicePrincipalName(p)
	}
	return nil
}

func settleConnector(tx *store.Tx, was *store.Connector) error {
	c, err := tx.GetConnector(was.Account, was.Region, was.ID)
	if err != nil {
		return err
	}
	switch c.Status {
	case deleting:
		return dismantle(tx, c)
	case creating:
		reason, err := connectorTrouble(tx, c)
		if err != nil {
			return err
		}
		c.Status, c.Reason, c.UpdatedAt, c.PolicyChangedAt = active, string(reason), tx.Now, tx.Now
		if reason != "" {
			c.Status = failed
		}
		return tx.PutConnector(c)
	}
	return nil
}

// connectorTrouble asks again what CreateConnector asked: it may have changed meanwhile.
func connectorTrouble(tx *store.Tx, c *store.Connector) (ad.ConnectorStatusReason, error) {
	r, err := tx.GetDirectoryRegistration(c.Account, c.Region, c.Directory)
	if errors.Is(err, store.ErrNotFound) || err == nil && r.Status != active {
		return ad.ConnectorStatusReasonDirectoryAccessDenied, nil
	}
	if err != nil {
		return "", err
	}
	ca, err := authorityOf(tx, c.Account, c.Region, c.Authority)
	if errors.Is(err, store.ErrNotFound) {
		return ad.ConnectorStatusReasonPrivatecaResourceNotFound, nil
	}
	if err != nil {
		return "", err
	}
	if issuance.StatusOf(ca, tx.Now) != acmpca.CertificateAuthorityStatusActive {
		return ad.ConnectorStatusReasonPrivatecaAccessDenied, nil
	}
	return "", nil
}

// dismantle removes a connector and what belongs to it. The templates go in parts, so that no transaction is large; the
// connector goes with the last of them.
func dismantle(tx *store.Tx, c *store.Connector) error {
	templates, more, err := tx.ListConnectorTemplates(c.Account, c.Region, c.ID, workBatch, "")
	if err != nil {
		return err
	}
	for i := range templates {
		if err := tx.DeleteConnectorTemplate(c.Account, c.Region, c.ID, templates[i].ID); err != nil {
			return err
		}
	}
	if more != "" {
		return nil
	}
	err = tx.DeleteServicePrincipalName(c.Account, c.Region, c.Directory, c.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return tx.DeleteConnector(c.Account, c.Region, c.ID)
}
