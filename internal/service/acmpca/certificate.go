package acmpca

import (
	"bytes"
	"context"
	"encoding/pem"
	"strings"

	"github.com/rolecall/rolecall/internal/authority"
	"github.com/rolecall/rolecall/internal/awsapi"
	pca "github.com/rolecall/rolecall/internal/awsapi/model/acmpca"
	"github.com/rolecall/rolecall/internal/issuance"
)

func toPEM(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// bare is PEM without the last line end, as the API answers it.
func bare(text string) string { return strings.TrimSuffix(text, "\n") }

func getCSR(_ context.Context, call *awsapi.Call, in *pca.GetCertificateAuthorityCsrInput) (*pca.GetCertificateAuthorityCsrOutput, error) {
	ca, err := findCA(call, *in.CertificateAuthorityArn)
	if err != nil {
		return nil, err
	}
	if issuance.StatusOf(ca, call.Now) == creating {
		return nil, pca.RequestInProgressException("The certificate authority is being created")
	}
	if err := inState(call, ca, pending, active, disabled, expired); err != nil {
		return nil, err
	}
	return &pca.GetCertificateAuthorityCsrOutput{Csr: new(bare(toPEM("CERTIFICATE REQUEST", ca.CSR)))}, nil
}

func getAuthorityCertificate(_ context.Context, call *awsapi.Call, in *pca.GetCertificateAuthorityCertificateInput) (*pca.GetCertificateAuthorityCertificateOutput, error) {
	ca, err := findShared(call, *in.CertificateAuthorityArn)
	if err != nil {
		return nil, err
	}
	if err := inState(call, ca, active, disabled, expired); err != nil {
		return nil, err
	}
	out := &pca.GetCertificateAuthorityCertificateOutput{Certificate: new(bare(toPEM("CERTIFICATE", ca.Certificate)))}
	if ca.Chain != "" {
		out.CertificateChain = new(bare(ca.Chain))
	}
	return out, nil
}

// importCertificate gives the CA its certificate: the first, or a new one for the same key.
func (s *Service) importCertificate(_ context.Context, call *awsapi.Call, in *pca.ImportCertificateAuthorityCertificateInput) (*pca.ImportCertificateAuthorityCertificateOutput, error) {
	ca, err := findCA(call, *in.CertificateAuthorityArn)
	if err != nil {
		return nil, err
	}
	if issuance.StatusOf(ca, call.Now) == creating {
		return nil, pca.RequestInProgressException("The certificate authority is being created")
	}
	if err := inState(call, ca, pending, active, expired); err != nil {
		return nil, err
	}
	issuer, err := s.cfg.Issuer.Load(ca)
	if err != nil {
		return nil, err
	}
	cert, chain, err := issuer.CheckImport(in.Certificate, in.CertificateChain, call.Now)
	if e, ok := err.(*authority.Error); ok && e.Reason == authority.BadArgument {
		return nil, pca.InvalidRequestException("%s", e.Text)
	}
	if err != nil {
		return nil, public(err)
	}
	above := ""
	for _, c := range chain {
		above += toPEM("CERTIFICATE", c.Raw)
	}
	if bytes.Equal(cert.Raw, ca.Certificate) && above == ca.Chain {
		return nil, pca.InvalidRequestException("The certificate authority has this certificate and chain already")
	}
	ca.Certificate, ca.NotBefore, ca.NotAfter, ca.Chain = cert.Raw, cert.NotBefore, cert.NotAfter, above
	if ca.Status != string(disabled) { // an expired CA that was disabled stays so
		ca.Status = string(active)
	}
	ca.ChangedAt = call.Now
	if err := publishes(call, ca); err != nil {
		return nil, err
	}
	s.worker.Nudge()
	return &pca.ImportCertificateAuthorityCertificateOutput{}, call.Tx.PutAuthority(ca)
}
