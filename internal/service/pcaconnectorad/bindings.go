package pcaconnectorad

import (
	"context"
	"strings"

	"github.com/rolecall/rolecall/internal/awsapi"
	ad "github.com/rolecall/rolecall/internal/awsapi/model/pcaconnectorad"
)

// Bindings lists the operations.
func (s *Service) Bindings() []awsapi.Binding {
	all := append(s.directoryBindings(), s.connectorBindings()...)
	all = append(all, s.templateBindings()...)
	all = append(all, accessBindings()...)
	return append(all, tagBindings()...)
}

func (s *Service) directoryBindings() []awsapi.Binding {
	return []awsapi.Binding{
		awsapi.Bind(ad.OpCreateDirectoryRegistration, needCreateRegistration, s.createRegistration,
			made[ad.CreateDirectoryRegistrationInput](kindRegistration, func(out *ad.CreateDirectoryRegistrationOutput) *string { return out.DirectoryRegistrationArn })),
		bindOn(ad.OpGetDirectoryRegistration, kindRegistration, func(in *ad.GetDirectoryRegistrationInput) *string { return in.DirectoryRegistrationArn }, getRegistration),
		awsapi.Bind(ad.OpDeleteDirectoryRegistration, needDeleteRegistration, s.deleteRegistration,
			named[ad.DeleteDirectoryRegistrationOutput](kindRegistration.auditType(), func(in *ad.DeleteDirectoryRegistrationInput) *string { return in.DirectoryRegistrationArn })),
		awsapi.Bind(ad.OpListDirectoryRegistrations, anyResource[ad.ListDirectoryRegistrationsInput], listRegistrations),
		bindPair(ad.OpCreateServicePrincipalName, func(in *ad.CreateServicePrincipalNameInput) (*string, *string) {
			return in.DirectoryRegistrationArn, in.ConnectorArn
		}, s.createPrincipal),
		bindPair(ad.OpGetServicePrincipalName, func(in *ad.GetServicePrincipalNameInput) (*string, *string) {
			return in.DirectoryRegistrationArn, in.ConnectorArn
		}, getPrincipal),
		bindPair(ad.OpDeleteServicePrincipalName, func(in *ad.DeleteServicePrincipalNameInput) (*string, *string) {
			return in.DirectoryRegistrationArn, in.ConnectorArn
		}, s.deletePrincipal),
		bindOn(ad.OpListServicePrincipalNames, kindRegistration, func(in *ad.ListServicePrincipalNamesInput) *string { return in.DirectoryRegistrationArn }, listPrincipals),
	}
}

func (s *Service) connectorBindings() []awsapi.Binding {
	return []awsapi.Binding{
		awsapi.Bind(ad.OpCreateConnector, needCreateConnector, s.createConnector,
			made[ad.CreateConnectorInput](kindConnector, func(out *ad.CreateConnectorOutput) *string { return out.ConnectorArn })),
		bindOn(ad.OpGetConnector, kindConnector, func(in *ad.GetConnectorInput) *string { return in.ConnectorArn }, getConnector),
		bindOn(ad.OpDeleteConnector, kindConnector, func(in *ad.DeleteConnectorInput) *string { return in.ConnectorArn }, s.deleteConnector),
		awsapi.Bind(ad.OpListConnectors, anyResource[ad.ListConnectorsInput], listConnectors),
	}
}

func (s *Service) templateBindings() []awsapi.Binding {
	return []awsapi.Binding{
		awsapi.Bind(ad.OpCreateTemplate, needCreateTemplate, s.createTemplate,
			made[ad.CreateTemplateInput](kindTemplate, func(out *ad.CreateTemplateOutput) *string { return out.TemplateArn })),
		bindOn(ad.OpGetTemplate, kindTemplate, func(in *ad.GetTemplateInput) *string { return in.TemplateArn }, getTemplate),
		bindOn(ad.OpUpdateTemplate, kindTemplate, func(in *ad.UpdateTemplateInput) *string { return in.TemplateArn }, updateTemplate),
		bindOn(ad.OpDeleteTemplate, kindTemplate, func(in *ad.DeleteTemplateInput) *string { return in.TemplateArn }, s.deleteTemplate),
		bindOn(ad.OpListTemplates, kindConnector, func(in *ad.ListTemplatesInput) *string { return in.ConnectorArn }, listTemplates),
	}
}

