package store

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

// Directory is an Active Directory domain as the operator described it: what AWS Directory Service would know.
type Directory struct {
	Account        arn.AccountID
	Region         arn.Region
	ID             string   // d- and ten hex digits
	Realm          string   // Kerberos realm, upper case
	Domain         string   // NetBIOS name
	Servers        []string // ldaps:// URLs
	Trust          string   // PEM: the CAs that the servers' certificates come from
	BindUser       string
	BindPassword   []byte // sealed by the caller
	Keytab         []byte // sealed by the caller
	ChannelBinding string // off, allow or require
	PolicyHost     string // host name under which clients reach the enrollment services, lower case
	CreatedAt      time.Time
}

// ServicePrincipal is the Kerberos name under which the directory's clients address the enrollment services.
func (d *Directory) ServicePrincipal() string { return "HTTP/" + d.PolicyHost }

// PolicyServer is the URL of the enrollment policy service (MS-XCEP) for the directory's clients. Samba's takes no other
// path and no port.
func (d *Directory) PolicyServer() string {
	return "https://" + d.PolicyHost + "/ADPolicyProvider_CEP_Kerberos/service.svc/CEP"
}

const directoryColumns = `account, region, id, realm, domain, servers, trust, bind_user, bind_password, keytab, channel_binding, policy_host, created_at`

const directoryInsert = `INSERT INTO directories (` + directoryColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`

func scanDirectory(s scanner, d *Directory) error {
	return s.Scan(&d.Account, &d.Region, &d.ID, &d.Realm, &d.Domain, list[string]{&d.Servers}, &d.Trust, &d.BindUser,
		blob{&d.BindPassword}, blob{&d.Keytab}, &d.ChannelBinding, &d.PolicyHost, micros{&d.CreatedAt})
}

func (d *Directory) args() []any {
	return []any{d.Account, d.Region, d.ID, d.Realm, d.Domain, toList(d.Servers), d.Trust, d.BindUser,
		notNil(d.BindPassword), notNil(d.Keytab), d.ChannelBinding, d.PolicyHost, toMicros(d.CreatedAt)}
}

func (tx *Tx) directoryChanged(d *Directory) {
	tx.changed(kindDirectory, d.Account, d.Region, d.ID)
	tx.changed(kindPolicyHost, "", "", nameKey(d.PolicyHost))
}

// CreateDirectory adds a directory.
func (tx *Tx) CreateDirectory(d *Directory) error {
	tx.directoryChanged(d)
	return tx.insert(directoryInsert, d.args()...)
}

// PutDirectory adds or replaces a directory.
func (tx *Tx) PutDirectory(d *Directory) error {
	old, err := tx.GetDirectory(d.Account, d.Region, d.ID)
	if err == nil {
		tx.directoryChanged(old) // it may leave a host
	} else if !errors.Is(err, ErrNotFound) {
		return err
	}
	tx.directoryChanged(d)
	_, err = tx.exec(directoryInsert+` ON CONFLICT (account, region, id) DO UPDATE SET realm = excluded.realm, domain = excluded.domain,
		servers = excluded.servers, trust = excluded.trust, bind_user = excluded.bind_user, bind_password = excluded.bind_password,
		keytab = excluded.keytab, channel_binding = excluded.channel_binding, policy_host = excluded.policy_host,
		created_at = excluded.created_at`, d.args()...)
	return err
}

// GetDirectory reads one directory.
func (tx *Tx) GetDirectory(account arn.AccountID, region arn.Region, id string) (*Directory, error) {
	return one(tx, scanDirectory, `SELECT `+directoryColumns+` FROM directories WHERE account = $1 AND region = $2 AND id = $3`, account, region, id)
}

// DeleteDirectory removes one directory. Whether something depends on it is the caller's to ask.
func (tx *Tx) DeleteDirectory(account arn.AccountID, region arn.Region, id string) error {
	old, err := tx.GetDirectory(account, region, id)
	if err != nil {
		return err
	}
	tx.directoryChanged(old)
	return tx.remove(`DELETE FROM directories WHERE account = $1 AND region = $2 AND id = $3`, account, region, id)
}

// ListDirectories pages by id.
func (tx *Tx) ListDirectories(account arn.AccountID, region arn.Region, limit int, after string) ([]Directory, string, error) {
	return page(tx, scanDirectory, func(d *Directory) string { return d.ID }, limit,
		`SELECT `+directoryColumns+` FROM directories WHERE account = $1 AND region = $2 AND id > $3 ORDER BY id LIMIT $4`, account, region, after)
}

// ListHostDirectories are the directories, of all accounts and regions, whose clients use the host; at most [MaxPage].
func (tx *Tx) ListHostDirectories(host string) ([]Directory, error) {
	return all(tx, scanDirectory, `SELECT `+directoryColumns+` FROM directories WHERE policy_host = $1 ORDER BY account, region, id LIMIT $2`, nameKey(host), MaxPage)
}

// Directory returns a directory.
func (v *View) Directory(ctx context.Context, account arn.AccountID, region arn.Region, id string) (*Cached[Directory], error) {
	return lookup(v, ctx, change{kindDirectory, account, region, id}, func(tx *Tx, k change) (*Directory, error) {
		return tx.GetDirectory(k.account, k.region, k.id)
	})
}

// maxHost is the longest DNS name; a longer one is no directory's.
const maxHost = 253

// HostDirectories returns the directories whose clients use the host (without port, in any case). No directory is
// [ErrNotFound]: hosts come from anybody's requests, and guessed ones must not push rows out of the view.
func (v *View) HostDirectories(ctx context.Context, host string) (*Cached[[]Directory], error) {
	if len(host) > maxHost || strings.IndexByte(host, 0) >= 0 {
		return nil, ErrNotFound
	}
	return lookupName(v, ctx, kindPolicyHost, "", host, func(tx *Tx, k change) (*[]Directory, error) {
		found, err := tx.ListHostDirectories(k.id)
		if err == nil && len(found) == 0 {
			err = ErrNotFound
		}
		return &found, err
	})
}
