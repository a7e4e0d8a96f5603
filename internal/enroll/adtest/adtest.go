// Package adtest plays an Active Directory domain where no real one is needed: it makes service tickets with a PAC as a KDC
// would, whole or spoilt, and answers a directory's questions over LDAPS. It is for tests and benchmarks.
//
// There is no KDC to ask and no password to check: package testad brings up a real domain for that. Start with [New],
// [Domain.Ticket] and [Domain.Serve].
package adtest

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/types"
)

// What the domain is called.
const (
	Realm   = "CORP.EXAMPLE.COM"
	NetBIOS = "CORP"
	BaseDN  = "DC=corp,DC=example,DC=com"
	Host    = "pki.corp.example.com" // the policy host; its service principal is HTTP/pki.corp.example.com
	SID     = "S-1-5-21-1111111111-2222222222-3333333333"

	// BindUser and BindPassword read the directory.
	BindUser     = "svc-rolecall@corp.example.com"
	BindPassword = "directory-password"
)

// Account is a user or a computer.
type Account struct {
	RID         uint32
	Name        string // sAMAccountName
	CommonName  string
	UPN, Mail   string
	DNSHostName string
	Principals  []string // servicePrincipalName
	Computer    bool
	Disabled    bool
	Groups      []uint32 // relative ids of the domain's groups, as of now
}

// SID is the account's security identifier.
func (a *Account) SID() string { return GroupSID(a.RID) }

// GroupSID is the SID with a relative id in the domain.
func GroupSID(rid uint32) string { return SID + "-" + strconv.FormatUint(uint64(rid), 10) }

// Domain is the domain. It is safe for concurrent use.
type Domain struct {
	service types.EncryptionKey // of the account with the SPN
	kdc     types.EncryptionKey // krbtgt's
	kvno    int
	keytab  []byte

	mu       sync.Mutex // guards accounts
	accounts map[string]*Account
}

// New makes a domain with random keys.
func New(accounts ...Account) (*Domain, error) {
	d := &Domain{kvno: 3, accounts: map[string]*Account{}}
	kt := keytab.New()
	et, err := crypto.GetEtype(etypeID.AES256_CTS_HMAC_SHA1_96)
	if err != nil {
		return nil, err
	}
	if d.service, err = types.GenerateEncryptionKey(et); err != nil {
		return nil, err
	}
	if d.kdc, err = types.GenerateEncryptionKey(et); err != nil {
		return nil, err
	}
	// The library makes keytab entries of passwords only; the key is put in afterwards.
	if err := kt.AddEntry("HTTP/"+Host, Realm, "x", time.Now(), uint8(d.kvno), d.service.KeyType); err != nil {
		return nil, err
	}
	kt.Entries[0].Key = d.service
	if d.keytab, err = kt.Marshal(); err != nil {
		return nil, err
	}
	for i := range accounts {
		a := accounts[i]
		d.accounts[a.SID()] = &a
	}
	return d, nil
}

// Keytab is a keytab file with the service's key.
func (d *Domain) Keytab() []byte { return d.keytab }

// Account is a copy of the account with the SID, nil if there is none.
func (d *Domain) Account(sid string) *Account {
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.accounts[sid]
	if a == nil {
		return nil
	}
	c := *a
	return &c
}

// Change changes an account from now on. Tickets that were made before keep what they say.
func (d *Domain) Change(sid string, change func(*Account)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if a := d.accounts[sid]; a != nil {
		c := *a
		change(&c)
		d.accounts[sid] = &c
	}
}

// binarySID is the binary form of a SID's text (MS-DTYP 2.4.2.2).
func binarySID(text string) ([]byte, error) {
	parts := strings.Split(text, "-")
	if len(parts) < 3 || parts[0] != "S" || parts[1] != "1" {
		return nil, fmt.Errorf("adtest: %q is no SID", text)
	}
	authority, err := strconv.ParseUint(parts[2], 10, 48)
	if err != nil {
		return nil, err
	}
	b := []byte{1, byte(len(parts) - 3)}
	b = append(b, binary.BigEndian.AppendUint64(nil, authority)[2:]...)
	for _, p := range parts[3:] {
		n, err := strconv.ParseUint(p, 10, 32)
		if err != nil {
			return nil, err
		}
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
	}
	return b, nil
}
