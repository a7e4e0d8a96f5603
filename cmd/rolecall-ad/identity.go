package main

import (
	"bufio"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rolecall/rolecall/internal/adclient"
	"github.com/rolecall/rolecall/internal/enroll/soap"
	"github.com/rolecall/rolecall/internal/userfile"
)

// caller is who asks, and whom.
type caller struct {
	getenv                     func(string) string
	server, auth, caFile       string
	principal                  string
	principals                 []string
	keytab, ccache, passwordIn string
	machine                    bool
	stdin                      io.Reader
	password                   string // read once
}

// The kinds of authentication, by certmonger's and Samba's names.
const (
	authKerberos = "Kerberos"
	authPassword = "UsernamePassword"
)

const maxSecret = 4096

func (c *caller) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&c.server, "server", "", "policy server: its host `name`, with a port if that is not 443")
	f.StringVar(&c.auth, "auth", authKerberos, "`kind` of authentication: Kerberos or UsernamePassword (inside of TLS)")
	f.StringVar(&c.caFile, "ca-file", "", "PEM `file` with the CAs of the server's certificate (default: the system's)")
	f.StringVar(&c.principal, "principal", "", "`account`, such as alice or HOST$, for a keytab or a password")
	f.StringVar(&c.keytab, "keytab", "", "`file` with the account's keys (with --machine by default: KRB5_KTNAME, /etc/krb5.keytab)")
	f.StringVar(&c.ccache, "ccache", "", "`file` with the tickets of kinit (default: KRB5CCNAME, /tmp/krb5cc_UID)")
	f.StringVar(&c.passwordIn, "password-file", "", "`file` with the account's password in its first line; - for standard input")
}

// open makes the client. Files are read anew each time: tickets and keys change while a daemon runs.
func (c *caller) open() (*adclient.Client, bool, error) {
	if c.server == "" {
		return nil, false, errors.New("which server? --server is missing")
	}
	cfg := adclient.Config{Server: c.server}
	if c.caFile != "" {
		text, _, err := userfile.Read(c.caFile, 1<<20)
		if err != nil {
			return nil, false, err
		}
		cfg.Roots = x509.NewCertPool()
		if !cfg.Roots.AppendCertsFromPEM(text) {
			return nil, false, fmt.Errorf("%s has no certificate", c.caFile)
		}
	}
	if err := c.readPassword(); err != nil {
		return nil, false, err
	}
	machine := c.machine
	switch c.auth {
	case authPassword:
		if c.principal == "" || c.password == "" {
			return nil, false, errors.New("a user name and its password are needed: --principal and --password-file")
		}
		cfg.User = &soap.UsernameToken{Username: c.principal, Password: c.password}
	case authKerberos:
		id := adclient.Identity{Principal: c.principal, Password: c.password, Keytab: c.keytab, CCache: c.ccache, Getenv: c.getenv}
		if machine && id.Keytab == "" && id.Password == "" && id.CCache == "" {
			id.Keytab = adclient.DefaultKeytab(c.getenv)
		}
		var err error
		if cfg.Kerberos, err = id.Open(); err != nil {
			return nil, false, &hintError{err, "kinit gets a user's tickets; a machine has its keys in a keytab (--machine)"}
		}
		machine = strings.HasSuffix(cfg.Kerberos.Principal(), "$")
	default:
		return nil, false, fmt.Errorf("%q is no kind of authentication here: Kerberos or UsernamePassword", c.auth)
	}
	client, err := adclient.New(cfg)
	return client, machine, err
}

// readPassword reads the first line of the file named.
func (c *caller) readPassword() error {
	if c.passwordIn == "" || c.passwordIn == "-" && c.password != "" {
		return nil
	}
	in := c.stdin
	if c.passwordIn != "-" {
		f, err := os.Open(c.passwordIn)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	line, err := bufio.NewReader(io.LimitReader(in, maxSecret)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if c.password = strings.TrimRight(line, "\r\n"); c.password == "" {
		return errors.New("the first line of --password-file is empty")
	}
	return nil
}
