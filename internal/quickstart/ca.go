package quickstart

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/awsclient"
)

const pcaTarget = "ACMPrivateCA."

// caPoll is how often the private CA is asked whether it is ready; caPatience how long.
const (
	caPoll     = 10 * time.Millisecond
	caPatience = 30 * time.Second
)

// privateCA makes the calls of AWS Private CA that the quickstart needs.
type privateCA struct {
	api  *api
	keys awsclient.Keys
}

func (p *privateCA) call(ctx context.Context, operation string, in, out any) error {
	return p.api.JSON11(ctx, p.keys, "acm-pca", pcaTarget+operation, in, out)
}

type subject struct {
	CommonName   string `json:"CommonName"`
	Organization string `json:"Organization"`
}

// create makes a CA with a P-256 key and waits until it has one. kind is ROOT or SUBORDINATE, mode GENERAL_PURPOSE or
// SHORT_LIVED_CERTIFICATE.
func (p *privateCA) create(ctx context.Context, kind, mode, commonName string) (string, error) {
	in := map[string]any{
		"CertificateAuthorityType": kind, "UsageMode": mode,
		"CertificateAuthorityConfiguration": map[string]any{
			"KeyAlgorithm": "EC_prime256v1", "SigningAlgorithm": "SHA256WITHECDSA",
			"Subject": subject{CommonName: commonName, Organization: "Example"},
		},
	}
	var out struct {
		CertificateAuthorityArn string
	}
	if err := p.call(ctx, "CreateCertificateAuthority", in, &out); err != nil {
		return "", err
	}
	for end := time.Now().Add(caPatience); ; {
		var described struct {
			CertificateAuthority struct{ Status string }
		}
		if err := p.call(ctx, "DescribeCertificateAuthority", map[string]string{"CertificateAuthorityArn": out.CertificateAuthorityArn}, &described); err != nil {
			return "", err
		}
		switch status := described.CertificateAuthority.Status; {
		case status == "PENDING_CERTIFICATE":
			return out.CertificateAuthorityArn, nil
		case status != "CREATING" || time.Now().After(end):
			return "", fmt.Errorf("the CA is %s", status)
		}
		if err := pause(ctx, caPoll); err != nil {
			return "", err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// csr is the request for the CA's own certificate.
func (p *privateCA) csr(ctx context.Context, ca string) (string, error) {
	var out struct{ Csr string }
	err := p.call(ctx, "GetCertificateAuthorityCsr", map[string]string{"CertificateAuthorityArn": ca}, &out)
	return out.Csr, err
}

// issue has issuer sign a request, and returns the certificate with the chain above it.
func (p *privateCA) issue(ctx context.Context, issuer, csr, template string, days int) (cert, chain string, err error) {
	var issued struct{ CertificateArn string }
	err = p.call(ctx, "IssueCertificate", map[string]any{
		"CertificateAuthorityArn": issuer, "Csr": []byte(csr), "SigningAlgorithm": "SHA256WITHECDSA",
		"TemplateArn": "arn:aws:acm-pca:::template/" + template + "/V1", "Validity": map[string]any{"Type": "DAYS", "Value": days},
	}, &issued)
	if err != nil {
		return "", "", err
	}
	var out struct{ Certificate, CertificateChain string }
	err = p.call(ctx, "GetCertificate", map[string]string{"CertificateAuthorityArn": issuer, "CertificateArn": issued.CertificateArn}, &out)
	if err == nil && !strings.HasPrefix(out.Certificate, "-----BEGIN CERTIFICATE-----") {
		err = errors.New("the CA answered without a certificate")
	}
	return out.Certificate, out.CertificateChain, err
}

// activate gives the CA its certificate.
func (p *privateCA) activate(ctx context.Context, ca, cert, chain string) error {
	in := map[string]any{"CertificateAuthorityArn": ca, "Certificate": []byte(cert)}
	if chain != "" {
		in["CertificateChain"] = []byte(chain)
	}
	return p.call(ctx, "ImportCertificateAuthorityCertificate", in, nil)
}

// hierarchy makes a root and, under it, a CA for short-lived certificates, whose ARN it returns.
func (p *privateCA) hierarchy(ctx context.Context, rootCN, issuerCN string) (string, error) {
	const rootDays, subordinateDays = 3650, 365
	root, err := p.create(ctx, "ROOT", "GENERAL_PURPOSE", rootCN)
	if err != nil {
		return "", err
	}
	if err := p.certify(ctx, root, root, "RootCACertificate", rootDays); err != nil {
		return "", err
	}
	issuer, err := p.create(ctx, "SUBORDINATE", "SHORT_LIVED_CERTIFICATE", issuerCN)
	if err != nil {
		return "", err
	}
	return issuer, p.certify(ctx, issuer, root, "SubordinateCACertificate_PathLen0", subordinateDays)
}

// certify has issuer, which may be the CA itself, sign the CA's certificate.
func (p *privateCA) certify(ctx context.Context, ca, issuer, template string, days int) error {
	csr, err := p.csr(ctx, ca)
	if err != nil {
		return err
	}
	cert, chain, err := p.issue(ctx, issuer, csr, template, days)
	if err != nil {
		return err
	}
	return p.activate(ctx, ca, cert, chain)
}
