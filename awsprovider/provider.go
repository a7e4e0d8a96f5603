// Package awsprovider gives programs that use the AWS SDK for Go v2 temporary credentials for an X.509 certificate, from
// IAM Roles Anywhere, AWS's or that of rolecalld, without a helper process.
//
// It is for keys in files, in memory and behind a [crypto.Signer]; PKCS#11 tokens, TPMs and the system's certificate
// stores are reached through a signer of the caller's. Start with [NewCredentials].
package awsprovider

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/credclient"
	"github.com/rolecall/rolecall/internal/keysource"
	"github.com/rolecall/rolecall/internal/keysource/file"
)

// Source is what the credentials name as their origin.
const Source = "RolecallProvider"

// ExpiryWindow is how long before their end [NewCredentials] replaces credentials, which live for at least 15 minutes.
const ExpiryWindow = 5 * time.Minute

// Options say who asks for what, and whom. The three ARNs and one way of naming key and certificate are required.
type Options struct {
	TrustAnchorARN string
	ProfileARN     string
	RoleARN        string

	// The certificate in a file, PEM, DER or PKCS#12, its chain after it, and its key (empty: in the same file). They are read
	// again for every session, so a rotated certificate is used from the next one on.
	CertificateFile   string
	PrivateKeyFile    string
	IntermediatesFile string

	// The same in memory, in place of the files. PrivateKeyPEM may be empty if the key is in CertificatePEM.
	CertificatePEM []byte
	PrivateKeyPEM  []byte

	// Password gives the password of an encrypted key; nil: the key is not encrypted.
	Password func() ([]byte, error)

	// A key that signs elsewhere, with its certificate and what lies between that and the trust anchor, in place of all above.
	// An RSA or ECDSA key; it gets SHA-256 digests, and PKCS #1 v1.5 signatures are expected of RSA.
	Signer      crypto.Signer
	Certificate *x509.Certificate
	Chain       []*x509.Certificate

	Region      string        // signing region; empty: the trust anchor's
	Endpoints   []string      // base URLs, asked in turn; nil: AWS's own of the region
	Duration    time.Duration // of a session, 15 minutes to 12 hours in whole seconds; 0: one hour
	SessionName string        // empty: the server's choice
	RoleChain   []string      // ARNs of further roles to assume in order, at most 8; sessions then last at most one hour
	STSEndpoint string        // for RoleChain; empty: where Endpoints are, unless that is AWS

	CABundle   string       // file with PEM certificates of the server's CA; empty: the system's
	HTTPClient *http.Client // nil: an own one, for which CABundle counts. Redirects are not followed.
}

// Provider obtains credentials anew at every call of Retrieve. It is safe for concurrent use.
type Provider struct {
	client  *credclient.Client
	source  keysource.Source
	request credclient.Request
}

var _ aws.CredentialsProvider = (*Provider)(nil)

// NewCredentials is [New] with the SDK's cache in front, for aws.Config.Credentials.
func NewCredentials(o Options) (*aws.CredentialsCache, error) {
	p, err := New(o)
	if err != nil {
		return nil, err
	}
	return aws.NewCredentialsCache(p, func(c *aws.CredentialsCacheOptions) {
		c.ExpiryWindow, c.ExpiryWindowJitterFrac = ExpiryWindow, 0.2
	}), nil
}

