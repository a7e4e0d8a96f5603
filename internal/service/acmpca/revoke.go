package acmpca

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/rolecall/rolecall/internal/authority"
	"github.com/rolecall/rolecall/internal/awsapi"
	pca "github.com/rolecall/rolecall/internal/awsapi/model/acmpca"
	"github.com/rolecall/rolecall/internal/store"
)

// revoke ends a certificate. Every node refuses it with its next look at the cached view, whatever the CA publishes.
func (s *Service) revoke(_ context.Context, call *awsapi.Call, in *pca.RevokeCertificateInput) (*pca.RevokeCertificateOutput, error) {
	ca, err := findCA(call, *in.CertificateAuthorityArn)
	if err != nil {
		return nil, err
	}
	if err := inState(call, ca, active, disabled); err != nil {
		return nil, err
	}
	serial, err := parseSerial(*in.CertificateSerial)
	if err != nil {
		return nil, err
	}
	row, err := findIssued(call, ca, serial)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(row.DER)
	if err != nil {
		return nil, fmt.Errorf("stored certificate %s: %w", serial, err)
	}
	if bytes.Equal(cert.RawSubject, cert.RawIssuer) {
		return nil, pca.InvalidRequestException("A certificate authority's self-signed certificate cannot be revoked")
	}
	if call.Now.After(row.NotAfter) {
		return nil, pca.InvalidRequestException("The certificate has expired")
	}
	reason, ok := authority.Reasons()[string(*in.RevocationReason)]
	if !ok {
		return nil, pca.InvalidRequestException("Revocation reason %s is not known", clip(string(*in.RevocationReason)))
	}
	err = call.Tx.CreateRevokedCertificate(&store.RevokedCertificate{
		Account: ca.Account, Region: ca.Region, IssuerKey: ca.IssuerKey, Serial: serialKey(cert), RevokedAt: call.Now, Reason: int(reason), NotAfter: row.NotAfter,
		Partition: row.Partition,
	})
	if errors.Is(err, store.ErrExists) {
		return nil, pca.RequestAlreadyProcessedException("The certificate with serial number %s has already been revoked", *in.CertificateSerial)
	}
	if err != nil {
		return nil, err
	}
	if err := soil(call.Tx, ca, row.Partition); err != nil {
		return nil, err
	}
	if err := scheduleCRL(ca, call.Now); err != nil {
		return nil, err
	}
	if ca.CRLDueAt.IsZero() {
		return &pca.RevokeCertificateOutput{}, nil
	}
	s.worker.Nudge()
	return &pca.RevokeCertificateOutput{}, call.Tx.PutAuthority(ca)
}

// parseSerial reads hex digits, with or without colons, into the 32 digits that certificates are stored by.
func parseSerial(text string) (string, error) {
	digits := strings.ReplaceAll(text, ":", "")
	n, ok := new(big.Int).SetString(digits, 16)
	if !ok || n.Sign() <= 0 || n.BitLen() > 128 || strings.ContainsAny(digits, "+-_") {
		return "", pca.InvalidRequestException("%s is not the serial number of a certificate", clip(text))
	}
	return fmt.Sprintf("%032x", n), nil
}
