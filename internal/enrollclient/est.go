package enrollclient

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/certsonly"
)

// EST is an [Issuer] over enrollment over secure transport.
type EST struct {
	url   string
	token func() (string, error)
	roots *x509.CertPool // nil: the system's
	pin   string         // hex SHA-256 of the TLS CA; "" for none
}

const (
	timeout   = 60 * time.Second
	maxAnswer = 512 << 10
)

// NewEST makes a client for https://HOST or https://HOST/LABEL, or a whole URL with /.well-known/est. caFile is what TLS is
// trusted by, "" for the system's roots; fingerprint is the SHA-256 of the TLS CA's certificate instead, found among
// what the server shows. token is asked for the secret when there is no certificate to renew with.
func NewEST(address, caFile, fingerprint string, token func() (string, error)) (*EST, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, &Error{Problem: "the address of EST is not an https URL without user and query", Advice: "pass --est https://HOST or https://HOST/PROFILE", Permanent: true}
	}
	const root = "/.well-known/est"
	path := strings.TrimSuffix(u.Path, "/")
	if !strings.Contains(path, root) {
		path = root + path
	}
	e := &EST{url: "https://" + u.Host + path, token: token}
	if fingerprint != "" {
		e.pin = strings.ToLower(strings.ReplaceAll(fingerprint, ":", ""))
		if b, err := hex.DecodeString(e.pin); err != nil || len(b) != sha256.Size {
			return nil, &Error{Problem: "the fingerprint is not a SHA-256 in hex", Advice: "openssl x509 -in tls-ca.pem -noout -fingerprint -sha256 shows it", Permanent: true}
		}
	}
	if e.roots, err = Roots(caFile); err != nil {
		return nil, err
	}
	return e, nil
}

// Roots reads a file of trusted certificates; nil, the system's, for "".
func Roots(caFile string) (*x509.CertPool, error) {
	if caFile == "" {
		return nil, nil
	}
	text, err := os.ReadFile(caFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("there is no certificate in %s", caFile)
	}
	return pool, nil
}

func httpClient(config *tls.Config) *http.Client {
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	config.MinVersion = tls.VersionTLS12
	return &http.Client{
		Timeout:       timeout,
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: config, DisableKeepAlives: true, Protocols: protocols},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// trust finds the certificate with the fingerprint among those that the server shows. Nothing is sent that is worth
// anything, and nothing is believed but the one certificate whose hash is right: the next connection is verified with it.
func (e *EST) trust(ctx context.Context) error {
	if e.pin == "" || e.roots != nil {
		return nil
	}
	var shown []*x509.Certificate
	client := httpClient(&tls.Config{InsecureSkipVerify: true, VerifyConnection: func(s tls.ConnectionState) error { //nolint:gosec // see above
		shown = append(shown, s.PeerCertificates...)
		return nil
	}})
	list, err := e.authorities(ctx, client)
	if shown == nil && err != nil {
		return err
	}
	for _, c := range append(shown, list...) {
		sum := sha256.Sum256(c.Raw)
		if hex.EncodeToString(sum[:]) == e.pin {
			e.roots = x509.NewCertPool()
			e.roots.AddCert(c)
			return nil
		}
	}
	return &Error{Problem: "no certificate that the server shows has the fingerprint", Advice: "compare it with the CA of the server's certificate, or pass --ca-file", Permanent: true}
}

// authorities asks for the issuer's certificates.
func (e *EST) authorities(ctx context.Context, client *http.Client) ([]*x509.Certificate, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, e.url+"/cacerts", nil)
	if err != nil {
		return nil, err
	}
	return exchange(client, r)
}

// Enroll implements [Issuer].
func (e *EST) Enroll(ctx context.Context, csr []byte, old *Pair) (*x509.Certificate, []*x509.Certificate, error) {
	if err := e.trust(ctx); err != nil {
		return nil, nil, err
	}
	config := &tls.Config{RootCAs: e.roots}
	operation, secret := "/simpleenroll", ""
	if old != nil && time.Now().Before(old.Leaf.NotAfter) {
		operation = renewal
		// Whatever CAs the server names: there is one certificate.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &tls.Certificate{Certificate: [][]byte{old.Leaf.Raw}, PrivateKey: old.Key, Leaf: old.Leaf}, nil
		}
	} else {
		var err error
		if secret, err = e.token(); err != nil {
			return nil, nil, expired(old, err)
		}
	}
	client := httpClient(config)
	above, err := e.authorities(ctx, client)
	if err != nil {
		return nil, nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url+operation, strings.NewReader(base64.StdEncoding.EncodeToString(csr)))
	if err != nil {
		return nil, nil, err
	}
	r.Header.Set("Content-Type", "application/pkcs10")
	r.Header.Set("Content-Transfer-Encoding", "base64")
	if secret != "" {
		r.SetBasicAuth("token", secret)
	}
	list, err := exchange(client, r)
	if err != nil {
		return nil, nil, err
	}
	return list[0], append(above, list[1:]...), nil
}

const renewal = "/simplereenroll"

// expired says why a certificate that is there does not do for a renewal.
func expired(old *Pair, err error) error {
	if old == nil {
		return err
	}
	e := &Error{
		Problem: fmt.Sprintf("the certificate expired at %s and cannot be renewed without a token", old.Leaf.NotAfter.UTC().Format(time.RFC3339)),
		Advice:  "make one (rolecalld enroll-token create) and pass it with --token-file or --token-env", Cause: err, Permanent: true,
	}
	if own := (*Error)(nil); !errors.As(err, &own) {
		e.Problem += ": " + err.Error()
	}
	return e
}

// exchange makes one request whose answer is certificates.
func exchange(client *http.Client, r *http.Request) ([]*x509.Certificate, error) {
	resp, err := client.Do(r)
	if err != nil {
		var unknown x509.UnknownAuthorityError
		if errors.As(err, &unknown) {
			return nil, &Error{Problem: "the server's certificate is not trusted", Advice: "pass --ca-file or --fingerprint of the CA of the server's certificate", Cause: err}
		}
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		text := strings.TrimSpace(string(body))
		if len(text) > 500 {
			text = text[:500] + "…"
		}
		// 4xx but for 408 and 429 stays as it is.
		permanent := resp.StatusCode/100 == 4 && resp.StatusCode != http.StatusRequestTimeout && resp.StatusCode != http.StatusTooManyRequests
		refused := &Error{Problem: fmt.Sprintf("%s: %s: %s", r.URL.Path, resp.Status, text), Permanent: permanent}
		if resp.StatusCode == http.StatusForbidden && strings.HasSuffix(r.URL.Path, renewal) {
			refused.Advice = "what the server does not renew is replaced with a token (rolecalld enroll-token create), in a --directory without certificate"
		}
		return nil, refused
	}
	if kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err != nil || kind != "application/pkcs7-mime" {
		return nil, fmt.Errorf("%s: the answer is of type %q", r.URL.Path, resp.Header.Get("Content-Type"))
	}
	return decodeAnswer(body)
}

// decodeAnswer reads certificates in base64 with white space anywhere.
func decodeAnswer(body []byte) ([]*x509.Certificate, error) {
	text := bytes.Map(func(c rune) rune {
		if strings.ContainsRune(" \t\r\n", c) {
			return -1
		}
		return c
	}, body)
	der := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Decode(der, text)
	if err != nil {
		return nil, errors.New("the answer is not base64")
	}
	return certsonly.Decode(der[:n])
}
