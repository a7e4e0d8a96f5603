package adclient

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/enroll/kerberos/initiate"
	"github.com/rolecall/rolecall/internal/enroll/soap"
)

// timeout bounds one request, its connection included.
const timeout = 30 * time.Second

// Config says whom to ask and who asks. Either Kerberos or User is set.
type Config struct {
	// Server is the policy server's host name, with a port if that is not 443.
	Server string
	// Kerberos is the caller's identity.
	Kerberos *initiate.Client
	// User is a user name with its password, sent inside of TLS.
	User *soap.UsernameToken
	// Roots verify the server's certificate; nil for the system's.
	Roots *x509.CertPool
	// Dial makes connections; nil for the system's way.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Client asks policy and enrollment servers.
type Client struct{ cfg Config }

// New makes a client.
func New(cfg Config) (*Client, error) {
	if cfg.Server == "" || strings.ContainsAny(cfg.Server, "/@?# ") {
		return nil, fmt.Errorf("%q is not the name of a server", cfg.Server)
	}
	if (cfg.Kerberos == nil) == (cfg.User == nil) {
		return nil, errors.New("adclient: need either Kerberos or a user name")
	}
	if cfg.Dial == nil {
		cfg.Dial = (&net.Dialer{}).DialContext
	}
	return &Client{cfg}, nil
}

// authentication is how this client proves who it is (MS-XCEP 3.1.4.1.3.3).
func (c *Client) authentication() (number int, name string) {
	if c.cfg.User != nil {
		return 4, "UsernamePassword"
	}
	return 2, "Kerberos"
}

// call sends one message and reads the answer's body, which must come under the action want.
func (c *Client) call(ctx context.Context, to, action, want string, body func(w *soap.Writer)) (*soap.Element, error) {
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return nil, unreachable("%q is not an https address", to)
	}
	var w soap.Writer
	w.BeginRequest(action, to, "urn:uuid:"+uuid(), c.cfg.User)
	body(&w)
	status, kind, data, err := c.exchange(ctx, http.MethodPost, u, w.End())
	if err != nil {
		return nil, unreachable("%s: %w", u.Host, err)
	}
	if !strings.HasPrefix(kind, soap.ContentType) {
		return nil, unreachable("%s answers %d with no SOAP message", u.Host, status)
	}
	m, err := soap.ReadAnswer(data)
	if err != nil {
		return nil, unreachable("%s: %w", u.Host, err)
	}
	if m.Body.Name.Space == soap.NSEnvelope && m.Body.Name.Local == "Fault" {
		return nil, readFault(m.Body)
	}
	if status != http.StatusOK || m.Action != want {
		return nil, unreachable("%s answers %d with the action %q", u.Host, status, m.Action)
	}
	return m.Body, nil
}

// exchange is one HTTP request on a connection of its own: the Kerberos token is bound to the certificate that was seen there.
func (c *Client) exchange(ctx context.Context, method string, u *url.URL, message []byte) (status int, kind string, data []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := c.dial(ctx, u)
	if err != nil {
		return 0, "", nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	r, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(message))
	if err != nil {
		return 0, "", nil, err
	}
	r.Close = true
	r.Header.Set("User-Agent", "rolecall-ad")
	var proof *initiate.Exchange
	if method == http.MethodPost {
		r.Header.Set("Content-Type", soap.ContentType+"; charset=utf-8")
		if c.cfg.Kerberos != nil {
			var header string
			if header, proof, err = c.cfg.Kerberos.Negotiate(strings.ToLower(u.Hostname()), conn.ConnectionState().PeerCertificates[0]); err != nil {
				return 0, "", nil, err
			}
			r.Header.Set("Authorization", header)
		}
	}
	if err := r.Write(conn); err != nil {
		return 0, "", nil, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), r)
	if err != nil {
		return 0, "", nil, fmt.Errorf("no answer: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusUnauthorized {
		return 0, "", nil, errors.New("the server does not accept this caller (401)")
	}
	if proof != nil {
		if err := proof.Verify(resp.Header.Get("WWW-Authenticate")); err != nil {
			return 0, "", nil, err
		}
	}
	data, err = io.ReadAll(io.LimitReader(resp.Body, soap.MaxAnswerBytes+1))
	return resp.StatusCode, resp.Header.Get("Content-Type"), data, err
}

func (c *Client) dial(ctx context.Context, u *url.URL) (*tls.Conn, error) {
	port := u.Port()
	if port == "" {
		port = "443"
	}
	raw, err := c.cfg.Dial(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return nil, err
	}
	conn := tls.Client(raw, &tls.Config{ServerName: u.Hostname(), RootCAs: c.cfg.Roots, MinVersion: tls.VersionTLS12})
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, err
	}
	return conn, nil
}

// uuid is a random message id (RFC 9562 §5.4).
func uuid() string {
	var b [16]byte
	rand.Read(b[:]) //nolint:errcheck // it never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
