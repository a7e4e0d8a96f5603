package credclient

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

const (
	dialTimeout      = 10 * time.Second
	failoverTimeout  = 3 * time.Second // of a dial when there is another endpoint to turn to
	handshakeTimeout = 10 * time.Second
	headerTimeout    = 30 * time.Second
	maxHeader        = 64 << 10 // of an answer, bytes
	maxBundle        = 8 << 20  // of AWS_CA_BUNDLE; a system's own is about 220 KiB
)

// noRedirect keeps the signed request, and the credentials, from being handed to somebody else.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// TLSConfig is what connections to the server are made with: NoVerifyTLS and AWS_CA_BUNDLE count, TLS is 1.2 or later.
func TLSConfig(cfg *Config) (*tls.Config, error) {
	// One request in a process needs neither HTTP/2 nor a TLS session that could be resumed; both cost start-up time.
	t := &tls.Config{MinVersion: tls.VersionTLS12, SessionTicketsDisabled: true, InsecureSkipVerify: cfg.NoVerifyTLS}
	if name := cfg.Getenv("AWS_CA_BUNDLE"); name != "" && !cfg.NoVerifyTLS {
		pool, err := readBundle(name)
		if err != nil {
			return nil, err
		}
		t.RootCAs = pool
	}
	return t, nil
}

// newHTTPClient makes a client for one short exchange: HTTP/1.1, no redirects, no compression, TLS 1.2 or later.
func newHTTPClient(cfg *Config) (*http.Client, error) {
	if cfg.HTTPClient != nil {
		own := *cfg.HTTPClient
		own.CheckRedirect = noRedirect
		return &own, nil
	}
	if err := checkProxy(cfg.Getenv); err != nil {
		return nil, err
	}
	t, err := TLSConfig(cfg)
	if err != nil {
		return nil, err
	}
	dial := dialTimeout
	if strings.Contains(cfg.Endpoint, ",") {
		dial = failoverTimeout
	}
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: dial}).DialContext,
			TLSClientConfig:        t,
			TLSHandshakeTimeout:    handshakeTimeout,
			ResponseHeaderTimeout:  headerTimeout,
			MaxResponseHeaderBytes: maxHeader,
			DisableCompression:     true,
			DisableKeepAlives:      true,
			Protocols:              protocols,
		},
		CheckRedirect: noRedirect,
	}, nil
}

// checkProxy refuses a proxy address that cannot be used. net/http would quote one, password included, or pass over it
// and connect directly, which the user did not want.
func checkProxy(getenv func(string) string) error {
	for _, name := range []string{"HTTPS_PROXY", "https_proxy"} {
		v := getenv(name)
		u, err := url.Parse(v)
		if err != nil || u.Scheme == "" || u.Host == "" {
			u, err = url.Parse("http://" + v) // net/http accepts an address without a scheme
		}
		if v != "" && (err != nil || u.Hostname() == "" || strings.HasSuffix(u.Host, ":")) {
			return problemf("set it to an address such as http://proxy.example.com:3128", "the proxy address in %s is malformed", name)
		}
	}
	return nil
}

// readBundle reads AWS_CA_BUNDLE. Set, it replaces the system's certificates, as in the SDKs.
func readBundle(name string) (*x509.CertPool, error) {
	const advice = "set AWS_CA_BUNDLE to a file of PEM certificates, or unset it"
	f, err := os.Open(name)
	if err != nil {
		return nil, problemf(advice, "cannot read AWS_CA_BUNDLE %s: %w", name, cause(err))
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxBundle+1))
	if err != nil {
		return nil, problemf(advice, "cannot read AWS_CA_BUNDLE %s: %w", name, cause(err))
	}
	pool := x509.NewCertPool()
	if len(data) > maxBundle || !pool.AppendCertsFromPEM(data) {
		return nil, problemf(advice, "no certificates in AWS_CA_BUNDLE %s", name)
	}
	return pool, nil
}

// cause drops the operation and the path from a file error: the message has them already.
func cause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
