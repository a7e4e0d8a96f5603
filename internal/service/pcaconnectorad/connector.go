package pcaconnectorad

import (
	"context"
	"errors"
	"strings"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/awsapi/model/acmpca"
	ad "github.com/rolecall/rolecall/internal/awsapi/model/pcaconnectorad"
	"github.com/rolecall/rolecall/internal/issuance"
	"github.com/rolecall/rolecall/internal/store"
)

const auditCA = "AWS::ACMPCA::CertificateAuthority"

func (s *Service) createConnector(_ context.Context, call *awsapi.Call, in *ad.CreateConnectorInput) (*ad.CreateConnectorOutput, error) {
	request := *in
	request.ClientToken = nil
	name, err := once(call, in.ClientToken, request, func() (string, error) { return s.addConnector(call, in) })
	return &ad.CreateConnectorOutput{ConnectorArn: &name}, err
}

func (s *Service) addConnector(call *awsapi.Call, in *ad.CreateConnectorInput) (string, error) {
	if err := checkCA(call, *in.CertificateAuthorityArn); err != nil {
		return "", err
	}
	if _, err := findDirectory(call, *in.DirectoryId); err != nil {
		return "", err
	}
	registration, err := call.Tx.GetDirectoryRegistration(call.Account, call.Region, *in.DirectoryId)
	if errors.Is(err, store.ErrNotFound) {
		return "", because(invalidPermission, "Directory %s is not registered", *in.DirectoryId)
	}
	if err != nil {
		return "", err
	}
	if err := usable(registration.Status, kindRegistration, registrationRef(*in.DirectoryId).arn(call)); err != nil {
		return "", err
	}
	others, err := call.Tx.ListDirectoryConnectors(call.Account, call.Region, *in.DirectoryId)
	if err != nil {
		return "", err
	}
	for i := range others {
		if others[i].Status != failed {
			id := connectorRef(others[i].ID)
			return "", conflict(id.kind.auditType(), id.arn(call), "Directory %s has a connector already: %s", *in.DirectoryId, id.arn(call))
		}
	}
	c := &store.Connector{
		Account: call.Account, Region: call.Region, ID: arn.NewUUID(), Directory: *in.DirectoryId, Authority: *in.CertificateAuthorityArn, Status: creating,
		AddressType: string(deref(in.VpcInformation.IpAddressType)), SecurityGroups: in.VpcInformation.SecurityGroupIds,
		CreatedAt: call.Now, UpdatedAt: call.Now, PolicyChangedAt: call.Now,
	}
	if c.Tags, err = mergeTags(nil, in.Tags); err != nil {
		return "", err
	}
	s.worker.Nudge()
	return connectorRef(c.ID).arn(call), call.Tx.CreateConnector(c)
}

// authorityOf reads the CA with the ARN; store.ErrNotFound for one of another account or region as well.
func authorityOf(tx *store.Tx, account arn.AccountID, region arn.Region, name string) (*store.CertificateAuthority, error) {
	a, err := arn.Parse(name)
	id, ok := strings.CutPrefix(a.Resource, "certificate-authority/")
	if err != nil || !ok || a.Service != "acm-pca" || a.Partition != arn.Partition(region) || a.Account != account || a.Region != region {
		return nil, store.ErrNotFound
	}
	ca, err := tx.GetAuthority(account, region, id)
	if err == nil && issuance.Gone(ca, tx.Now) {
		return nil, store.ErrNotFound
	}
	return ca, err
}

// checkCA: Windows knows a CA by its common name, and a CA without one cannot enroll anybody.
func checkCA(call *awsapi.Call, name string) error {
	ca, err := authorityOf(call.Tx, call.Account, call.Region, name)
	if errors.Is(err, store.ErrNotFound) {
		return missing("Certificate authority", auditCA, name)
	}
	if err != nil {
		return err
	}
	if st := issuance.StatusOf(ca, call.Now); st != acmpca.CertificateAuthorityStatusActive {
		return because(invalidState, "The certificate authority %s is not in the correct state for this operation: it is %s", name, st)
	}
	cert, err := issuance.Certificate(ca)
	if err != nil {
		return err
	}
	if cert == nil || cert.Subject.CommonName == "" {
		return because(invalidCASubject, "The subject of the certificate authority %s has no common name", name)
	}
	return nil
}

func findConnector(call *awsapi.Call, text string) (*store.Connector, error) {
	r, err := parse(call, text, kindConnector)
	if err != nil {
		return nil, err
	}
	c, err := call.Tx.GetConnector(call.Account, call.Region, r.connector)
	if errors.Is(err, store.ErrNotFound) {
		return nil, notFound(r.kind, text)
	}
	return c, err
}

func getConnector(_ context.Context, call *awsapi.Call, in *ad.GetConnectorInput) (*ad.GetConnectorOutput, error) {
	c, err := findConnector(call, *in.ConnectorArn)
	if err != nil {
		return nil, err
	}
	summary, err := connectorSummary(call, c)
	if err != nil {
		return nil, err
	}
	detail := ad.Connector(summary)
	return &ad.GetConnectorOutput{Connector: &detail}, nil
}

func connectorSummary(call *awsapi.Call, c *store.Connector) (ad.ConnectorSummary, error) {
	out := ad.ConnectorSummary{
		Arn: new(connectorRef(c.ID).arn(call)), CertificateAuthorityArn: &c.Authority, DirectoryId: &c.Directory,
		Status: new(ad.ConnectorStatus(c.Status)), StatusReason: optional[ad.ConnectorStatusReason](c.Reason),
		VpcInformation: &ad.VpcInformation{IpAddressType: optional[ad.IpAddressType](c.AddressType), SecurityGroupIds: c.SecurityGroups},
		CreatedAt:      &c.CreatedAt, UpdatedAt: &c.UpdatedAt,
	}
	d, err := call.Tx.GetDirectory(call.Account, call.Region, c.Directory)
	if errors.Is(err, store.ErrNotFound) {
		return out, nil // the operator took it away
	}
	if err == nil {
		out.CertificateEnrollmentPolicyServerEndpoint = new(d.PolicyServer())
	}
	return out, err
}

func (s *Service) deleteConnector(_ context.Context, call *awsapi.Call, in *ad.DeleteConnectorInput) (*ad.DeleteConnectorOutput, error) {
	c, err := findConnector(call, *in.ConnectorArn)
	if err != nil {
		return nil, err
	}
	c.Status, c.Reason, c.UpdatedAt, c.PolicyChangedAt = deleting, "", call.Now, call.Now
	s.worker.Nudge()
	return &ad.DeleteConnectorOutput{}, call.Tx.PutConnector(c)
}

func listConnectors(_ context.Context, call *awsapi.Call, in *ad.ListConnectorsInput) (*ad.ListConnectorsOutput, error) {
	rows, next, err := listPage(call, in.MaxResults, in.NextToken, "",
		func(limit int, after string) ([]store.Connector, string, error) {
			return call.Tx.ListConnectors(call.Account, call.Region, limit, after)
		},
		func(c *store.Connector) (ad.ConnectorSummary, string, int, error) {
			summary, err := connectorSummary(call, c)
			return summary, c.ID, 0, err
		})
	return &ad.ListConnectorsOutput{Connectors: rows, NextToken: next}, err
}
