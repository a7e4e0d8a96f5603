package server

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/revocation"
)

// Config says how one rolecalld runs. The zero value plus DataDir is a working server on loopback.
type Config struct {
	// DataDir holds the key ring, the TLS CA, the audit log and, with the embedded store, the database.
	// Created 0700 when missing. May be empty only with the memory store, which then uses a folder of its own
	// and removes it at the end.
	DataDir string

	// Listen holds addresses "HOST:PORT" (HTTPS) or "http://HOST:PORT" (loopback only).
	// Default: 127.0.0.1:8443.
	Listen []string

	// DistributionListen holds addresses "http://HOST:PORT", loopback or not, that serve revocation lists, OCSP and CA
	// certificates over plain HTTP, and nothing else. Such answers are public and signed, and clients fetch them without
	// TLS (RFC 5280 §8).
	DistributionListen []string

	// S3Endpoint is the http:// or https:// URL of an S3 server that revocation lists and audit reports of private CAs
	// are written to; "" for none. S3Region signs for it (default: Region), with the profile S3Profile (default: default)
	// of the AWS credentials file S3Credentials, which is read again for every object. S3CABundle is a PEM file of what
	// an HTTPS endpoint is trusted by, beside the system's roots.
	S3Endpoint, S3Region, S3Credentials, S3Profile, S3CABundle string

	// MetricsListen is the loopback address for metrics, health and profiling; "off" for none.
	// Default: 127.0.0.1:8444.
	MetricsListen string

	// TLSCert and TLSKey are PEM files of an own server certificate. Without them the server makes a CA in
	// DataDir (tls-ca.pem) and a certificate for loopback and Hosts.
	TLSCert, TLSKey string

	// Hosts are further names or addresses for the certificate that the server makes itself.
	Hosts []string

	// Store is "sqlite" (a file in DataDir, the default), "memory" or "postgres://…".
	Store string

	// AccountID is the first account's id; a random one when empty. It counts at the first start only.
	AccountID string

	// Region is the server's home: IAM and STS identities have the ARN partition it lies in (arn:aws:…, arn:aws-cn:…).
	// Every request chooses its own region for regional resources. Default: us-east-1.
	Region string

	// Staleness is how long a node may go without reading the store's changes before it refuses new
	// sessions. Default: 10s, at least 1s.
	Staleness time.Duration

	// S3IAMSockets are Unix sockets on which an S3 gateway finds its IAM: PATH serves the first account, ACCOUNT=PATH another
	// one. The folder must be the server's own (0700; made when missing), the socket is made 0600. Default: none.
	S3IAMSockets []string

	// S3DataEvents is "denied" to record denied S3 requests only, or "all" for every decision. Default: denied.
	S3DataEvents string

	// AuthzTable is the file that says what requests to other services mean; with it the server decides for proxies that ask
	// at AuthzListen, a loopback address. Defaults: none, 127.0.0.1:8446.
	AuthzTable, AuthzListen string

	// Version is what the server calls itself to an S3 gateway.
	Version string

	// LogFormat is "text" or "json". Default: text.
	LogFormat string

	// RootAccessKeyID and RootSecretAccessKey, both or neither, set the first account's root access key
	// instead of a random one. For CI.
	RootAccessKeyID, RootSecretAccessKey string

	// Quotas is "off", or "aws" for AWS's default quotas on resources and sessions per second. Limits that are part of
	// what a resource is (sizes, policies per role) hold either way. Default: off.
	Quotas string

	// OIDCIssuer is the URL that the accounts' OpenID Connect issuers begin with: https://HOST[:PORT][/PATH]. Whoever
	// verifies their tokens must reach this server there. Default: the first listener's.
	OIDCIssuer string

	// OIDCAllow are networks (CIDR) in which OpenID Connect providers may be asked for their keys. Public addresses
	// may always be. Default: none.
	OIDCAllow []string

	// OIDCRoots is a PEM file of CAs for the providers' servers, beside the system's. Default: none.
	OIDCRoots string

	// RevocationFetchAllow says where certificates' revocation may be asked for, where a trust anchor wants that: CIDR,
	// address or host name, with ":PORT" if it is neither 80 nor 443; "public" for public unicast addresses; "none".
	// Default: public.
	RevocationFetchAllow []string

	// RevocationRefresh is the age at which a CRL or OCSP answer is fetched again, however long it is valid. Default: 10m,
	// at least 1s.
	RevocationRefresh time.Duration

	// EventRetention is how long events can be looked up. Default: 90 days, as in CloudTrail; at least 1 hour.
	EventRetention time.Duration

	// HSM keeps the keys of private CAs, unless their key storage security standard says otherwise. Default: none,
	// keys are sealed under the key ring.
	HSM HSM

	// BlockedKeys are files and folders with public keys that are not certified and not trusted (package blockedkeys has the
	// forms). They are looked at again every five seconds; what cannot be read in full changes nothing. Default: none.
	BlockedKeys []string

	// DrainTimeout bounds the wait for running requests at shutdown. Default: 10s.
	DrainTimeout time.Duration
}

// DefaultListen is where the API answers when nothing else is said.
const DefaultListen = "127.0.0.1:8443"

