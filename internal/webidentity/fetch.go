package webidentity

import (
	"context"
	"crypto/sha1" //nolint:gosec // IAM's thumbprints are SHA-1; a match needs a second preimage
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	josejson "github.com/go-jose/go-jose/v4/json"
)

// Bounds of a fetch. AWS waits five seconds for a provider, too.
const (
	fetchTimeout = 5 * time.Second // discovery document and keys together
	maxDocument  = 64 << 10
	maxKeySet    = 512 << 10
	maxHeader    = 32 << 10
	maxRedirects = 3
	maxURL       = 2048
)

// How long fetched keys are used: what Cache-Control: max-age says, within bounds.
const (
	minLife     = time.Minute
	defaultLife = time.Hour
	maxLife     = 24 * time.Hour
)

// fetched is a provider's key set as it came.
type fetched struct {
	set  *keySet
	life time.Duration
}

// fetch reads a provider's discovery document and its keys.
func (v *Verifier) fetch(ctx context.Context, p *Provider) (*fetched, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	client, done := v.client(p)
	defer done()
	body, _, err := get(ctx, client, strings.TrimSuffix(p.Issuer(), "/")+"/.well-known/openid-configuration", maxDocument)
	if err != nil {
		return nil, err
	}
	var doc struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	if err := josejson.Unmarshal(body, &doc); err != nil {
		return nil, fmt.Errorf("%w: the discovery document is not JSON of the right form", ErrKeys)
	}
	if doc.Issuer != p.Issuer() { // OpenID Connect Discovery 1.0 §4.3
		return nil, fmt.Errorf("%w: the discovery document is of another issuer", ErrKeys)
	}
	body, life, err := get(ctx, client, doc.JWKSURI, maxKeySet)
	if err != nil {
		return nil, err
	}
	set, err := parseKeySet(body)
	if err != nil {
		return nil, err
	}
	return &fetched{set, life}, nil
}

// client is made for one fetch: no connection outlives it, and none serves a provider with other thumbprints.
func (v *Verifier) client(p *Provider) (c *http.Client, done func()) {
	dialer := &net.Dialer{Timeout: fetchTimeout, Control: v.control}
	transport := &http.Transport{
		Proxy: nil, MaxResponseHeaderBytes: maxHeader, DisableCompression: true,
		DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			host, _, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			raw, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			// The verification is ours because of the thumbprints. The state has no name where the host is an address.
			conn := tls.Client(raw, &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12, InsecureSkipVerify: true, VerifyConnection: func(s tls.ConnectionState) error { //nolint:gosec // see above
				return v.checkServer(s.PeerCertificates, host, p.Thumbprints)
			}})
			if err := conn.HandshakeContext(ctx); err != nil {
				raw.Close()
				return nil, err
			}
			return conn, nil
		},
		DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, errRedirect }, // never without TLS
	}
	return &http.Client{Transport: transport, CheckRedirect: sameHost}, transport.CloseIdleConnections
}

// checkServer accepts a server that a known CA vouches for, else one whose top certificate the provider's thumbprints
// name and whose chain leads there. Name, validity and key usage count either way. This is AWS's order.
func (v *Verifier) checkServer(chain []*x509.Certificate, host string, thumbprints []string) error {
	if len(chain) == 0 {
		return errors.New("the server shows no certificate")
	}
	opts := x509.VerifyOptions{Roots: v.cfg.Roots, DNSName: host, CurrentTime: v.cfg.Clock(), Intermediates: x509.NewCertPool()}
	for _, c := range chain[1:] {
		opts.Intermediates.AddCert(c)
	}
	_, err := chain[0].Verify(opts)
	if err == nil || len(thumbprints) == 0 {
		return err
	}
	top := chain[len(chain)-1]
	sum := sha1.Sum(top.Raw) //nolint:gosec // see the import
	if !slices.Contains(thumbprints, hex.EncodeToString(sum[:])) {
		return fmt.Errorf("%w; the thumbprint of the top certificate is none of the provider's", err)
	}
	opts.Roots = x509.NewCertPool()
	opts.Roots.AddCert(top)
	_, err = chain[0].Verify(opts)
	return err
}

// sameHost follows redirects within one HTTPS host only.
func sameHost(r *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects || r.URL.Scheme != "https" || r.URL.Host != via[0].URL.Host {
		return errRedirect
	}
	return nil
}

var errRedirect = errors.New("a redirect leads to another host, or there are too many")

// get reads a JSON document of at most limit bytes.
func get(ctx context.Context, client *http.Client, address string, limit int64) (body []byte, life time.Duration, err error) {
	u, err := url.Parse(address)
	if err != nil || len(address) > maxURL || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return nil, 0, fmt.Errorf("%w: the address of the keys is not an https URL", ErrKeys)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrKeys, err)
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "rolecalld")
	resp, err := client.Do(r)
	if err != nil {
		return nil, 0, transportError(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusInternalServerError || resp.StatusCode == http.StatusTooManyRequests {
		return nil, 0, fmt.Errorf("%w: it answers with status %d", ErrUnreachable, resp.StatusCode)
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if resp.StatusCode != http.StatusOK || kind == "text/html" {
		return nil, 0, fmt.Errorf("%w: it answers with status %d and %q", ErrKeys, resp.StatusCode, kind)
	}
	body, err = io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, 0, transportError(err)
	}
	if int64(len(body)) > limit {
		return nil, 0, fmt.Errorf("%w: its answer is longer than %d bytes", ErrKeys, limit)
	}
	return body, lifeOf(resp.Header.Get("Cache-Control")), nil
}

// transportError tells what trying again may mend from what it cannot. Only what the operator's configuration decides is
// named: what is open or closed inside a network is nothing for whoever sends tokens.
func transportError(err error) error {
	var refused *refusedAddress
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &refused):
		return &hidden{fmt.Errorf("%w: its address is not allowed", ErrKeys), err}
	case errors.As(err, &unknown), errors.As(err, &name), errors.As(err, &invalid):
		return &hidden{fmt.Errorf("%w: its TLS certificate is not trusted", ErrKeys), err}
	case errors.Is(err, errRedirect):
		return &hidden{fmt.Errorf("%w: %w", ErrKeys, errRedirect), err}
	}
	return &hidden{ErrUnreachable, err}
}

// hidden is an error with a private cause: Error is for whoever sent the token, Cause for the log.
type hidden struct{ public, cause error }

func (h *hidden) Error() string { return h.public.Error() }
func (h *hidden) Unwrap() error { return h.public }

// Cause is what is known about an error beyond what may be said.
func Cause(err error) error {
	var h *hidden
	if errors.As(err, &h) {
		return h.cause
	}
	return err
}

// lifeOf reads max-age (RFC 9111 §5.2.2.1).
func lifeOf(cacheControl string) time.Duration {
	for d := range strings.SplitSeq(cacheControl, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(d), "=")
		switch strings.ToLower(name) {
		case "no-store", "no-cache":
			return minLife
		case "max-age":
			n, err := strconv.ParseInt(strings.Trim(value, `"`), 10, 32)
			if err != nil {
				return defaultLife
			}
			return min(max(time.Duration(n)*time.Second, minLife), maxLife)
		}
	}
	return defaultLife
}
