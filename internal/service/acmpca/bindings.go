package acmpca

import (
	"context"
	"strings"

	"github.com/rolecall/rolecall/internal/awsapi"
	pca "github.com/rolecall/rolecall/internal/awsapi/model/acmpca"
)

// Bindings lists the operations.
func (s *Service) Bindings() []awsapi.Binding {
	return []awsapi.Binding{
		awsapi.Bind(pca.OpCreateCertificateAuthority, needCreate, s.create, awsapi.Record(func(_ *pca.CreateCertificateAuthorityInput, out *pca.CreateCertificateAuthorityOutput) []awsapi.Resource {
			if out == nil {
				return nil
			}
			return auditCA(out.CertificateAuthorityArn)
		}), awsapi.Ahead(func(ctx context.Context, _ *awsapi.Call, in *pca.CreateCertificateAuthorityInput) error {
			return s.tryBucket(ctx, in.RevocationConfiguration)
		})),
		bindShared(pca.OpDescribeCertificateAuthority, func(in *pca.DescribeCertificateAuthorityInput) *string { return in.CertificateAuthorityArn }, describe),
		awsapi.Bind(pca.OpListCertificateAuthorities, func(context.Context, *awsapi.Call, *pca.ListCertificateAuthoritiesInput) ([]awsapi.Need, error) {
			return []awsapi.Need{{}}, nil
		}, list),
		bindCA(pca.OpGetCertificateAuthorityCsr, func(in *pca.GetCertificateAuthorityCsrInput) *string { return in.CertificateAuthorityArn }, getCSR),
		bindShared(pca.OpGetCertificateAuthorityCertificate, func(in *pca.GetCertificateAuthorityCertificateInput) *string { return in.CertificateAuthorityArn }, getAuthorityCertificate),
		bindCA(pca.OpImportCertificateAuthorityCertificate, func(in *pca.ImportCertificateAuthorityCertificateInput) *string { return in.CertificateAuthorityArn }, s.importCertificate),
		bindCA(pca.OpUpdateCertificateAuthority, func(in *pca.UpdateCertificateAuthorityInput) *string { return in.CertificateAuthorityArn }, s.update,
			awsapi.Ahead(func(ctx context.Context, _ *awsapi.Call, in *pca.UpdateCertificateAuthorityInput) error {
				return s.tryBucket(ctx, in.RevocationConfiguration)
			})),
		bindCA(pca.OpDeleteCertificateAuthority, func(in *pca.DeleteCertificateAuthorityInput) *string { return in.CertificateAuthorityArn }, remove),
		bindCA(pca.OpRestoreCertificateAuthority, func(in *pca.RestoreCertificateAuthorityInput) *string { return in.CertificateAuthorityArn }, s.restore),
		awsapi.Bind(pca.OpIssueCertificate, needIssue, s.issue, awsapi.Prepared(s.needIssueAhead, s.issueAhead, s.issueCommit), awsapi.Record(func(in *pca.IssueCertificateInput, out *pca.IssueCertificateOutput) []awsapi.Resource {
			resources := auditCA(in.CertificateAuthorityArn)
			if out != nil {
				resources = append(resources, awsapi.Resource{Type: "AWS::ACMPCA::Certificate", Name: lastSegment(out.CertificateArn), ARN: deref(out.CertificateArn)})
			}
			return resources
		})),
		bindShared(pca.OpGetCertificate, func(in *pca.GetCertificateInput) *string { return in.CertificateAuthorityArn }, getCertificate),
		bindCA(pca.OpRevokeCertificate, func(in *pca.RevokeCertificateInput) *string { return in.CertificateAuthorityArn }, s.revoke),
		awsapi.Bind(pca.OpTagCertificateAuthority, needTag, tag, recordCA(func(in *pca.TagCertificateAuthorityInput, _ *pca.TagCertificateAuthorityOutput) *string {
			return in.CertificateAuthorityArn
		})),
		awsapi.Bind(pca.OpUntagCertificateAuthority, needUntag, untag, recordCA(func(in *pca.UntagCertificateAuthorityInput, _ *pca.UntagCertificateAuthorityOutput) *string {
			return in.CertificateAuthorityArn
		})),
		bindPolicy(pca.OpPutPolicy, func(in *pca.PutPolicyInput) *string { return in.ResourceArn }, putPolicy),
		bindPolicy(pca.OpGetPolicy, func(in *pca.GetPolicyInput) *string { return in.ResourceArn }, getPolicy),
		bindPolicy(pca.OpDeletePolicy, func(in *pca.DeletePolicyInput) *string { return in.ResourceArn }, deletePolicy),
		bindCA(pca.OpCreatePermission, func(in *pca.CreatePermissionInput) *string { return in.CertificateAuthorityArn }, createPermission),
		bindCA(pca.OpDeletePermission, func(in *pca.DeletePermissionInput) *string { return in.CertificateAuthorityArn }, deletePermission),
		bindShared(pca.OpListPermissions, func(in *pca.ListPermissionsInput) *string { return in.CertificateAuthorityArn }, listPermissions),
		bindCA(pca.OpCreateCertificateAuthorityAuditReport, func(in *pca.CreateCertificateAuthorityAuditReportInput) *string { return in.CertificateAuthorityArn }, s.createReport, awsapi.Ahead(s.tryReport)),
		bindCA(pca.OpDescribeCertificateAuthorityAuditReport, func(in *pca.DescribeCertificateAuthorityAuditReportInput) *string { return in.CertificateAuthorityArn }, describeReport),
		bindShared(pca.OpListTags, func(in *pca.ListTagsInput) *string { return in.CertificateAuthorityArn }, listTags),
	}
}

