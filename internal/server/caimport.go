package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/audit"
	"github.com/rolecall/rolecall/internal/authority"
	"github.com/rolecall/rolecall/internal/blockedkeys"
	"github.com/rolecall/rolecall/internal/issuance"
	"github.com/rolecall/rolecall/internal/keyring"
	"github.com/rolecall/rolecall/internal/keysource/file"
	"github.com/rolecall/rolecall/internal/store"
)

// CAFiles are the files of an existing CA.
type CAFiles struct {
	Certificate string // PEM or DER, or PKCS#12 with the key
	Key         string // PEM or DER, encrypted or not; "" with PKCS#12
	Chain       string // PEM, for a subordinate; "" when it is in Certificate
	// Password gives that of an encrypted key; nil if none is given.
	Password func() ([]byte, error)
	// Ask gives it, without Password, once it turns out that one is needed; nil if nobody can be asked.
	Ask func() ([]byte, error)
}

// ImportCA makes an existing CA one of the account and returns its ARN. It works beside a running server. The key is
// sealed under the key ring: one that was outside of a token does not become safer by being put into it.
func ImportCA(ctx context.Context, cfg Config, account, region string, files CAFiles, shortLived bool) (name string, err error) {
	owner, err := arn.ParseAccountID(account)
	if err != nil {
		return "", fmt.Errorf("the account id %q is not 12 digits", account)
	}
	source := file.Source{Certificate: files.Certificate, PrivateKey: files.Key, Intermediates: files.Chain, Password: files.Password}
	id, err := source.Load(ctx)
	if errors.Is(err, file.ErrNoPassword) && files.Ask != nil {
		source.Password = files.Ask
		id, err = source.Load(ctx)
	}
	if err != nil {
		return "", err
	}
	blocked, err := blockedkeys.Open(cfg.BlockedKeys)
	if err != nil {
		return "", err
	}
	err = withStore(ctx, &cfg, func(db *store.DB, ring *keyring.Ring) error {
		return db.Update(ctx, func(tx *store.Tx) error {
			if _, err := tx.GetAccount(owner); err != nil {
				if errors.Is(err, store.ErrNotFound) {
					return fmt.Errorf("there is no account %s: account list shows them", owner)
				}
				return err
			}
			ca, err := issuance.Adopt(authority.SealedKeys{Ring: ring}, &issuance.Existing{
				Account: owner, Region: arn.Region(region), Key: id.Signer(), Certificate: id.Leaf(), Chain: id.Chain(), ShortLived: shortLived, Blocked: blocked,
			}, tx.Now)
			if err != nil {
				return err
			}
			if err := notThere(tx, ca); err != nil {
				return err
			}
			name = issuance.ARN(ca)
			return errors.Join(tx.CreateAuthority(ca), tx.InsertEvents([]store.Event{importEvent(ca, name, tx.Now).Row()}))
		})
	})
	return name, err
}

// notThere refuses a CA whose key one of the account's has: revocations are kept by key.
func notThere(tx *store.Tx, ca *store.CertificateAuthority) error {
	for after := ""; ; {
		page, next, err := tx.ListAllAuthorities(store.MaxPage, after)
		if err != nil {
			return err
		}
		for i := range page {
			if o := &page[i]; o.Account == ca.Account && o.Region == ca.Region && o.IssuerKey == ca.IssuerKey {
				return fmt.Errorf("%s has this key already", issuance.ARN(o))
			}
		}
		if after = next; after == "" {
			return nil
		}
	}
}

// importEvent has no caller: whoever runs the command has the data folder.
func importEvent(ca *store.CertificateAuthority, name string, now time.Time) *audit.Event {
	return &audit.Event{
		EventTime: now, RequestID: arn.NewUUID(), EventSource: "acm-pca.amazonaws.com", EventName: "ImportCertificateAuthority", Account: ca.Account, Region: ca.Region,
		UserIdentity: audit.UserIdentity{Type: audit.IdentityService, PrincipalID: "rolecalld"},
		Resources:    []audit.Resource{{Type: "AWS::ACMPCA::CertificateAuthority", Name: ca.ID, ARN: name}},
	}
}

// ListCAs lists the CAs of all accounts by id.
func ListCAs(ctx context.Context, cfg Config) (list []store.CertificateAuthority, err error) {
	err = withStore(ctx, &cfg, func(db *store.DB, _ *keyring.Ring) error {
		return db.Read(ctx, func(tx *store.Tx) error {
			list = nil
			for after := ""; ; {
				page, next, err := tx.ListAllAuthorities(store.MaxPage, after)
				if err != nil {
					return err
				}
				list = append(list, page...)
				if after = next; after == "" {
					return nil
				}
			}
		})
	})
	return list, err
}
