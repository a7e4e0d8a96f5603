package issuance

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
	pca "github.com/rolecall/rolecall/internal/awsapi/model/acmpca"
	"github.com/rolecall/rolecall/internal/store"
)

// StatusOf is the CA's state as callers see it. EXPIRED is not stored: time alone brings it.
func StatusOf(ca *store.CertificateAuthority, now time.Time) pca.CertificateAuthorityStatus {
	st := pca.CertificateAuthorityStatus(ca.Status)
	if (st == pca.CertificateAuthorityStatusActive || st == pca.CertificateAuthorityStatusDisabled) && now.After(ca.NotAfter) {
		return pca.CertificateAuthorityStatusExpired
	}
	return st
}

// Gone reports that the CA was deleted and can no longer be restored.
func Gone(ca *store.CertificateAuthority, now time.Time) bool {
	return !ca.RestorableUntil.IsZero() && !now.Before(ca.RestorableUntil)
}

// ARN is the CA's name.
func ARN(ca *store.CertificateAuthority) string {
	return arn.ARN{Partition: arn.Partition(ca.Region), Service: "acm-pca", Region: ca.Region, Account: ca.Account, Resource: "certificate-authority/" + ca.ID}.String()
}

// CertificateARN is the name of the certificate that the CA issued with the serial (32 hex digits).
func CertificateARN(ca *store.CertificateAuthority, serial string) string {
	return ARN(ca) + "/certificate/" + serial
}

// Certificate is the CA's current certificate, nil while it has none.
func Certificate(ca *store.CertificateAuthority) (*x509.Certificate, error) {
	if len(ca.Certificate) == 0 {
		return nil, nil
	}
	cert, err := x509.ParseCertificate(ca.Certificate)
	if err != nil {
		return nil, fmt.Errorf("stored certificate of certificate authority %s: %w", ca.ID, err)
	}
	return cert, nil
}

// Chain is what stands above the CA's certificate, up to the root; empty for a root.
func Chain(ca *store.CertificateAuthority) ([]*x509.Certificate, error) {
	var chain []*x509.Certificate
	for rest := []byte(ca.Chain); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return chain, nil
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("stored chain of certificate authority %s: %w", ca.ID, err)
		}
		chain = append(chain, cert)
	}
}
