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
	defer s.questions.Wait()
	s.worker.Run(ctx, busyInterval, s.Work, func(err error) {
		s.cfg.Log.Warn("work for connectors failed and will be tried again", "error", err)
	})
}

// Work does what there is to do now. One resource's trouble does not keep the others waiting: what needs a domain's answer
// is finished when that is there.
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
	for _, t := range templates {
		step(func(tx *store.Tx) error {
			now, err := tx.GetConnectorTemplate(t.Account, t.Region, t.Connector, t.ID)
			if err != nil || now.Status != deleting {
				return err
			}
			return tx.DeleteConnectorTemplate(t.Account, t.Region, t.Connector, t.ID)
		})
	}
	var questions []*question
	for _, r := range registrations {
		if r.Status == deleting {
			step(func(tx *store.Tx) error { return settleRegistration(tx, &r, nil) })
			continue
		}
		questions = append(questions, &question{what: "directory registration " + r.Directory, about: Directories.Reach,
			read:   func(tx *store.Tx) (*store.Directory, error) { return tx.GetDirectory(r.Account, r.Region, r.Directory) },
			finish: func(tx *store.Tx, err error) error { return settleRegistration(tx, &r, err) }})
	}
	for _, c := range connectors {
		if c.Status == deleting {
			step(func(tx *store.Tx) error { return settleConnector(tx, &c, nil) })
			continue
		}
		questions = append(questions, &question{what: "connector " + c.ID, about: Directories.Register,
			read:   func(tx *store.Tx) (*store.Directory, error) { return directoryOf(tx, &c) },
			finish: func(tx *store.Tx, err error) error { return settleConnector(tx, &c, err) }})
	}
	for _, p := range principals {
		if p.Status == deleting {
			step(func(tx *store.Tx) error { return settlePrincipal(tx, &p, nil) })
			continue
		}
		questions = append(questions, &question{what: "service principal name of connector " + p.Connector, about: Directories.Principal,
			read:   func(tx *store.Tx) (*store.Directory, error) { return tx.GetDirectory(p.Account, p.Region, p.Directory) },
			finish: func(tx *store.Tx, err error) error { return settlePrincipal(tx, &p, err) }})
	}
	s.ask(ctx, questions)
	return errors.Join(errs...)
}

// directoryOf is what a connector's CA is to be published in; [store.ErrNotFound] if the connector fails already.
func directoryOf(tx *store.Tx, c *store.Connector) (*store.Directory, error) {
	reason, err := connectorTrouble(tx, c)
	if err != nil {
		return nil, err
	}
	if reason != "" {
		return nil, store.ErrNotFound
	}
	return tx.GetDirectory(c.Account, c.Region, c.Directory)
}

// settleRegistration leaves what was changed or made anew meanwhile to the next look: the answer is about what was.
func settleRegistration(tx *store.Tx, was *store.DirectoryRegistration, said error) error {
	r, err := tx.GetDirectoryRegistration(was.Account, was.Region, was.Directory)
	if err != nil || r.Status != was.Status || !r.UpdatedAt.Equal(was.UpdatedAt) {
		return err
	}
	switch r.Status {
	case deleting:
		return tx.DeleteDirectoryRegistration(r.Account, r.Region, r.Directory)
	case creating:
		r.Status = active
		_, err := tx.GetDirectory(r.Account, r.Region, r.Directory)
		switch {
		case errors.Is(err, store.ErrNotFound):
			r.Status, r.Reason = failed, string(ad.DirectoryRegistrationStatusReasonDirectoryResourceNotFound)
		case err != nil:
			return err
		case errors.Is(said, errNotAsked):
			return nil
		case said != nil:
			r.Status, r.Reason = failed, string(registrationReason(said))
		}
		r.UpdatedAt = tx.Now
		return tx.PutDirectoryRegistration(r)
	}
	return nil
}

// settlePrincipal fails a name that the server has no key for: no ticket for it could be opened.
func settlePrincipal(tx *store.Tx, was *store.ServicePrincipalName, said error) error {
	p, err := tx.GetServicePrincipalName(was.Account, was.Region, was.Directory, was.Connector)
	if err != nil || p.Status != was.Status || !p.UpdatedAt.Equal(was.UpdatedAt) {
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
		case errors.Is(said, errNotAsked):
			return nil
		case said != nil:
			p.Status, p.Reason = failed, string(principalReason(said))
		}
		return tx.PutServicePrincipalName(p)
	}
	return nil
}

func settleConnector(tx *store.Tx, was *store.Connector, said error) error {
	c, err := tx.GetConnector(was.Account, was.Region, was.ID)
	if err != nil || c.Status != was.Status || !c.UpdatedAt.Equal(was.UpdatedAt) {
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
		if reason == "" && errors.Is(said, errNotAsked) {
			return nil
		}
		if reason == "" {
			reason = connectorReason(said)
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
	if err == nil && r.Status == creating {
		return "", errNotAsked
	}
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
