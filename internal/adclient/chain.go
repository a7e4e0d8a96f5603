package adclient

import (
	"bytes"
	"context"
	"crypto/x509"
	"net/http"
	"net/url"
	"slices"
)

// chainPath is where AD CS's network device service hands out CA certificates, rolecalld too.
const chainPath = "/CertSrv/mscep/mscep.dll/pkiclient.exe?operation=GetCACert&message=CAIdentifier"

// order arranges the issuers of leaf from its own one up, as far as the pool reaches.
func order(leaf *x509.Certificate, pool []*x509.Certificate) []*x509.Certificate {
	var chain []*x509.Certificate
	for at := leaf; len(chain) < maxChain && !selfSigned(at); {
		i := slices.IndexFunc(pool, func(c *x509.Certificate) bool {
			return c.IsCA && bytes.Equal(c.RawSubject, at.RawIssuer) && at.CheckSignatureFrom(c) == nil
		})
		if i < 0 || slices.Contains(chain, pool[i]) {
			break
		}
		at = pool[i]
		chain = append(chain, at)
	}
	return chain
}

func selfSigned(c *x509.Certificate) bool { return bytes.Equal(c.RawSubject, c.RawIssuer) }

// Authorities are the certificates of a CA and of those above it, as far as the server knows them, the CA's first.
func (c *Client) Authorities(ctx context.Context, ca *CA) []*x509.Certificate {
	list := []*x509.Certificate{ca.Certificate}
	if selfSigned(ca.Certificate) {
		return list
	}
	u, err := url.Parse("https://" + c.cfg.Server + chainPath)
	if err != nil {
		return list
	}
	status, kind, data, err := c.exchange(ctx, http.MethodGet, u, nil)
	if err != nil || status != http.StatusOK {
		return list // AD CS without that service: the CA's own certificate has to do
	}
	pool := []*x509.Certificate{}
	if kind == "application/x-x509-ca-ra-cert" {
		pool, err = certificates(data)
	} else if cert, parseErr := x509.ParseCertificate(data); parseErr == nil {
		pool = append(pool, cert)
	}
	if err != nil {
		return list
	}
	return append(list, order(ca.Certificate, pool)...)
}
