package issuance

import (
	"crypto/x509"
	"fmt"

	"github.com/rolecall/rolecall/internal/authority"
	pca "github.com/rolecall/rolecall/internal/awsapi/model/acmpca"
	"github.com/rolecall/rolecall/internal/blockedkeys"
	"github.com/rolecall/rolecall/internal/store"
)

// Issuer issues from the CAs in the store. It is safe for concurrent use.
type Issuer struct {
	keys          authority.Keys
	buckets       string // the URL above all buckets; "" for none
	partitionSize int
	blocked       *blockedkeys.List
}

// New makes an issuer that finds the CAs' keys in keys.
func New(keys authority.Keys) *Issuer { return &Issuer{keys: keys, partitionSize: partitionSize} }

// WithBuckets is the issuer for a server that writes lists to buckets under the URL: it is what certificates say when a
// CA has a bucket and no name of its own. "" for none.
func (i *Issuer) WithBuckets(url string) *Issuer {
	c := *i
	c.buckets = url
	return &c
}

// WithBlocked is the issuer that certifies none of the keys, and with none of them.
func (i *Issuer) WithBlocked(keys *blockedkeys.List) *Issuer {
	c := *i
	c.blocked = keys
	return &c
}

// Blocked are the keys that are not certified; nil for none.
func (i *Issuer) Blocked() *blockedkeys.List { return i.blocked }

// Keys are the CA keys that the issuer works with.
func (i *Issuer) Keys() authority.Keys { return i.keys }

// Load makes the CA ready to sign. It does not judge the CA's state.
func (i *Issuer) Load(ca *store.CertificateAuthority) (*authority.Issuer, error) {
	req, err := x509.ParseCertificateRequest(ca.CSR)
	if err != nil {
		return nil, fmt.Errorf("stored request of certificate authority %s: %w", ca.ID, err)
	}
	a := &authority.Issuer{
		ID: ca.ID, Keys: i.keys, KeyRef: ca.KeyRef, PublicKey: req.PublicKey, Subject: req.RawSubject,
		RootType:   ca.Type == string(pca.CertificateAuthorityTypeRoot),
		ShortLived: ca.UsageMode == string(pca.CertificateAuthorityUsageModeShortLivedCertificate),
		Blocked:    i.blocked,
	}
	if a.Certificate, err = Certificate(ca); err != nil {
		return nil, err
	}
	a.Chain, err = Chain(ca)
	return a, err
}

// Issued is a certificate and the row that holds it.
type Issued struct {
	Certificate *x509.Certificate
	Serial      string // as in the certificate's ARN: 32 lower-case hex digits
	ARN         string
	// NewPartition says that the certificate is the first of a partition, whose list is yet to be signed.
	NewPartition bool
}

// Issue signs what req asks for and stores the certificate in tx: it is durable when the transaction is. Refusals are of
// type *authority.Error. The caller has made sure that the CA may issue now.
func (i *Issuer) Issue(tx *store.Tx, ca *store.CertificateAuthority, req *authority.Request) (*Issued, error) {
	issuer, err := i.Load(ca)
	if err != nil {
		return nil, err
	}
	partition, made, err := i.locate(tx, ca, issuer, req)
	if err != nil {
		return nil, err
	}
	cert, row, err := signed(issuer, ca, req, partition)
	if err != nil {
		return nil, err
	}
	return &Issued{Certificate: cert, Serial: row.Serial, ARN: CertificateARN(ca, row.Serial), NewPartition: made}, tx.CreateIssuedCertificate(row)
}

// signed makes the certificate and the row that holds it.
func signed(issuer *authority.Issuer, ca *store.CertificateAuthority, req *authority.Request, partition string) (*x509.Certificate, *store.IssuedCertificate, error) {
	token, err := authority.Prepare(issuer, req)
	if err != nil {
		return nil, nil, err
	}
	cert, err := issuer.Issue(token)
	if err != nil {
		return nil, nil, err
	}
	return cert, &store.IssuedCertificate{
		Account: ca.Account, Region: ca.Region, Authority: ca.ID, Serial: fmt.Sprintf("%032x", cert.SerialNumber), Template: req.Template.Name(), DER: cert.Raw,
		IssuedAt: req.Now, NotAfter: cert.NotAfter, Partition: partition,
	}, nil
}
