package acmpca

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/rolecall/rolecall/internal/authority"
	"github.com/rolecall/rolecall/internal/awsapi"
	pca "github.com/rolecall/rolecall/internal/awsapi/model/acmpca"
	"github.com/rolecall/rolecall/internal/issuance"
	"github.com/rolecall/rolecall/internal/store"
)

// issue signs a certificate and stores it in the transaction of the call: it is durable, with its audit event, before it
// is answered. Clients may still ask GetCertificate in a loop, as AWS has them do.
func (s *Service) issue(_ context.Context, call *awsapi.Call, in *pca.IssueCertificateInput) (*pca.IssueCertificateOutput, error) {
	ca, err := findShared(call, *in.CertificateAuthorityArn)
	if err != nil {
		return nil, err
	}
	template, err := authority.FindTemplate(deref(in.TemplateArn))
	if err != nil {
		return nil, public(err)
	}
	states := []status{active}
	if template.Root() && ca.Type == string(pca.CertificateAuthorityTypeRoot) {
		states = append(states, pending)
	}
	if err := inState(call, ca, states...); err != nil {
		return nil, err
	}
	bare := *in
	bare.IdempotencyToken = nil
	replay, err := replayed(call, in.IdempotencyToken, bare)
	if err != nil {
		return nil, err
	}
	if replay != "" {
		return &pca.IssueCertificateOutput{CertificateArn: &replay}, nil
	}
	req, err := toRequest(call, template, in)
	if err != nil {
		return nil, public(err)
	}
	issued, err := s.cfg.Issuer.Issue(call.Tx, ca, req)
	if err != nil {
		return nil, public(err)
	}
	if issued.NewPartition {
		s.worker.Nudge()
	}
	if err := remember(call, in.IdempotencyToken, bare, issued.ARN); err != nil {
		return nil, err
	}
	return &pca.IssueCertificateOutput{CertificateArn: &issued.ARN}, nil
}

// toRequest reads what the certificate is to contain.
func toRequest(call *awsapi.Call, template *authority.Template, in *pca.IssueCertificateInput) (*authority.Request, error) {
	csr, err := authority.ParseCSR(in.Csr)
	if err != nil {
		return nil, err
	}
	api, err := toPassthrough(in.ApiPassthrough)
	if err != nil {
		return nil, err
	}
	return &authority.Request{
		CSR: csr, Template: template, Algorithm: authority.SigningAlgorithm(*in.SigningAlgorithm), Validity: *toValidity(in.Validity),
		NotBefore: toValidity(in.ValidityNotBefore), API: api, Now: call.Now,
	}, nil
}

func getCertificate(_ context.Context, call *awsapi.Call, in *pca.GetCertificateInput) (*pca.GetCertificateOutput, error) {
	ca, err := findShared(call, *in.CertificateAuthorityArn)
	if err != nil {
		return nil, err
	}
	if err := inState(call, ca, pending, active, disabled, expired); err != nil {
		return nil, err
	}
	serial, err := parseCertificate(*in.CertificateAuthorityArn, *in.CertificateArn)
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
	out := &pca.GetCertificateOutput{Certificate: new(bare(toPEM("CERTIFICATE", row.DER)))}
	// A root's own certificate has nothing above it.
	if len(ca.Certificate) > 0 && !bytes.Equal(cert.RawSubject, cert.RawIssuer) {
		out.CertificateChain = new(bare(toPEM("CERTIFICATE", ca.Certificate) + ca.Chain))
	}
	return out, nil
}

func findIssued(call *awsapi.Call, ca *store.CertificateAuthority, serial string) (*store.IssuedCertificate, error) {
	row, err := call.Tx.GetIssuedCertificate(ca.Account, ca.Region, ca.ID, serial)
	if errors.Is(err, store.ErrNotFound) {
		return nil, pca.ResourceNotFoundException("Could not find certificate %s of certificate authority %s", serial, issuance.ARN(ca))
	}
	return row, err
}

// serialKey is a serial as revocations are kept: lower-case hex of even length.
func serialKey(cert *x509.Certificate) string { return hex.EncodeToString(cert.SerialNumber.Bytes()) }
