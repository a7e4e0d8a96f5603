package pcaconnectorad

import (
	"context"
	"errors"

	"github.com/rolecall/rolecall/internal/adtemplate"
	"github.com/rolecall/rolecall/internal/awsapi"
	ad "github.com/rolecall/rolecall/internal/awsapi/model/pcaconnectorad"
	"github.com/rolecall/rolecall/internal/store"
)

const auditAccess = "AWS::PCAConnectorAD::TemplateGroupAccessControlEntry"

func createAccess(_ context.Context, call *awsapi.Call, in *ad.CreateTemplateGroupAccessControlEntryInput) (*ad.CreateTemplateGroupAccessControlEntryOutput, error) {
	request := *in
	request.ClientToken = nil
	_, err := once(call, in.ClientToken, request, func() (string, error) { return "", addAccess(call, in) })
	return &ad.CreateTemplateGroupAccessControlEntryOutput{}, err
}

func addAccess(call *awsapi.Call, in *ad.CreateTemplateGroupAccessControlEntryInput) error {
	t, err := changeable(call, *in.TemplateArn)
	if err != nil {
		return err
	}
	if err := adtemplate.CheckSID(*in.GroupSecurityIdentifier); err != nil {
		return invalid("Invalid group security identifier: %s", err)
	}
	n, err := call.Tx.CountTemplateAccess(call.Account, call.Region, t.Connector, t.ID)
	if err != nil {
		return err
	}
	if n >= maxEntries {
		return overQuota(kindTemplate.auditType(), *in.TemplateArn, maxEntries, "access control entries of a template")
	}
	a := &store.TemplateAccess{Account: call.Account, Region: call.Region, Connector: t.Connector, Template: t.ID, SID: *in.GroupSecurityIdentifier,
		Name: *in.GroupDisplayName, CreatedAt: call.Now, UpdatedAt: call.Now}
	if err := setRights(a, in.AccessRights); err != nil {
		return err
	}
	err = call.Tx.CreateTemplateAccess(a)
	if errors.Is(err, store.ErrExists) {
		return conflict(auditAccess, a.SID, "The template has an access control entry for %s already", a.SID)
	}
	return err
}

// setRights: who may auto-enroll must be allowed to enroll.
func setRights(a *store.TemplateAccess, r *ad.AccessRights) error {
	if r.Enroll == nil && r.AutoEnroll == nil {
		return invalid("Access rights need Enroll, AutoEnroll or both")
	}
	if deref(r.AutoEnroll) == ad.AccessRightAllow && deref(r.Enroll) != ad.AccessRightAllow {
		return invalid("A group that is allowed to auto-enroll must be allowed to enroll")
	}
	a.Enroll, a.AutoEnroll = string(deref(r.Enroll)), string(deref(r.AutoEnroll))
	return nil
}

func findAccess(call *awsapi.Call, t *store.ConnectorTemplate, sid string) (*store.TemplateAccess, error) {
	a, err := call.Tx.GetTemplateAccess(call.Account, call.Region, t.Connector, t.ID, sid)
	if errors.Is(err, store.ErrNotFound) {
		return nil, missing("Access control entry for", auditAccess, sid)
	}
	return a, err
}

func getAccess(_ context.Context, call *awsapi.Call, in *ad.GetTemplateGroupAccessControlEntryInput) (*ad.GetTemplateGroupAccessControlEntryOutput, error) {
	t, err := findTemplate(call, *in.TemplateArn)
	if err != nil {
		return nil, err
	}
	a, err := findAccess(call, t, *in.GroupSecurityIdentifier)
	if err != nil {
		return nil, err
	}
	entry := ad.AccessControlEntry(accessSummary(call, a))
	return &ad.GetTemplateGroupAccessControlEntryOutput{AccessControlEntry: &entry}, nil
}

func accessSummary(call *awsapi.Call, a *store.TemplateAccess) ad.AccessControlEntrySummary {
	return ad.AccessControlEntrySummary{
		TemplateArn: new(templateRef(a.Connector, a.Template).arn(call)), GroupSecurityIdentifier: &a.SID, GroupDisplayName: &a.Name,
		AccessRights: &ad.AccessRights{Enroll: optional[ad.AccessRight](a.Enroll), AutoEnroll: optional[ad.AccessRight](a.AutoEnroll)},
		CreatedAt:    &a.CreatedAt, UpdatedAt: &a.UpdatedAt,
	}
}

// updateAccess replaces both rights when rights are given.
func updateAccess(_ context.Context, call *awsapi.Call, in *ad.UpdateTemplateGroupAccessControlEntryInput) (*ad.UpdateTemplateGroupAccessControlEntryOutput, error) {
	t, err := changeable(call, *in.TemplateArn)
	if err != nil {
		return nil, err
	}
	a, err := findAccess(call, t, *in.GroupSecurityIdentifier)
	if err != nil {
		return nil, err
	}
	if in.AccessRights != nil {
		if err := setRights(a, in.AccessRights); err != nil {
			return nil, err
		}
	}
	if in.GroupDisplayName != nil {
		a.Name = *in.GroupDisplayName
	}
	a.UpdatedAt = call.Now
	return &ad.UpdateTemplateGroupAccessControlEntryOutput{}, call.Tx.PutTemplateAccess(a)
}

func deleteAccess(_ context.Context, call *awsapi.Call, in *ad.DeleteTemplateGroupAccessControlEntryInput) (*ad.DeleteTemplateGroupAccessControlEntryOutput, error) {
	t, err := findTemplate(call, *in.TemplateArn)
	if err != nil {
		return nil, err
	}
	a, err := findAccess(call, t, *in.GroupSecurityIdentifier)
	if err != nil {
		return nil, err
	}
	return &ad.DeleteTemplateGroupAccessControlEntryOutput{}, call.Tx.DeleteTemplateAccess(call.Account, call.Region, t.Connector, t.ID, a.SID)
}

func listAccess(_ context.Context, call *awsapi.Call, in *ad.ListTemplateGroupAccessControlEntriesInput) (*ad.ListTemplateGroupAccessControlEntriesOutput, error) {
	t, err := findTemplate(call, *in.TemplateArn)
	if err != nil {
		return nil, err
	}
	rows, next, err := listPage(call, in.MaxResults, in.NextToken, t.ID,
		func(limit int, after string) ([]store.TemplateAccess, string, error) {
			return call.Tx.ListTemplateAccess(call.Account, call.Region, t.Connector, t.ID, limit, after)
		},
		func(a *store.TemplateAccess) (ad.AccessControlEntrySummary, string, int, error) {
			return accessSummary(call, a), a.SID, 0, nil
		})
	return &ad.ListTemplateGroupAccessControlEntriesOutput{AccessControlEntries: rows, NextToken: next}, err
}