// normalise fills in defaults and refuses what cannot work, before anything is written to disk.
func (c *Config) normalise() error {
	if c.Store == "" {
		c.Store = "sqlite"
	}
	if len(c.Listen) == 0 {
		c.Listen = []string{DefaultListen}
	}
	if c.MetricsListen == "" {
		c.MetricsListen = "127.0.0.1:8444"
	}
	if c.Region == "" {
		c.Region = "us-east-1"
	}
	if c.Staleness == 0 {
		c.Staleness = 10 * time.Second
	}
	if c.DrainTimeout == 0 {
		c.DrainTimeout = 10 * time.Second
	}
	if c.EventRetention == 0 {
		c.EventRetention = 90 * 24 * time.Hour
	}
	if c.RevocationRefresh == 0 {
		c.RevocationRefresh = revocation.DefaultRefresh
	}
	if c.RevocationRefresh < time.Second {
		return fmt.Errorf("revocation answers are refreshed after at least 1s, not %s", c.RevocationRefresh)
	}
	if _, err := revocation.ParseAllow(c.RevocationFetchAllow); err != nil {
		return err
	}
	if c.EventRetention < time.Hour {
		return fmt.Errorf("events are kept for at least 1h, not %s", c.EventRetention)
	}
	if c.LogFormat == "" {
		c.LogFormat = "text"
	}
	if c.Staleness < time.Second {
		return fmt.Errorf("the staleness bound must be at least 1s, not %s", c.Staleness)
	}
	if c.Quotas == "" {
		c.Quotas = "off"
	}
	if c.Quotas != "off" && c.Quotas != "aws" {
		return fmt.Errorf("quotas %q are not known: use off or aws", c.Quotas)
	}
	if err := c.checkAuthorization(); err != nil {
		return err
	}
	if c.S3DataEvents == "" {
		c.S3DataEvents = "denied"
	}
	if c.S3DataEvents != "denied" && c.S3DataEvents != "all" {
		return fmt.Errorf("S3 data events %q are not known: use denied or all", c.S3DataEvents)
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		return fmt.Errorf("log format %q is not known: use text or json", c.LogFormat)
	}
	if c.Store != "sqlite" && c.Store != "memory" && !isPostgres(c.Store) {
		return fmt.Errorf("the store is not one of sqlite, memory or postgres://…")
	}
	if c.DataDir == "" && c.Store != "memory" {
		return errors.New("a data folder is needed (--data-dir)")
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return errors.New("--tls-cert and --tls-key go together")
	}
	for _, address := range c.Listen {
		if plain, isPlain := strings.CutPrefix(address, "http://"); isPlain && !isLoopback(plain) {
			return fmt.Errorf("plain HTTP is served on loopback only, not on %s", plain)
		}
	}
	if err := c.normaliseDistribution(); err != nil {
		return err
	}
	if err := c.checkOIDC(); err != nil {
		return err
	}
	if err := c.HSM.check(); err != nil {
		return err
	}
	return c.normaliseIdentity()
}

func (c *Config) normaliseDistribution() error {
	for _, address := range c.DistributionListen {
		if plain, isPlain := strings.CutPrefix(address, "http://"); !isPlain || strings.ContainsAny(plain, "/@") {
			return fmt.Errorf("the distribution address %s is not of the form http://HOST:PORT", address)
		}
	}
	if c.S3Endpoint == "" {
		if c.S3Region+c.S3Credentials+c.S3Profile+c.S3CABundle != "" {
			return errors.New("--s3-region, --s3-credentials, --s3-profile and --s3-ca-bundle need --s3-endpoint")
		}
		return nil
	}
	if c.S3Credentials == "" {
		return errors.New("--s3-endpoint needs --s3-credentials, an AWS credentials file")
	}
	if c.S3Region == "" {
		c.S3Region = c.Region
	}
	if c.S3Profile == "" {
		c.S3Profile = "default"
	}
	return nil
}

func (c *Config) normaliseIdentity() error {
	if c.AccountID != "" {
		if _, err := arn.ParseAccountID(c.AccountID); err != nil {
			return fmt.Errorf("the account id %q is not 12 digits", c.AccountID)
		}
	}
	if (c.RootAccessKeyID == "") != (c.RootSecretAccessKey == "") {
		return errors.New("the root access key id and its secret go together")
	}
	if c.MetricsListen != "off" && !isLoopback(c.MetricsListen) {
		return fmt.Errorf("metrics address %s is not a loopback address", c.MetricsListen)
	}
	return nil
}

// partition is that of the server's identities and of AWS's policies.
func (c *Config) partition() string { return arn.Partition(arn.Region(c.Region)) }

// storeSource is the store's connection text for [store.Config].
func (c *Config) storeSource() string {
	if c.Store == "sqlite" {
		return "sqlite:" + filepath.Join(c.DataDir, "rolecall.db")
	}
	return c.Store
}

func isPostgres(s string) bool {
	return strings.HasPrefix(s, "postgres://") || strings.HasPrefix(s, "postgresql://")
}

// isLoopback reports whether hostport names a loopback interface by number or as localhost.
func isLoopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// prepareDataDir makes the data folder, or a temporary one for the memory store.
// The returned function removes what was temporary.
func (c *Config) prepareDataDir() (cleanup func(), err error) {
	if c.DataDir == "" {
		dir, err := os.MkdirTemp("", "rolecalld-")
		if err != nil {
			return nil, err
		}
		c.DataDir = dir
		return func() { os.RemoveAll(dir) }, nil
	}
	if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	abs, err := filepath.Abs(c.DataDir)
	if err != nil {
		return nil, err
	}
	c.DataDir = abs
	return func() {}, nil
}
