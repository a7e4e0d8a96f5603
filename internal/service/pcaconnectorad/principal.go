package pcaconnectorad

import (
	"context"
	"errors"

	"github.com/rolecall/rolecall/internal/awsapi"
	ad "github.com/rolecall/rolecall/internal/awsapi/model/pcaconnectorad"
	"github.com/rolecall/rolecall/internal/store"
)

const auditPrincipal = "AWS::PCAConnectorAD::ServicePrincipalName"

// pair is the registration and the connector that name a service principal name.
type pair struct{ registration, connector ref }

func parsePair(call *awsapi.Call, registration, connector *string) (p pair, err error) {
	if p.registration, err = parse(call, *registration, kindRegistration); err == nil {
		p.connector, err = parse(call, *connector, kindConnector)
	}
	return p, err
}

func (s *Service) createPrincipal(_ context.Context, call *awsapi.Call, in *ad.CreateServicePrincipalNameInput) (*ad.CreateServicePrincipalNameOutput, error) {
	request := *in
	request.ClientToken = nil
	_, err := once(call, in.ClientToken, request, func() (string, error) { return "", s.addPrincipal(call, in) })
	return &ad.CreateServicePrincipalNameOutput{}, err
}

// addPrincipal replaces one that failed.
func (s *Service) addPrincipal(call *awsapi.Call, in *ad.CreateServicePrincipalNameInput) error {
	r, err := findRegistration(call, *in.DirectoryRegistrationArn)
	if err != nil {
		return err
	}
	c, err := findConnector(call, *in.ConnectorArn)
	if err != nil {
		return err
	}
	if c.Directory != r.Directory {
		return because(mismatchedConnector, "Connector %s belongs to directory %s, not %s", clip(*in.ConnectorArn), c.Directory, r.Directory)
	}
	if err := usable(r.Status, kindRegistration, *in.DirectoryRegistrationArn); err != nil {
		return err
	}
	if err := usable(c.Status, kindConnector, *in.ConnectorArn); err != nil {
		return err
	}
	old, err := call.Tx.GetServicePrincipalName(call.Account, call.Region, r.Directory, c.ID)
	switch {
	case err == nil && old.Status != failed:
		return conflict(auditPrincipal, *in.ConnectorArn, "The connector %s has a service principal name already", *in.ConnectorArn)
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return err
	}
	s.worker.Nudge()
	return call.Tx.PutServicePrincipalName(&store.ServicePrincipalName{Account: call.Account, Region: call.Region, Directory: r.Directory,
		Connector: c.ID, Status: creating, CreatedAt: call.Now, UpdatedAt: call.Now})
}

// usable refuses to build upon what is going away or never came to be. What is CREATING will do: whoever builds upon it
// is finished after it.
func usable(status string, k kind, name string) error {
	if status == active || status == creating {
		return nil
	}
	return because(invalidState, "%s %s is not in the correct state for this operation: it is %s", k.noun(), clip(name), status)
}

func findPrincipal(call *awsapi.Call, registration, connector *string) (*store.ServicePrincipalName, error) {
	p, err := parsePair(call, registration, connector)
	if err != nil {
		return nil, err
	}
	row, err := call.Tx.GetServicePrincipalName(call.Account, call.Region, p.registration.directory, p.connector.connector)
	if errors.Is(err, store.ErrNotFound) {
		return nil, missing("Service principal name of connector", auditPrincipal, *connector)
	}
	return row, err
}

func getPrincipal(_ context.Context, call *awsapi.Call, in *ad.GetServicePrincipalNameInput) (*ad.GetServicePrincipalNameOutput, error) {
	row, err := findPrincipal(call, in.DirectoryRegistrationArn, in.ConnectorArn)
	if err != nil {
		return nil, err
	}
	p := ad.ServicePrincipalName(principalSummary(call, row))
	return &ad.GetServicePrincipalNameOutput{ServicePrincipalName: &p}, nil
}

func principalSummary(call *awsapi.Call, p *store.ServicePrincipalName) ad.ServicePrincipalNameSummary {
	return ad.ServicePrincipalNameSummary{
		DirectoryRegistrationArn: new(registrationRef(p.Directory).arn(call)), ConnectorArn: new(connectorRef(p.Connector).arn(call)),
		Status: new(ad.ServicePrincipalNameStatus(p.Status)), StatusReason: optional[ad.ServicePrincipalNameStatusReason](p.Reason),
		CreatedAt: &p.CreatedAt, UpdatedAt: &p.UpdatedAt,
	}
}

func (s *Service) deletePrincipal(_ context.Context, call *awsapi.Call, in *ad.DeleteServicePrincipalNameInput) (*ad.DeleteServicePrincipalNameOutput, error) {
	out := &ad.DeleteServicePrincipalNameOutput{}
	p, err := parsePair(call, in.DirectoryRegistrationArn, in.ConnectorArn)
	if err != nil {
		return nil, orGone(err)
	}
	row, err := call.Tx.GetServicePrincipalName(call.Account, call.Region, p.registration.directory, p.connector.connector)
	if errors.Is(err, store.ErrNotFound) {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	row.Status, row.Reason, row.UpdatedAt = deleting, "", call.Now
	s.worker.Nudge()
	return out, call.Tx.PutServicePrincipalName(row)
}

func listPrincipals(_ context.Context, call *awsapi.Call, in *ad.ListServicePrincipalNamesInput) (*ad.ListServicePrincipalNamesOutput, error) {
	r, err := findRegistration(call, *in.DirectoryRegistrationArn)
	if err != nil {
		return nil, err
	}
	rows, next, err := listPage(call, in.MaxResults, in.NextToken, r.Directory,
		func(limit int, after string) ([]store.ServicePrincipalName, string, error) {
			return call.Tx.ListServicePrincipalNames(call.Account, call.Region, r.Directory, limit, after)
		},
		func(p *store.ServicePrincipalName) (ad.ServicePrincipalNameSummary, string, int, error) {
			return principalSummary(call, p), p.Connector, 0, nil
		})
	return &ad.ListServicePrincipalNamesOutput{ServicePrincipalNames: rows, NextToken: next}, err
}
