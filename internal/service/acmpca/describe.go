package acmpca

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"strings"

	"github.com/rolecall/rolecall/internal/awsapi"
	pca "github.com/rolecall/rolecall/internal/awsapi/model/acmpca"
	"github.com/rolecall/rolecall/internal/issuance"
	"github.com/rolecall/rolecall/internal/store"
)

func describe(_ context.Context, call *awsapi.Call, in *pca.DescribeCertificateAuthorityInput) (*pca.DescribeCertificateAuthorityOutput, error) {
	ca, err := findShared(call, *in.CertificateAuthorityArn)
	if err != nil {
		return nil, err
	}
	d, err := detail(call, ca)
	if err != nil {
		return nil, err
	}
	return &pca.DescribeCertificateAuthorityOutput{CertificateAuthority: d}, nil
}

func detail(call *awsapi.Call, ca *store.CertificateAuthority) (*pca.CertificateAuthority, error) {
	configuration, err := configurationOf(ca)
	if err != nil {
		return nil, err
	}
	revocation, err := issuance.RevocationOf(ca)
	if err != nil {
		return nil, err
	}
	d := &pca.CertificateAuthority{
		Arn: new(issuance.ARN(ca)), OwnerAccount: new(string(ca.Account)), CreatedAt: &ca.CreatedAt, LastStateChangeAt: &ca.ChangedAt,
		Type: new(pca.CertificateAuthorityType(ca.Type)), Status: new(issuance.StatusOf(ca, call.Now)), CertificateAuthorityConfiguration: configuration,
		RevocationConfiguration: revocation, KeyStorageSecurityStandard: new(pca.KeyStorageSecurityStandard(ca.KeyStorage)),
		UsageMode: new(pca.CertificateAuthorityUsageMode(ca.UsageMode)),
	}
	if ca.Failure != "" {
		d.FailureReason = new(pca.FailureReason(ca.Failure))
	}
	if !ca.RestorableUntil.IsZero() {
		d.RestorableUntil = &ca.RestorableUntil
	}
	if len(ca.Certificate) > 0 {
		cert, err := issuance.Certificate(ca)
		if err != nil {
			return nil, err
		}
		d.NotBefore, d.NotAfter, d.Serial = &ca.NotBefore, &ca.NotAfter, new(serialText(cert))
	}
	return d, nil
}

// serialText is a serial number as the API shows it: hex bytes with colons.
func serialText(cert *x509.Certificate) string {
	digits := hex.EncodeToString(cert.SerialNumber.Bytes())
	pairs := make([]string, 0, len(digits)/2)
	for i := 0; i < len(digits); i += 2 {
		pairs = append(pairs, digits[i:i+2])
	}
	return strings.Join(pairs, ":")
}

// Bounds of a page of CAs.
const (
	defaultPage = 100
	maxPage     = 1000
)

// list shows the caller's own CAs; there are no shared ones.
func list(_ context.Context, call *awsapi.Call, in *pca.ListCertificateAuthoritiesInput) (*pca.ListCertificateAuthoritiesOutput, error) {
	out := &pca.ListCertificateAuthoritiesOutput{CertificateAuthorities: []pca.CertificateAuthority{}}
	if in.ResourceOwner != nil && *in.ResourceOwner == pca.ResourceOwnerOtherAccounts {
		return out, nil
	}
	after, err := openPageToken(in.NextToken)
	if err != nil {
		return nil, err
	}
	limit := defaultPage
	if in.MaxResults != nil {
		limit = min(int(*in.MaxResults), maxPage)
	}
	rows, next, err := call.Tx.ListAuthorities(call.Account, call.Region, limit, after)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		if issuance.Gone(&rows[i], call.Now) {
			continue
		}
		d, err := detail(call, &rows[i])
		if err != nil {
			return nil, err
		}
		out.CertificateAuthorities = append(out.CertificateAuthorities, *d)
	}
	if next != "" {
		out.NextToken = new(pageToken(next))
	}
	return out, nil
}

// A page token is the id after which the list goes on. It gives nobody more than the list itself would.
func pageToken(id string) string { return base64.RawURLEncoding.EncodeToString([]byte("1" + id)) }

func openPageToken(token *string) (string, error) {
	if token == nil {
		return "", nil
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(*token)
	id, ok := strings.CutPrefix(string(raw), "1")
	if err != nil || !ok || !isUUID(id) || pageToken(id) != *token {
		return "", pca.InvalidNextTokenException("The next token is not valid")
	}
	return id, nil
}