// accessBindings: an entry has no ARN; its operations are allowed on its template.
func accessBindings() []awsapi.Binding {
	return []awsapi.Binding{
		bindOn(ad.OpCreateTemplateGroupAccessControlEntry, kindTemplate, func(in *ad.CreateTemplateGroupAccessControlEntryInput) *string { return in.TemplateArn }, createAccess),
		bindOn(ad.OpGetTemplateGroupAccessControlEntry, kindTemplate, func(in *ad.GetTemplateGroupAccessControlEntryInput) *string { return in.TemplateArn }, getAccess),
		bindOn(ad.OpUpdateTemplateGroupAccessControlEntry, kindTemplate, func(in *ad.UpdateTemplateGroupAccessControlEntryInput) *string { return in.TemplateArn }, updateAccess),
		bindOn(ad.OpDeleteTemplateGroupAccessControlEntry, kindTemplate, func(in *ad.DeleteTemplateGroupAccessControlEntryInput) *string { return in.TemplateArn }, deleteAccess),
		bindOn(ad.OpListTemplateGroupAccessControlEntries, kindTemplate, func(in *ad.ListTemplateGroupAccessControlEntriesInput) *string { return in.TemplateArn }, listAccess),
	}
}

func tagBindings() []awsapi.Binding {
	return []awsapi.Binding{
		awsapi.Bind(ad.OpTagResource, needTag, tagResource, awsapi.Record(func(in *ad.TagResourceInput, _ *ad.TagResourceOutput) []awsapi.Resource {
			return anyKind(in.ResourceArn)
		})),
		awsapi.Bind(ad.OpUntagResource, needUntag, untagResource, awsapi.Record(func(in *ad.UntagResourceInput, _ *ad.UntagResourceOutput) []awsapi.Resource {
			return anyKind(in.ResourceArn)
		})),
		awsapi.Bind(ad.OpListTagsForResource, needListTags, listTags, awsapi.Record(func(in *ad.ListTagsForResourceInput, _ *ad.ListTagsForResourceOutput) []awsapi.Resource {
			return anyKind(in.ResourceArn)
		})),
	}
}

// bindOn binds an operation on one resource, which the input names.
func bindOn[In, Out any](op *awsapi.Operation, k kind, name func(*In) *string, fn func(context.Context, *awsapi.Call, *In) (*Out, error)) awsapi.Binding {
	return awsapi.Bind(op, on(name, k), fn, named[Out](k.auditType(), name))
}

// bindPair binds an operation on a service principal name.
func bindPair[In, Out any](op *awsapi.Operation, names func(*In) (registration, connector *string), fn func(context.Context, *awsapi.Call, *In) (*Out, error)) awsapi.Binding {
	return awsapi.Bind(op, onPair(names), fn, awsapi.Record(func(in *In, _ *Out) []awsapi.Resource {
		registration, connector := names(in)
		return append(audited(kindRegistration.auditType(), registration), audited(kindConnector.auditType(), connector)...)
	}))
}

// named records the resource that the input names.
func named[Out, In any](auditType string, name func(*In) *string) awsapi.BindOption {
	return awsapi.Record(func(in *In, _ *Out) []awsapi.Resource { return audited(auditType, name(in)) })
}

// made records the resource that the answer names.
func made[In, Out any](k kind, name func(*Out) *string) awsapi.BindOption {
	return awsapi.Record(func(_ *In, out *Out) []awsapi.Resource {
		if out == nil {
			return nil
		}
		return audited(k.auditType(), name(out))
	})
}

func audited(auditType string, text *string) []awsapi.Resource {
	if text == nil {
		return nil
	}
	name := clip(*text)
	return []awsapi.Resource{{Type: auditType, Name: name[strings.LastIndexByte(name, '/')+1:], ARN: name}}
}

// anyKind names what a tagging call is about, as far as its ARN can be read.
func anyKind(text *string) []awsapi.Resource {
	switch t := deref(text); {
	case strings.Contains(t, "/template/"):
		return audited(kindTemplate.auditType(), text)
	case strings.Contains(t, ":connector/"):
		return audited(kindConnector.auditType(), text)
	case strings.Contains(t, ":directory-registration/"):
		return audited(kindRegistration.auditType(), text)
	}
	return nil
}
