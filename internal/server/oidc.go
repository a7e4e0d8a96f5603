package server

import (
	"crypto/x509"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"strings"

	"github.com/rolecall/rolecall/internal/webidentity"
)

// checkOIDC refuses what cannot work. The issuer is compared to the letter by those who verify tokens.
func (c *Config) checkOIDC() error {
	if c.OIDCIssuer != "" {
		u, err := url.Parse(c.OIDCIssuer)
		if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.HasSuffix(c.OIDCIssuer, "/") {
			return fmt.Errorf("the OpenID Connect issuer %q is not https://HOST[:PORT][/PATH] without a slash at the end", c.OIDCIssuer)
		}
	}
	_, err := c.oidcAllow()
	return err
}

func (c *Config) oidcAllow() ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, text := range c.OIDCAllow {
		p, err := netip.ParsePrefix(text)
		if err != nil || p != p.Masked() {
			return nil, fmt.Errorf("%q is not a network such as 10.0.0.0/8", text)
		}
		out = append(out, p)
	}
	return out, nil
}

// issuerBase is what the accounts' issuers begin with.
func (s *Server) issuerBase() string {
	if s.cfg.OIDCIssuer != "" {
		return s.cfg.OIDCIssuer
	}
	return s.endpoint
}

// webVerifier verifies the tokens of providers, within the network that the configuration allows.
func (s *Server) webVerifier() (*webidentity.Verifier, error) {
	allow, err := s.cfg.oidcAllow()
	if err != nil {
		return nil, err
	}
	cfg := webidentity.Config{Allow: allow}
	if s.cfg.OIDCRoots != "" {
		pem, err := os.ReadFile(s.cfg.OIDCRoots)
		if err != nil {
			return nil, fmt.Errorf("CAs of OpenID Connect providers: %w", err)
		}
		if cfg.Roots, err = x509.SystemCertPool(); err != nil {
			return nil, fmt.Errorf("CAs of the system: %w", err)
		}
		if !cfg.Roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("there is no certificate in %s", s.cfg.OIDCRoots)
		}
	}
	return webidentity.New(cfg), nil
}
