package issuance

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/authority"
	pca "github.com/rolecall/rolecall/internal/awsapi/model/acmpca"
	"github.com/rolecall/rolecall/internal/blockedkeys"
	"github.com/rolecall/rolecall/internal/certchain/dn"
	"github.com/rolecall/rolecall/internal/store"
)

// Existing is a CA that was made elsewhere, with its key.
type Existing struct {
	Account     arn.AccountID
	Region      arn.Region
	Key         crypto.Signer
	Certificate *x509.Certificate
	Chain       []*x509.Certificate // above Certificate, in order, up to the root; not for a root
	ShortLived  bool
	Blocked     *blockedkeys.List // keys that no CA may have; nil for none
}

// Adopt checks an existing CA as if its certificate were imported, seals its key, and makes the row with which it is
// ACTIVE. Serial numbers are 128 random bits: none that the CA gave out before comes again. Refusals are of type
// *authority.Error.
func Adopt(keys authority.SealedKeys, e *Existing, now time.Time) (*store.CertificateAuthority, error) {
	kind, signing, err := authority.KindOf(e.Certificate.PublicKey)
	if err != nil {
		return nil, err
	}
	self := bytes.Equal(e.Certificate.RawSubject, e.Certificate.RawIssuer)
	chain := e.Chain
	if self {
		chain = nil
	}
	ca := &store.CertificateAuthority{
		Account: e.Account, Region: e.Region, ID: arn.NewUUID(), Type: string(pca.CertificateAuthorityTypeSubordinate),
		UsageMode: string(pca.CertificateAuthorityUsageModeGeneralPurpose), Status: string(pca.CertificateAuthorityStatusActive),
		KeyStorage: string(pca.KeyStorageSecurityStandardFips1402Level2OrHigher), Revocation: `{"CrlConfiguration":{"Enabled":false}}`, Certificate: e.Certificate.Raw, Chain: chainPEM(chain),
		NotBefore: e.Certificate.NotBefore, NotAfter: e.Certificate.NotAfter, CreatedAt: now, ChangedAt: now,
	}
	if self {
		ca.Type = string(pca.CertificateAuthorityTypeRoot)
	}
	if e.ShortLived {
		ca.UsageMode = string(pca.CertificateAuthorityUsageModeShortLivedCertificate)
	}
	trial := &authority.Issuer{ID: ca.ID, PublicKey: e.Key.Public(), Subject: e.Certificate.RawSubject, RootType: self, Blocked: e.Blocked}
	if _, _, err := trial.CheckImport([]byte(chainPEM([]*x509.Certificate{e.Certificate})), []byte(ca.Chain), now); err != nil {
		return nil, err
	}
	if ca.KeyRef, err = keys.Import(ca.ID, e.Key); err != nil {
		return nil, err
	}
	if ca.CSR, err = authority.MakeCSR(keys, ca.ID, ca.KeyRef, e.Certificate.RawSubject, signing, &authority.Extensions{}, nil); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(e.Certificate.RawSubjectPublicKeyInfo)
	ca.IssuerKey = hex.EncodeToString(sum[:])
	subject, err := subjectOf(e.Certificate.RawSubject)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(&pca.CertificateAuthorityConfiguration{
		KeyAlgorithm: new(pca.KeyAlgorithm(kind)), SigningAlgorithm: new(pca.SigningAlgorithm(signing)), Subject: subject,
	})
	ca.Configuration = string(text)
	return ca, err
}

func chainPEM(list []*x509.Certificate) string {
	var b bytes.Buffer
	for _, c := range list {
		b.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
	}
	return b.String()
}

// subjectOf shows a name as the API does, each attribute by its identifier: that has room for every name.
func subjectOf(raw []byte) (*pca.ASN1Subject, error) {
	name, err := dn.Parse(raw)
	if err != nil {
		return nil, err
	}
	s := &pca.ASN1Subject{}
	for _, rdn := range name {
		for _, a := range rdn {
			s.CustomAttributes = append(s.CustomAttributes, pca.CustomAttribute{ObjectIdentifier: new(string(a.Type)), Value: new(a.Value)})
		}
	}
	return s, nil
}
