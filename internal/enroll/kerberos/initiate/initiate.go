// Package initiate is the client's side of internal/enroll/kerberos: it makes "Authorization: Negotiate" headers for an HTTP
// service from a keytab, a password or a credentials cache, bound to the TLS channel, and verifies that the answer comes from
// the service.
//
// It sends no HTTP and delegates no credentials. Start with [New] and [Client.Negotiate].
package initiate

import (
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/credentials"
	"github.com/jcmturner/gokrb5/v8/keytab"

	"github.com/rolecall/rolecall/internal/enroll/kerberos"
)

// Config is who to be. Exactly one of Keytab, Password and CCache is needed.
type Config struct {
	// Krb5Conf is the text of a krb5.conf: realms, KDCs, encryption types.
	Krb5Conf string
	// Principal is the client's name, "alice" or "WS2$", with @REALM if it is not the default realm. Not used with CCache.
	Principal string
	// Keytab is a keytab file's contents.
	Keytab []byte
	// Password is the principal's.
	Password string
	// CCache is the contents of a FILE: credentials cache. Its tickets are not renewed.
	CCache []byte
	// Clock defaults to time.Now.
	Clock func() time.Time
}

// Client has a Kerberos identity. It is safe for concurrent use; tickets are fetched one at a time and kept until they end.
type Client struct {
	mu  sync.Mutex // guards krb: the library's own locks do not cover logging on
	krb *client.Client
	now func() time.Time
}

// New reads the credentials. It does not talk to the KDC yet.
func New(cfg Config) (c *Client, err error) {
	defer func() {
		if p := recover(); p != nil { // the library's parsers index by lengths of the files
			c, err = nil, errors.New("kerberos: malformed keytab or credentials cache")
		}
	}()
	conf, err := config.NewFromString(cfg.Krb5Conf)
	if err != nil {
		return nil, fmt.Errorf("krb5.conf: %w", err)
	}
	c = &Client{now: cfg.Clock}
	if c.now == nil {
		c.now = time.Now
	}
	name, realm, ok := strings.Cut(cfg.Principal, "@")
	if !ok {
		realm = conf.LibDefaults.DefaultRealm
	}
	noFAST := client.DisablePAFXFAST(true) // AD and the library disagree about it
	switch {
	case cfg.Keytab != nil && cfg.Password == "" && cfg.CCache == nil:
		kt := keytab.New()
		if kt.Unmarshal(cfg.Keytab) != nil {
			return nil, errors.New("kerberos: malformed keytab") // the library's text quotes the file
		}
		c.krb = client.NewWithKeytab(name, realm, kt, conf, noFAST)
	case cfg.Password != "" && cfg.Keytab == nil && cfg.CCache == nil:
		c.krb = client.NewWithPassword(name, realm, cfg.Password, conf, noFAST)
	case cfg.CCache != nil && cfg.Keytab == nil && cfg.Password == "":
		cc := new(credentials.CCache)
		if err := cc.Unmarshal(cfg.CCache); err != nil {
			return nil, fmt.Errorf("credentials cache: %w", err)
		}
		if c.krb, err = client.NewFromCCache(cc, conf, noFAST); err != nil {
			return nil, fmt.Errorf("credentials cache: %w", err)
		}
	default:
		return nil, errors.New("kerberos: need exactly one of a keytab, a password and a credentials cache")
	}
	return c, nil
}

// Principal is the client's name without its realm.
func (c *Client) Principal() string { return c.krb.Credentials.CName().PrincipalNameString() }

// Close forgets the tickets.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.krb.Destroy()
}

// Negotiate makes the value of an Authorization header for a request to host ("ca.corp.example.com", no port), good for one
// request, and what verifies the answer to it. leaf is the certificate that the server showed on the connection the request
// will use; nil binds the token to nothing. It talks to the KDC if it has no ticket yet.
func (c *Client) Negotiate(host string, leaf *x509.Certificate) (header string, x *Exchange, err error) {
	defer func() {
		if p := recover(); p != nil { // so does the reader of what the KDC answers
			header, x, err = "", nil, fmt.Errorf("kerberos: malformed answer of the KDC: %v", p)
		}
	}()
	var binding [16]byte
	if leaf != nil {
		if binding, err = kerberos.EndpointBinding(leaf); err != nil {
			binding = [16]byte{} // undefined for this certificate: the server cannot ask for one either
		}
	}
	c.mu.Lock()
	ticket, key, err := c.krb.GetServiceTicket("HTTP/" + host)
	c.mu.Unlock()
	if err != nil {
		return "", nil, fmt.Errorf("ticket for HTTP/%s: %w", host, err)
	}
	token, x, err := newExchange(c.krb.Credentials.Domain(), c.krb.Credentials.CName(), ticket, key, binding, c.now())
	if err != nil {
		return "", nil, err
	}
	return "Negotiate " + base64.StdEncoding.EncodeToString(token), x, nil
}
