// Package setup is what an operator does to a directory so that its members enroll: it checks the whole of it and says how
// to repair what is missing ([Check]), publishes the connector's CA in the forest ([Publish]), and makes the values of the
// Group Policy ([Policy]).
//
// It writes no SYSVOL and changes no account. Start with [Load].
package setup

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/enroll"
	"github.com/rolecall/rolecall/internal/keyring"
	"github.com/rolecall/rolecall/internal/store"
)

// Setup is what the server has about one directory.
type Setup struct {
	Directory    store.Directory
	Registration *store.DirectoryRegistration // nil: none
	Connectors   []Connector                  // by id
	keytab       []byte
	password     string
}

// Connector is a connector with what it issues by.
type Connector struct {
	store.ConnectorBundle
	Authority *store.CertificateAuthority // nil: it is gone
}

// Load reads a directory and all that belongs to it, and opens its secrets.
func Load(ctx context.Context, db *store.DB, ring *keyring.Ring, account arn.AccountID, region arn.Region, id string) (*Setup, error) {
	s := &Setup{}
	var connectors []store.Connector
	err := db.Read(ctx, func(tx *store.Tx) error {
		row, err := tx.GetDirectory(account, region, id)
		if err != nil {
			return err
		}
		s.Directory = *row
		s.Registration, err = tx.GetDirectoryRegistration(account, region, id)
		if errors.Is(err, store.ErrNotFound) {
			s.Registration, err = nil, nil
		}
		if err != nil {
			return err
		}
		connectors, err = tx.ListDirectoryConnectors(account, region, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	for i := range connectors {
		bundle, err := db.View().Connector(ctx, account, region, connectors[i].ID)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		c := Connector{ConnectorBundle: bundle.Row}
		if c.Authority, err = authorityOf(ctx, db, &c.Connector); err != nil {
			return nil, err
		}
		s.Connectors = append(s.Connectors, c)
	}
	s.keytab, s.password, err = enroll.OpenCredentials(ring, &s.Directory)
	return s, err
}

// authorityOf is nil if the connector's CA is gone.
func authorityOf(ctx context.Context, db *store.DB, c *store.Connector) (ca *store.CertificateAuthority, err error) {
	name, err := arn.Parse(c.Authority)
	id, ok := strings.CutPrefix(name.Resource, "certificate-authority/")
	if err != nil || !ok {
		return nil, fmt.Errorf("connector %s has the certificate authority %q", c.ID, c.Authority)
	}
	err = db.Read(ctx, func(tx *store.Tx) (err error) {
		ca, err = tx.GetAuthority(c.Account, c.Region, id)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return ca, err
}

// chain is a CA's certificate and those above it; the last one is the root if the chain is whole.
func chain(ca *store.CertificateAuthority) ([]*x509.Certificate, error) {
	leaf, err := x509.ParseCertificate(ca.Certificate)
	if err != nil {
		return nil, fmt.Errorf("the certificate of certificate authority %s: %w", ca.ID, err)
	}
	list := []*x509.Certificate{leaf}
	for rest := []byte(ca.Chain); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return list, nil
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("the chain of certificate authority %s: %w", ca.ID, err)
		}
		list = append(list, cert)
	}
}

func root(chain []*x509.Certificate) *x509.Certificate {
	last := chain[len(chain)-1]
	if string(last.RawSubject) != string(last.RawIssuer) {
		return nil
	}
	return last
}

// ErrNoConnector means that nothing can be published or pointed at yet.
var ErrNoConnector = errors.New("the directory has no connector with a CA that has a certificate")

// issuing is the CA of the directory's connector and its chain. One that failed counts only if there is no other.
func (s *Setup) issuing() (ca *store.CertificateAuthority, certs []*x509.Certificate, err error) {
	for i := range s.Connectors {
		c := &s.Connectors[i]
		if c.Authority == nil || len(c.Authority.Certificate) == 0 || ca != nil && c.Connector.Status == failed {
			continue
		}
		if ca = c.Authority; c.Connector.Status != failed {
			break
		}
	}
	if ca == nil {
		return nil, nil, ErrNoConnector
	}
	certs, err = chain(ca)
	return ca, certs, err
}
