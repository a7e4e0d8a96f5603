package quickstart

import (
	"context"
	"net/http"

	"github.com/rolecall/rolecall/internal/awsclient"
)

// api is what the quickstart asks the server for.
type api struct{ *awsclient.Client }

const (
	iamVersion = "2010-05-08"
	stsVersion = "2011-06-15"
)

func (a *api) createTrustAnchor(ctx context.Context, k awsclient.Keys, name, caARN string) (string, error) {
	in := map[string]any{
		"name":    name,
		"enabled": true,
		"source":  map[string]any{"sourceType": "AWS_ACM_PCA", "sourceData": map[string]any{"acmPcaArn": caARN}},
	}
	var out struct {
		TrustAnchor struct {
			TrustAnchorArn string `json:"trustAnchorArn"`
		} `json:"trustAnchor"`
	}
	err := a.REST(ctx, k, "rolesanywhere", http.MethodPost, "/trustanchors", in, &out)
	return out.TrustAnchor.TrustAnchorArn, err
}

func (a *api) createProfile(ctx context.Context, k awsclient.Keys, name, roleARN string) (string, error) {
	in := map[string]any{"name": name, "enabled": true, "roleArns": []string{roleARN}}
	var out struct {
		Profile struct {
			ProfileArn string `json:"profileArn"`
		} `json:"profile"`
	}
	err := a.REST(ctx, k, "rolesanywhere", http.MethodPost, "/profiles", in, &out)
	return out.Profile.ProfileArn, err
}

func (a *api) createRole(ctx context.Context, k awsclient.Keys, name, trustPolicy string) (string, error) {
	var out struct {
		Arn string `xml:"CreateRoleResult>Role>Arn"`
	}
	err := a.Query(ctx, k, "iam", "CreateRole", iamVersion, map[string]string{"RoleName": name, "AssumeRolePolicyDocument": trustPolicy}, &out)
	return out.Arn, err
}

func (a *api) putRolePolicy(ctx context.Context, k awsclient.Keys, role, name, document string) error {
	var out struct{}
	return a.Query(ctx, k, "iam", "PutRolePolicy", iamVersion, map[string]string{"RoleName": role, "PolicyName": name, "PolicyDocument": document}, &out)
}

func (a *api) attachRolePolicy(ctx context.Context, k awsclient.Keys, role, policyARN string) error {
	var out struct{}
	return a.Query(ctx, k, "iam", "AttachRolePolicy", iamVersion, map[string]string{"RoleName": role, "PolicyArn": policyARN}, &out)
}

// identity is what GetCallerIdentity answers.
type identity struct {
	Arn     string `xml:"GetCallerIdentityResult>Arn"`
	UserID  string `xml:"GetCallerIdentityResult>UserId"`
	Account string `xml:"GetCallerIdentityResult>Account"`
}

func (a *api) whoAmI(ctx context.Context, k awsclient.Keys) (identity, error) {
	var out identity
	err := a.Query(ctx, k, "sts", "GetCallerIdentity", stsVersion, nil, &out)
	return out, err
}
