package server

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/enroll"
	"github.com/rolecall/rolecall/internal/enroll/directory"
	"github.com/rolecall/rolecall/internal/enroll/setup"
	"github.com/rolecall/rolecall/internal/keyring"
	"github.com/rolecall/rolecall/internal/store"
)

// Directory is an Active Directory domain as its operator describes it. For [UpdateDirectory], what is empty stays as it is.
type Directory struct {
	// Realm is the Kerberos realm, Domain the NetBIOS name. Default: what the domain controller says.
	Realm, Domain string
	// Servers are the domain controllers, 1 to 16 URLs ldaps://HOST or ldaps://HOST:PORT.
	Servers []string
	// Trust is PEM: the CAs of the domain controllers' certificates. Default: the system's.
	Trust []byte
	// BindUser and BindPassword are the account that reads the directory: a UPN, a DN or DOMAIN\name.
	BindUser, BindPassword string
	// Keytab holds the keys of the account with the SPN HTTP/<PolicyHost>. Without one, clients come with passwords only.
	Keytab []byte
	// PolicyHost is the DNS name under which clients reach the server.
	PolicyHost string
	// ChannelBinding is off, allow (default) or require.
	ChannelBinding string
	// Offline leaves out the connection that proves all this. Realm and Domain are needed then.
	Offline bool
}

// DirectoryKey names a directory. Account defaults to the one of the first start, Region to the configuration's.
type DirectoryKey struct {
	Account arn.AccountID
	Region  arn.Region
	ID      string
}

// Bounds of a directory's fields.
const (
	maxServers   = 16
	maxTrust     = 256 << 10
	validateTime = 30 * time.Second
)

