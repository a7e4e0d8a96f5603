package acmpca

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/authority"
	"github.com/rolecall/rolecall/internal/awsapi"
	pca "github.com/rolecall/rolecall/internal/awsapi/model/acmpca"
	"github.com/rolecall/rolecall/internal/issuance"
	"github.com/rolecall/rolecall/internal/store"
)

// create makes a CA. A sealed key on an elliptic curve is made at once; one of RSA or in a token takes too long for a transaction, and Run
// makes it: until then the CA is CREATING.
func (s *Service) create(_ context.Context, call *awsapi.Call, in *pca.CreateCertificateAuthorityInput) (*pca.CreateCertificateAuthorityOutput, error) {
	replay, err := replayed(call, in.IdempotencyToken, withoutToken(*in))
	if err != nil {
		return nil, err
	}
	if replay != "" {
		return &pca.CreateCertificateAuthorityOutput{CertificateAuthorityArn: &replay}, nil
	}
	ca := &store.CertificateAuthority{
		Account: call.Account, Region: call.Region, ID: arn.NewUUID(), Type: string(*in.CertificateAuthorityType),
		UsageMode: string(pca.CertificateAuthorityUsageModeGeneralPurpose), Status: string(creating),
		KeyStorage: string(pca.KeyStorageSecurityStandardFips1402Level3OrHigher), CreatedAt: call.Now, ChangedAt: call.Now,
	}
	if in.UsageMode != nil {
		ca.UsageMode = string(*in.UsageMode)
	}
	if k := in.KeyStorageSecurityStandard; k != nil {
		if !s.cfg.Issuer.Keys().Supports(string(*k)) {
			return nil, pca.InvalidArgsException("Key storage security standard %s is not supported", *k)
		}
		ca.KeyStorage = string(*k)
	}
	if ca.Tags, err = newTags(nil, in.Tags); err != nil {
		return nil, err
	}
	if ca.Revocation, err = s.revocationText(in.RevocationConfiguration); err != nil {
		return nil, err
	}
	if ca.Configuration, err = configurationText(in.CertificateAuthorityConfiguration); err != nil {
		return nil, err
	}
	if s.cfg.Issuer.Keys().Slow(authority.KeyAlgorithm(*in.CertificateAuthorityConfiguration.KeyAlgorithm), ca.KeyStorage) {
		s.worker.Nudge()
	} else if err := makeKey(s.cfg.Issuer.Keys(), ca); err != nil {
		return nil, public(err)
	}
	if err := publishes(call, ca); err != nil {
		return nil, err
	}
	if err := call.Tx.CreateAuthority(ca); err != nil {
		return nil, err
	}
	name := issuance.ARN(ca)
	if err := remember(call, in.IdempotencyToken, withoutToken(*in), name); err != nil {
		return nil, err
	}
	return &pca.CreateCertificateAuthorityOutput{CertificateAuthorityArn: &name}, nil
}

func withoutToken(in pca.CreateCertificateAuthorityInput) any {
	in.IdempotencyToken = nil
	return in
}

// configurationText checks a CA's configuration and returns it as it is stored.
func configurationText(c *pca.CertificateAuthorityConfiguration) (string, error) {
	key, signing := authority.KeyAlgorithm(*c.KeyAlgorithm), authority.SigningAlgorithm(*c.SigningAlgorithm)
	switch {
	case !key.Supported():
		return "", pca.InvalidArgsException("Key algorithm %s is not supported", key)
	case !signing.Fits(key):
		return "", pca.InvalidArgsException("Signing algorithm %s does not fit key algorithm %s", signing, key)
	}
	subject, err := toSubject(c.Subject).DER()
	if err != nil {
		return "", public(err)
	}
	if len(subject) <= 2 {
		return "", pca.InvalidArgsException("A certificate authority needs a subject")
	}
	text, err := json.Marshal(c)
	return string(text), err
}

func configurationOf(ca *store.CertificateAuthority) (*pca.CertificateAuthorityConfiguration, error) {
	c := new(pca.CertificateAuthorityConfiguration)
	if err := json.Unmarshal([]byte(ca.Configuration), c); err != nil {
		return nil, fmt.Errorf("stored configuration of certificate authority %s: %w", ca.ID, err)
	}
	if c.KeyAlgorithm == nil || c.SigningAlgorithm == nil || c.Subject == nil {
		return nil, errors.New("stored configuration of certificate authority " + ca.ID + " is incomplete")
	}
	return c, nil
}

// makeKey gives the CA its key and its CSR, and takes it from CREATING to PENDING_CERTIFICATE.
func makeKey(keys authority.Keys, ca *store.CertificateAuthority) error {
	c, err := configurationOf(ca)
	if err != nil {
		return err
	}
	if ca.KeyRef, err = keys.Generate(ca.ID, authority.KeyAlgorithm(*c.KeyAlgorithm), ca.KeyStorage); err != nil {
		return err
	}
	subject, err := toSubject(c.Subject).DER()
	if err != nil {
		return err
	}
	ext := &authority.Extensions{}
	var access []authority.Access
	if c.CsrExtensions != nil {
		ext.KeyUsage = toUsage(c.CsrExtensions.KeyUsage)
		for i := range c.CsrExtensions.SubjectInformationAccess {
			d := &c.CsrExtensions.SubjectInformationAccess[i]
			access = append(access, authority.Access{Method: accessOID(d.AccessMethod), Location: toName(d.AccessLocation)})
		}
	}
	if ca.CSR, err = authority.MakeCSR(keys, ca.ID, ca.KeyRef, subject, authority.SigningAlgorithm(*c.SigningAlgorithm), ext, access); err != nil {
		return err
	}
	err = keys.Use(ca.ID, ca.KeyRef, func(key crypto.Signer) error {
		spki, err := x509.MarshalPKIXPublicKey(key.Public())
		ca.IssuerKey = issuerKey(spki)
		return err
	})
	ca.Status = string(pending)
	return err
}

// issuerKey names a CA's key in revocations.
func issuerKey(spki []byte) string {
	sum := sha256.Sum256(spki)
	return hex.EncodeToString(sum[:])
}