// bindCA binds an operation that needs its own action on the CA that the input names.
func bindCA[In, Out any](op *awsapi.Operation, name func(*In) *string, fn func(context.Context, *awsapi.Call, *In) (*Out, error), opts ...awsapi.BindOption) awsapi.Binding {
	return bindNeed(op, name, needOn, fn, opts...)
}

// bindShared is bindCA for what a CA's policy may grant to other accounts.
func bindShared[In, Out any](op *awsapi.Operation, name func(*In) *string, fn func(context.Context, *awsapi.Call, *In) (*Out, error)) awsapi.Binding {
	return bindNeed(op, name, needShared, fn)
}

// bindPolicy is bindCA for the policy itself, which does not decide about its own management.
func bindPolicy[In, Out any](op *awsapi.Operation, name func(*In) *string, fn func(context.Context, *awsapi.Call, *In) (*Out, error)) awsapi.Binding {
	need := func(call *awsapi.Call, text string) (awsapi.Need, error) {
		n, err := needOn(call, text)
		n.Policy = nil
		return n, err
	}
	return bindNeed(op, name, need, fn)
}

func bindNeed[In, Out any](op *awsapi.Operation, name func(*In) *string, needs func(*awsapi.Call, string) (awsapi.Need, error), fn func(context.Context, *awsapi.Call, *In) (*Out, error), opts ...awsapi.BindOption) awsapi.Binding {
	need := func(_ context.Context, call *awsapi.Call, in *In) ([]awsapi.Need, error) {
		n, err := needs(call, *name(in))
		if err != nil {
			return nil, err
		}
		return []awsapi.Need{n}, nil
	}
	return awsapi.Bind(op, need, fn, append(opts, recordCA(func(in *In, _ *Out) *string { return name(in) }))...)
}

func recordCA[In, Out any](name func(*In, *Out) *string) awsapi.BindOption {
	return awsapi.Record(func(in *In, out *Out) []awsapi.Resource { return auditCA(name(in, out)) })
}

func auditCA(text *string) []awsapi.Resource {
	if text == nil {
		return nil
	}
	return []awsapi.Resource{{Type: "AWS::ACMPCA::CertificateAuthority", Name: lastSegment(text), ARN: *text}}
}

func lastSegment(text *string) string {
	t := deref(text)
	return t[strings.LastIndexByte(t, '/')+1:]
}