// New checks the options, as far as that is possible without a request. Neither files nor the environment are read, but the
// CABundle and, by net/http, the proxy variables.
func New(o Options) (*Provider, error) {
	src, err := o.source()
	if err != nil {
		return nil, err
	}
	if o.Duration == 0 {
		o.Duration = time.Hour
	}
	if o.Duration < 15*time.Minute || o.Duration > 12*time.Hour || o.Duration%time.Second != 0 {
		return nil, fmt.Errorf("awsprovider: Duration is %v, and not from 15 minutes to 12 hours in whole seconds", o.Duration)
	}
	if o.HTTPClient != nil && o.CABundle != "" {
		return nil, errors.New("awsprovider: CABundle has no effect on HTTPClient: set one of them")
	}
	cfg := credclient.Config{
		Region: arn.Region(o.Region), Endpoint: strings.Join(o.Endpoints, ","), STSEndpoint: o.STSEndpoint,
		HTTPClient: o.HTTPClient, UserAgent: "rolecall-awsprovider",
		Getenv: func(name string) string {
			if name == "AWS_CA_BUNDLE" {
				return o.CABundle
			}
			return ""
		},
	}
	p := &Provider{source: src, request: credclient.Request{
		RoleARN: o.RoleARN, ProfileARN: o.ProfileARN, TrustAnchorARN: o.TrustAnchorARN,
		DurationSeconds: int(o.Duration / time.Second), SessionName: o.SessionName, Chain: o.RoleChain,
	}}
	if _, _, err := credclient.Resolve(cfg, &p.request); err != nil {
		return nil, fmt.Errorf("awsprovider: %w", err)
	}
	if p.client, err = credclient.New(cfg); err != nil {
		return nil, fmt.Errorf("awsprovider: %w", err)
	}
	return p, nil
}

// Retrieve makes one CreateSession request, with up to three attempts, and up to one minute in all. A refusal is an
// error with the server's code and message.
func (p *Provider) Retrieve(ctx context.Context) (aws.Credentials, error) {
	id, err := p.source.Load(ctx)
	if err != nil {
		return aws.Credentials{}, fmt.Errorf("awsprovider: %w", err)
	}
	got, err := p.client.CreateSession(ctx, id, &p.request)
	if err != nil {
		return aws.Credentials{}, fmt.Errorf("awsprovider: %w", err)
	}
	held, err := credclient.Hold(got, time.Now())
	if err != nil {
		return aws.Credentials{}, fmt.Errorf("awsprovider: %w", err)
	}
	return aws.Credentials{
		AccessKeyID: got.AccessKeyID, SecretAccessKey: got.SecretAccessKey, SessionToken: got.SessionToken,
		Source: Source, CanExpire: true, Expires: held.Expires,
	}, nil
}

// source is the one way in which key and certificate are named.
func (o *Options) source() (keysource.Source, error) {
	ways := 0
	for _, given := range []bool{o.CertificateFile != "", len(o.CertificatePEM) > 0, o.Signer != nil || o.Certificate != nil} {
		if given {
			ways++
		}
	}
	switch {
	case ways != 1:
		return nil, errors.New("awsprovider: set one of CertificateFile, CertificatePEM, and Signer with Certificate")
	case o.CertificateFile != "":
		return &file.Source{Certificate: o.CertificateFile, PrivateKey: o.PrivateKeyFile, Intermediates: o.IntermediatesFile, Password: o.Password}, nil
	case o.Certificate == nil && len(o.CertificatePEM) == 0 || o.Certificate != nil && o.Signer == nil:
		return nil, errors.New("awsprovider: Signer and Certificate belong together")
	case o.Signer != nil:
		id, err := keysource.New(o.Signer, o.Certificate, o.Chain)
		if err != nil {
			return nil, fmt.Errorf("awsprovider: %w", err)
		}
		return fixed{id}, nil
	}
	s := &file.Source{Certificate: "CertificatePEM", Password: o.Password}
	memory := map[string][]byte{"CertificatePEM": o.CertificatePEM}
	if len(o.PrivateKeyPEM) > 0 {
		s.PrivateKey = "PrivateKeyPEM"
		memory[s.PrivateKey] = o.PrivateKeyPEM
	}
	s.Stream = func(name string, limit int) ([]byte, bool, error) {
		data, ok := memory[name]
		if len(data) > limit {
			return nil, true, fmt.Errorf("it is longer than %d bytes", limit)
		}
		return data, ok, nil
	}
	return s, nil
}

// fixed is an identity that does not change.
type fixed struct{ id *keysource.Identity }

func (f fixed) Load(ctx context.Context) (*keysource.Identity, error) { return f.id, ctx.Err() }
