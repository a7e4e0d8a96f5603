package acmpca

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"github.com/rolecall/rolecall/internal/awsapi"
	pca "github.com/rolecall/rolecall/internal/awsapi/model/acmpca"
	"github.com/rolecall/rolecall/internal/issuance"
	"github.com/rolecall/rolecall/internal/store"
)

// servicePrincipal is the only one that AWS lets have permissions.
const servicePrincipal = "acm.amazonaws.com"

// createPermission lets a service issue from the CA. They are kept and shown; no such service is part of this server.
func createPermission(_ context.Context, call *awsapi.Call, in *pca.CreatePermissionInput) (*pca.CreatePermissionOutput, error) {
	ca, err := findCA(call, *in.CertificateAuthorityArn)
	if err != nil {
		return nil, err
	}
	if err := inState(call, ca, pending, active, disabled, expired); err != nil {
		return nil, err
	}
	source, err := permissionKey(call, in.Principal, in.SourceAccount)
	if err != nil {
		return nil, err
	}
	row := &store.AuthorityPermission{Account: ca.Account, Region: ca.Region, Authority: ca.ID, Principal: *in.Principal, SourceAccount: source, CreatedAt: call.Now}
	for _, a := range in.Actions {
		if !slices.Contains(row.Actions, string(a)) {
			row.Actions = append(row.Actions, string(a))
		}
	}
	err = call.Tx.CreateAuthorityPermission(row)
	if errors.Is(err, store.ErrExists) {
		return nil, pca.PermissionAlreadyExistsException("The permission of %s for account %s exists already", row.Principal, source)
	}
	return &pca.CreatePermissionOutput{}, err
}

// permissionKey checks principal and source account; the account defaults to the caller's.
func permissionKey(call *awsapi.Call, principal, source *string) (string, error) {
	if *principal != servicePrincipal {
		return "", awsapi.Validation("The principal %s is not valid: the only valid principal is %s", clip(*principal), servicePrincipal)
	}
	if source == nil {
		return string(call.Account), nil
	}
	if *source != string(call.Account) {
		return "", awsapi.Validation("The source account %s is not the account of the certificate authority", clip(*source))
	}
	return *source, nil
}

func deletePermission(_ context.Context, call *awsapi.Call, in *pca.DeletePermissionInput) (*pca.DeletePermissionOutput, error) {
	ca, err := findCA(call, *in.CertificateAuthorityArn)
	if err != nil {
		return nil, err
	}
	source, err := permissionKey(call, in.Principal, in.SourceAccount)
	if err != nil {
		return nil, err
	}
	err = call.Tx.DeleteAuthorityPermission(ca.Account, ca.Region, ca.ID, *in.Principal, source)
	if errors.Is(err, store.ErrNotFound) {
		return nil, pca.ResourceNotFoundException("Could not find a permission of %s for account %s", *in.Principal, source)
	}
	return &pca.DeletePermissionOutput{}, err
}

func listPermissions(_ context.Context, call *awsapi.Call, in *pca.ListPermissionsInput) (*pca.ListPermissionsOutput, error) {
	ca, err := findShared(call, *in.CertificateAuthorityArn)
	if err != nil {
		return nil, err
	}
	after := ""
	if in.NextToken != nil {
		raw, err := base64.RawURLEncoding.Strict().DecodeString(*in.NextToken)
		text, ok := strings.CutPrefix(string(raw), "p")
		if err != nil || !ok || len(text) > 200 {
			return nil, pca.InvalidNextTokenException("The next token is not valid")
		}
		after = text
	}
	limit := defaultPage
	if in.MaxResults != nil {
		limit = min(int(*in.MaxResults), maxPage)
	}
	rows, next, err := call.Tx.ListAuthorityPermissions(ca.Account, ca.Region, ca.ID, limit, after)
	if err != nil {
		return nil, err
	}
	out := &pca.ListPermissionsOutput{Permissions: []pca.Permission{}}
	for _, r := range rows {
		p := pca.Permission{CertificateAuthorityArn: new(issuance.ARN(ca)), CreatedAt: &r.CreatedAt, Principal: new(r.Principal), SourceAccount: new(r.SourceAccount)}
		for _, a := range r.Actions {
			p.Actions = append(p.Actions, pca.ActionType(a))
		}
		out.Permissions = append(out.Permissions, p)
	}
	if next != "" {
		out.NextToken = new(base64.RawURLEncoding.EncodeToString([]byte("p" + next)))
	}
	return out, nil
}