var (
	dnsNameForm = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`)
	netBIOSForm = regexp.MustCompile(`^[^\x00-\x20\\/:*?"<>|.][^\x00-\x20\\/:*?"<>|]{0,14}$`)
)

// CreateDirectory registers a directory, sealing its secrets. Unless in.Offline it proves first that a domain controller
// answers, that the account may bind, and that realm and names are right.
func CreateDirectory(ctx context.Context, cfg Config, key DirectoryKey, in Directory) (made *store.Directory, err error) {
	err = withDirectories(ctx, &cfg, &key, func(db *store.DB, ring *keyring.Ring) error {
		var id [5]byte
		rand.Read(id[:])
		row := &store.Directory{Account: key.Account, Region: key.Region, ID: "d-" + hex.EncodeToString(id[:]), ChannelBinding: "allow"}
		if in.BindPassword == "" {
			return errors.New("the password of the account that reads the directory is needed")
		}
		if err := describe(ctx, ring, row, &in); err != nil {
			return err
		}
		made = row
		return db.Update(ctx, func(tx *store.Tx) error {
			row.CreatedAt = tx.Now
			return tx.CreateDirectory(row)
		})
	})
	return made, err
}

// UpdateDirectory changes what in names and keeps the rest. The same proofs are made as by [CreateDirectory].
func UpdateDirectory(ctx context.Context, cfg Config, key DirectoryKey, in Directory) (changed *store.Directory, err error) {
	err = withDirectories(ctx, &cfg, &key, func(db *store.DB, ring *keyring.Ring) error {
		old, err := readDirectory(ctx, db, key)
		if err != nil {
			return err
		}
		row := *old
		if err := describe(ctx, ring, &row, &in); err != nil {
			return err
		}
		changed = &row
		return db.Update(ctx, func(tx *store.Tx) error {
			// The connection took its time: nobody else's change is to be lost.
			now, err := tx.GetDirectory(key.Account, key.Region, key.ID)
			if err != nil {
				return err
			}
			if !sameDirectory(now, old) {
				return errors.New("the directory was changed by somebody else at the same time")
			}
			connectors, err := tx.ListDirectoryConnectors(key.Account, key.Region, key.ID)
			if err != nil {
				return err
			}
			for i := range connectors { // their clients are told addresses that may be others now
				connectors[i].PolicyChangedAt = tx.Now
				if err := tx.PutConnector(&connectors[i]); err != nil {
					return err
				}
			}
			return tx.PutDirectory(&row)
		})
	})
	return changed, err
}

func sameDirectory(a, b *store.Directory) bool {
	return a.Realm == b.Realm && a.Domain == b.Domain && slices.Equal(a.Servers, b.Servers) && a.Trust == b.Trust && a.BindUser == b.BindUser &&
		string(a.BindPassword) == string(b.BindPassword) && string(a.Keytab) == string(b.Keytab) && a.ChannelBinding == b.ChannelBinding && a.PolicyHost == b.PolicyHost
}

// DeleteDirectory removes a directory that no registration and no connector uses.
func DeleteDirectory(ctx context.Context, cfg Config, key DirectoryKey) error {
	return withDirectories(ctx, &cfg, &key, func(db *store.DB, _ *keyring.Ring) error {
		return db.Update(ctx, func(tx *store.Tx) error {
			connectors, err := tx.ListDirectoryConnectors(key.Account, key.Region, key.ID)
			if err != nil {
				return err
			}
			if len(connectors) > 0 {
				return fmt.Errorf("directory %s has a connector, %s: delete that first", key.ID, connectors[0].ID)
			}
			_, err = tx.GetDirectoryRegistration(key.Account, key.Region, key.ID)
			if err == nil {
				return fmt.Errorf("directory %s is registered: delete its registration first (aws pca-connector-ad delete-directory-registration)", key.ID)
			}
			if !errors.Is(err, store.ErrNotFound) {
				return err
			}
			return unknownDirectory(key, tx.DeleteDirectory(key.Account, key.Region, key.ID))
		})
	})
}

// ListDirectories lists an account's directories in a region, by id. Their secrets are sealed.
func ListDirectories(ctx context.Context, cfg Config, key DirectoryKey) (list []store.Directory, err error) {
	err = withDirectories(ctx, &cfg, &key, func(db *store.DB, _ *keyring.Ring) error {
		return db.Read(ctx, func(tx *store.Tx) error {
			list = nil
			for after := ""; ; {
				page, next, err := tx.ListDirectories(key.Account, key.Region, 100, after)
				if err != nil {
					return err
				}
				list = append(list, page...)
				if next == "" {
					return nil
				}
				after = next
			}
		})
	})
	return list, err
}

// withDirectories is withStore with the key's defaults filled in.
func withDirectories(ctx context.Context, cfg *Config, key *DirectoryKey, fn func(*store.DB, *keyring.Ring) error) error {
	return withStore(ctx, cfg, func(db *store.DB, ring *keyring.Ring) error {
		if key.Region == "" {
			key.Region = arn.Region(cfg.Region)
		}
		if key.Account == "" {
			first, err := firstAccount(ctx, db)
			if err != nil {
				return fmt.Errorf("no account yet: start the server once: %w", err)
			}
			key.Account = first
		}
		err := db.Read(ctx, func(tx *store.Tx) error {
			_, err := tx.GetAccount(key.Account)
			return err
		})
		if errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("there is no account %s", key.Account)
		}
		if err != nil {
			return err
		}
		return fn(db, ring)
	})
}

func readDirectory(ctx context.Context, db *store.DB, key DirectoryKey) (row *store.Directory, err error) {
	err = db.Read(ctx, func(tx *store.Tx) (err error) {
		row, err = tx.GetDirectory(key.Account, key.Region, key.ID)
		return err
	})
	return row, unknownDirectory(key, err)
}

func unknownDirectory(key DirectoryKey, err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("account %s has no directory %q in %s", key.Account, key.ID, key.Region)
	}
	return err
}

// describe puts what was given into the row and proves that it works.
func describe(ctx context.Context, ring *keyring.Ring, row *store.Directory, in *Directory) error {
	if err := in.put(row); err != nil {
		return err
	}
	if in.BindPassword != "" || len(in.Keytab) > 0 {
		if err := enroll.Reseal(ring, row, in.Keytab, in.BindPassword); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, validateTime)
	defer cancel()
	_, opened, end, err := enroll.Connect(ring)(row)
	if err != nil {
		return err
	}
	defer end()
	if in.Offline {
		if row.Realm == "" || row.Domain == "" {
			return errors.New("without a connection, realm and NetBIOS name of the domain have to be given")
		}
		return nil
	}
	client, ok := opened.(*directory.Client)
	if !ok {
		return fmt.Errorf("cannot ask a directory of type %T", opened)
	}
	domain, err := client.Domain(ctx)
	if err != nil {
		return err
	}
	if row.Realm == "" {
		row.Realm = domain.Realm()
	}
	if row.Domain == "" {
		row.Domain = domain.NetBIOS
	}
	if row.Realm != domain.Realm() {
		return fmt.Errorf("%s is a controller of the realm %s, not %s", domain.Host, domain.Realm(), row.Realm)
	}
	if !strings.EqualFold(row.Domain, domain.NetBIOS) {
		return fmt.Errorf("%s is a controller of the domain %s, not %s", domain.Host, domain.NetBIOS, row.Domain)
	}
	return nil
}

// put checks the form of what was given and writes it into the row, except for secrets.
func (in *Directory) put(row *store.Directory) error {
	if in.Realm != "" {
		row.Realm = strings.ToUpper(in.Realm)
	}
	if in.Domain != "" {
		row.Domain = in.Domain
	}
	if in.PolicyHost != "" {
		row.PolicyHost = strings.ToLower(in.PolicyHost)
	}
	if in.BindUser != "" {
		row.BindUser = in.BindUser
	}
	if in.ChannelBinding != "" {
		row.ChannelBinding = in.ChannelBinding
	}
	if len(in.Trust) > 0 {
		row.Trust = string(in.Trust)
	}
	if len(in.Servers) > 0 {
		row.Servers = slices.Clone(in.Servers)
	}
	switch {
	case row.Realm != "" && (!dnsNameForm.MatchString(row.Realm) || len(row.Realm) > 253):
		return fmt.Errorf("%q is not a realm: it is the domain's DNS name in upper case, such as CORP.EXAMPLE.COM", row.Realm)
	case row.Domain != "" && !netBIOSForm.MatchString(row.Domain):
		return fmt.Errorf("%q is not a NetBIOS name of a domain: it has up to 15 characters, such as CORP", row.Domain)
	case !dnsNameForm.MatchString(row.PolicyHost) || len(row.PolicyHost) > 253:
		return fmt.Errorf("%q is not the full DNS name of a host for the clients, such as pki.corp.example.com", row.PolicyHost)
	case row.BindUser == "" || len(row.BindUser) > 1024:
		return errors.New("the account that reads the directory is needed: a UPN, a DN or DOMAIN\\name")
	case row.ChannelBinding != "off" && row.ChannelBinding != "allow" && row.ChannelBinding != "require":
		return fmt.Errorf("channel binding %q is not known: use off, allow or require", row.ChannelBinding)
	case len(row.Servers) == 0 || len(row.Servers) > maxServers:
		return fmt.Errorf("1 to %d domain controllers are needed", maxServers)
	case len(row.Trust) > maxTrust:
		return fmt.Errorf("the CA file has more than %d bytes", maxTrust)
	case row.Trust != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(row.Trust)):
		return errors.New("the CA file has no certificate in PEM")
	}
	for i, s := range row.Servers {
		server, err := serverURL(s)
		if err != nil {
			return err
		}
		row.Servers[i] = server
	}
	return nil
}

// serverURL takes ldaps://HOST[:PORT] and nothing around it.
func serverURL(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "ldaps" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
		return "", fmt.Errorf("%q is not a domain controller: use ldaps://HOST or ldaps://HOST:PORT", s)
	}
	if host := u.Hostname(); net.ParseIP(host) == nil && !dnsNameForm.MatchString(host) {
		return "", fmt.Errorf("%q: %q is not a full host name", s, host)
	}
	return "ldaps://" + u.Host, nil
}

// DirectorySetup runs fn with all that the store has about a directory.
func DirectorySetup(ctx context.Context, cfg Config, key DirectoryKey, fn func(*setup.Setup) error) error {
	return withDirectories(ctx, &cfg, &key, func(db *store.DB, ring *keyring.Ring) error {
		s, err := setup.Load(ctx, db, ring, key.Account, key.Region, key.ID)
		if err != nil {
			return unknownDirectory(key, err)
		}
		return fn(s)
	})
}
