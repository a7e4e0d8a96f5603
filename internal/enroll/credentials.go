package enroll

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/enroll/directory"
	"github.com/rolecall/rolecall/internal/enroll/kerberos"
	"github.com/rolecall/rolecall/internal/keyring"
	"github.com/rolecall/rolecall/internal/store"
)

// Labels of the key ring for a directory's secrets. They never change: sealed secrets are stored.
const (
	KeytabLabel   = "directory-keytab"
	PasswordLabel = "directory-bind-password"
)

// Bound is what a sealed secret of a directory belongs to: it opens for no other one.
func Bound(account arn.AccountID, region arn.Region, id string) []byte {
	return fmt.Appendf(nil, "%s\x00%s\x00%s", account, region, id)
}

func bound(d *store.Directory) []byte { return Bound(d.Account, d.Region, d.ID) }

// SealCredentials puts the keytab of the service account and the password of the account that reads the directory into the
// row, sealed. Account, region and id must be set before.
func SealCredentials(ring *keyring.Ring, d *store.Directory, keytab []byte, password string) {
	d.Keytab = ring.Seal(KeytabLabel, bound(d), keytab)
	d.BindPassword = ring.Seal(PasswordLabel, bound(d), []byte(password))
}

// Reseal replaces those secrets of a row that are given and keeps the others.
func Reseal(ring *keyring.Ring, d *store.Directory, keytab []byte, password string) error {
	if password == "" {
		old, err := ring.Open(PasswordLabel, bound(d), d.BindPassword)
		if err != nil {
			return fmt.Errorf("the directory's password: %w", err)
		}
		password = string(old)
	}
	if len(keytab) == 0 && len(d.Keytab) > 0 {
		old, err := ring.Open(KeytabLabel, bound(d), d.Keytab)
		if err != nil {
			return fmt.Errorf("the directory's keytab: %w", err)
		}
		defer clear(old)
		keytab = old
	}
	SealCredentials(ring, d, keytab, password)
	if len(keytab) == 0 {
		d.Keytab = nil
	}
	return nil
}

// OpenCredentials returns what [SealCredentials] sealed; keytab is nil if the directory has none.
func OpenCredentials(ring *keyring.Ring, d *store.Directory) (keytab []byte, password string, err error) {
	if len(d.Keytab) > 0 {
		if keytab, err = ring.Open(KeytabLabel, bound(d), d.Keytab); err != nil {
			return nil, "", fmt.Errorf("the directory's keytab: %w", err)
		}
	}
	secret, err := ring.Open(PasswordLabel, bound(d), d.BindPassword)
	if err != nil {
		return nil, "", fmt.Errorf("the directory's password: %w", err)
	}
	return keytab, string(secret), nil
}

// Connect opens directories with the secrets that [SealCredentials] sealed.
func Connect(ring *keyring.Ring) Opener {
	return func(row *store.Directory) (Acceptor, Directory, func(), error) {
		acceptor, err := newAcceptor(ring, row)
		if err != nil {
			return nil, nil, nil, err
		}
		_, password, err := OpenCredentials(ring, row)
		if err != nil {
			return nil, nil, nil, err
		}
		cfg, err := DirectoryConfig(row, row.BindUser, password)
		if err != nil {
			return nil, nil, nil, err
		}
		client, err := directory.New(cfg)
		if err != nil {
			return nil, nil, nil, err
		}
		return acceptor, client, client.Close, nil
	}
}

// DirectoryConfig is how to reach the directory as an account.
func DirectoryConfig(row *store.Directory, user, password string) (directory.Config, error) {
	cfg := directory.Config{BindName: user, Password: password}
	for _, server := range row.Servers {
		host, ok := strings.CutPrefix(server, "ldaps://")
		if !ok {
			return cfg, fmt.Errorf("directory server %s is not an ldaps:// URL", server)
		}
		cfg.Servers = append(cfg.Servers, strings.TrimSuffix(host, "/"))
	}
	if row.Trust != "" {
		cfg.Roots = x509.NewCertPool()
		if !cfg.Roots.AppendCertsFromPEM([]byte(row.Trust)) {
			return cfg, errors.New("the directory's trusted certificates cannot be read")
		}
	}
	return cfg, nil
}

// newAcceptor takes tickets for the policy host alone. A directory without a keytab takes none.
func newAcceptor(ring *keyring.Ring, row *store.Directory) (Acceptor, error) {
	if len(row.Keytab) == 0 {
		return noTickets{}, nil
	}
	keytab, err := ring.Open(KeytabLabel, bound(row), row.Keytab)
	if err != nil {
		return nil, fmt.Errorf("the directory's keytab: %w", err)
	}
	defer clear(keytab)
	cfg := kerberos.Config{Keytab: keytab, Services: []string{row.ServicePrincipal()}}
	switch row.ChannelBinding {
	case "off":
		cfg.ChannelBinding = kerberos.Off
	case "require":
		cfg.ChannelBinding = kerberos.Require
	case "allow", "":
		cfg.ChannelBinding = kerberos.Allow
	default:
		return nil, fmt.Errorf("channel binding %q is not known", row.ChannelBinding)
	}
	return kerberos.New(cfg)
}

// noTickets is the acceptor of a directory whose clients come with passwords only.
type noTickets struct{}

func (noTickets) Accept(string, *x509.Certificate) (*kerberos.Identity, string, error) {
	return nil, "", errors.New("the directory has no keytab")
}
